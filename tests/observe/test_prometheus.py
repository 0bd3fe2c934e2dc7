"""The dashboard, the rules and the run book, against a Prometheus that looks at every role."""
import contextlib
import json
import re
import subprocess
import time
import urllib.parse
import urllib.request

import pytest

from dwell_service import Service, post_event, wait_until
from dwell_system import system
from free_ports import free_ports
from kafka_fixtures import ROOT

import yaml  # noqa: E402 - the import above makes it findable

OBSERVE = ROOT / "deploy" / "observe"
TOOLS = ROOT / "build" / "prometheus" / "usr" / "bin"
RULES = yaml.safe_load((OBSERVE / "rules.yaml").read_text())["groups"]
DASHBOARD = json.loads((OBSERVE / "dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
ALERTS = [rule for group in RULES for rule in group["rules"] if "alert" in rule]
RECORDED = {rule["record"]: rule["expr"] for group in RULES for rule in group["rules"]
            if "record" in rule}
NAME = re.compile(r"\b(?:dwell|process)_[a-z_]+")


@pytest.fixture(scope="session", autouse=True)
def prometheus_tools():
    subprocess.run([ROOT / "scripts" / "install-prometheus"], check=True)


def promtool(*arguments, page=None):
    done = subprocess.run([TOOLS / "promtool", *map(str, arguments)], input=page, text=True,
                          capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def documented():
    text = (ROOT / "docs" / "operations.md").read_text().split("\n## Metrics\n")[1]
    return set(re.findall(r"^\| `(\w+)", text, re.M))


def expressions():
    """(where, expression, whether it may be empty) of all panels, alerts and recorded rules."""
    for panel in PANELS:
        for target in panel["targets"]:
            yield (panel["title"], target["expr"].replace("$job", ".*"),
                   "Empty when well." in panel.get("description", ""))
    for rule in ALERTS:  # what it compares, since the comparison is empty when well
        left, = re.findall(r"^(.*) (?:==|>|<) [\d.]+$", rule["expr"])
        yield rule["alert"], left, False
    for name, expression in RECORDED.items():
        yield name, expression, False
        yield name, name, False


def test_the_rules_are_right_and_do_what_their_tests_say():
    promtool("check", "rules", OBSERVE / "rules.yaml")
    promtool("check", "config", OBSERVE / "prometheus.yaml")
    promtool("test", "rules", ROOT / "tests" / "observe" / "rules_test.yaml")


def test_each_alert_is_tested_both_ways_and_has_its_entry_in_the_run_book():
    tests = yaml.safe_load((ROOT / "tests" / "observe" / "rules_test.yaml").read_text())["tests"]
    fires = {case["alertname"] for test in tests for case in test["alert_rule_test"]
             if case.get("exp_alerts")}
    silent = {case["alertname"] for test in tests for case in test["alert_rule_test"]
              if not case.get("exp_alerts")}
    names = {rule["alert"] for rule in ALERTS}
    assert names == fires == silent
    book = (ROOT / "docs" / "runbook.md").read_text()
    assert re.findall(r"^## (\w+)$", book, re.M) == [rule["alert"] for rule in ALERTS]
    for entry in book.split("\n## ")[1:]:
        for part in ("**Symptom.**", "**Look.**", "**Act.**"):
            assert part in entry, entry
    for panel in re.findall(r"[Pp]anels? ((?:\*[^*]+\*(?:, | and )?)+)", book):
        assert set(re.findall(r"\*([^*]+)\*", panel)) <= {one["title"] for one in PANELS}, panel
    for rule in ALERTS:
        assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{rule['alert'].lower()}"
        assert rule["labels"]["severity"] in ("page", "ticket")


def test_the_dashboard_is_whole():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}
        assert place["x"] + place["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
    titles = [panel["title"] for panel in DASHBOARD["panels"]]
    assert len(set(titles)) == len(titles)
    assert {"Overview", "Stages", "HTTP", "Store"} <= set(titles)
    variables = {one["name"] for one in DASHBOARD["templating"]["list"]}
    for panel in PANELS:
        assert panel["fieldConfig"]["defaults"]["unit"] and panel["targets"]
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == panel["datasource"]["uid"] == "${datasource}"
            assert set(re.findall(r"\$(\w+)", target["expr"])) <= variables
    assert DASHBOARD["schemaVersion"] >= 39 and DASHBOARD["uid"] == "dwell"


def test_every_metric_that_is_asked_for_is_one():
    known = documented()
    asked = {name for _, expression, _ in expressions() for name in NAME.findall(expression)}
    assert {re.sub("_bucket$", "", name) for name in asked} <= known
    shown = {name for panel in PANELS for target in panel["targets"]
             for name in NAME.findall(target["expr"])}
    missing = known - {re.sub("_bucket$", "", name) for name in shown}
    assert missing <= {"dwell_topic_looks_total", "process_threads", "process_start_time_seconds",
                       "process_virtual_memory_bytes"}, "the dashboard lacks them"


@contextlib.contextmanager
def prometheus(folder, targets):
    """Asks a Prometheus that scrapes the targets each second: ask(expression)."""
    config = yaml.safe_load((OBSERVE / "prometheus.yaml").read_text())
    job = config["scrape_configs"][0]
    job["static_configs"] = [{"targets": targets}]
    config["scrape_configs"] = [job]
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(OBSERVE / "rules.yaml")]
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    port, = free_ports(1)
    with open(folder / "prometheus.log", "wb") as log:
        process = subprocess.Popen(
            [TOOLS / "prometheus", f"--config.file={folder}/prometheus.yaml",
             f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"],
            stdout=log, stderr=log)

    def ask(expression):
        query = urllib.parse.urlencode({"query": expression})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{port}/api/v1/query?{query}", timeout=30) as answer:
            found = json.load(answer)
        assert found["status"] == "success", found
        return found["data"]["result"]

    def is_there():
        try:
            return ask("vector(1)")
        except OSError:
            return None

    try:
        wait_until(is_there, seconds=60)
        yield ask
    finally:
        process.terminate()
        process.wait(30)


def test_a_prometheus_that_looks_at_every_role_answers_every_expression(topics, database, tmp_path):
    with contextlib.ExitStack() as stack:
        def start(name, service):
            (tmp_path / name).mkdir()
            return stack.enter_context(service(tmp_path / name).start())

        now = int(time.time() * 1_000)
        embedded = start("embedded", Service)
        roles = {role: start(role, lambda folder, role=role: system(
            folder, topics, database.url, command=role)) for role in ("clean", "store", "serve")}
        services = [embedded, *roles.values()]
        for service in services:
            wait_until(lambda: service.get("/readyz").status == 200, seconds=60)
            promtool("check", "metrics", page=service.get("/metrics").text)
        embedded.store(("d", "enter", now))
        (tmp_path / "observe").mkdir()
        ask = stack.enter_context(prometheus(
            tmp_path / "observe", [f"127.0.0.1:{service.port}" for service in services]))
        wait_until(lambda: len(ask('up{job="dwell"} == 1')) == len(services), seconds=60)
        for n in range(5):
            events = [post_event(f"d{n}", "enter", now + n), post_event(f"d{n}", "exit", now + n + 1)]
            assert roles["serve"].post(events).status == 201
            embedded.store((f"d{n}", "enter", now + n))
            wait_until(lambda: len(roles["serve"].timeline(f"d{n}")) == 2, seconds=60)
        waiting = {}

        def all_answer():
            waiting.clear()
            waiting.update((where, expression) for where, expression, may_be_empty in expressions()
                           if not ask(expression) and not may_be_empty)
            return not waiting

        wait_until(all_answer, seconds=60, what=waiting)
        for service in services:
            promtool("check", "metrics", page=service.get("/metrics").text)
        firing = ask('ALERTS{alertstate="firing"}')
        assert not firing, firing
