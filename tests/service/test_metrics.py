"""/metrics: what is counted, and that it adds up."""

import json
import re
import sqlite3

from dwell_cli import event
from dwell_service import post_event, wait_until

BASE = 1_751_932_800_000


def family(metrics, name):
    """{labels: value} of one metric."""
    return {labels: value for key, value in metrics.items()
            for base, labels in [(key + "{").split("{", 1)] if base == name}


def requests(service):
    found = {}
    for labels, value in family(service.metrics(), "dwell_http_requests_total").items():
        route, = re.findall(r'route="([^"]*)"', labels)
        status, = re.findall(r'status="([^"]*)"', labels)
        found[route, status] = value
    return found


def outcomes(metrics):
    return {re.search(r'outcome="(.*?)"', labels)[1]: value
            for labels, value in family(metrics, "dwell_records_total").items()}


def test_the_text_format(shared):
    reply = shared.get("/metrics")
    assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    sample = re.compile(r'[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+-]+(Inf)?')
    for line in reply.text.splitlines():
        assert line.startswith(("# HELP ", "# TYPE ")) or sample.fullmatch(line), line
    for name in re.findall(r"^# TYPE (\w+)", reply.text, re.M):
        assert f"# HELP {name} " in reply.text


def test_outcomes_batches_devices_and_commit_latency_add_up(serving, tmp_path):
    """Of file and POST together, each record exactly once."""
    lines = [event("file", ("enter", "exit")[n % 2], BASE + n) for n in range(100)]
    lines += [b"garbage\n", event("", "enter", BASE), event("file", "wave", BASE)]
    (tmp_path / "in.ndjson").write_bytes(b"".join(lines))
    service = serving("--from", "in.ndjson")
    posts = 10
    for n in range(posts):
        service.store((f"cam-{n}", "enter", BASE), (f"cam-{n}", "enter", BASE),
                      (f"cam-{n}", "enter", BASE + 1), (f"cam-{n}", "heartbeat", BASE))
    service.post([post_event("cam", "enter", "no time")])  # never reaches the rule
    wait_until(lambda: sum(outcomes(service.metrics()).values()) >= 40 + 103)
    metrics = service.metrics()
    counted = outcomes(metrics)
    assert {name: value for name, value in counted.items() if value} == {
        "accepted": 100 + posts, "duplicate": posts, "repeated_enter": posts,
        "ignored": posts + 1, "malformed": 1, "invalid_device_id": 1}
    assert metrics["dwell_devices"] == posts + 1
    batches = metrics["dwell_batches_total"]
    assert posts <= batches <= posts + 10
    assert metrics["dwell_commit_seconds_count"] == batches
    assert metrics["dwell_commit_seconds_sum"] > 0
    assert metrics['dwell_commit_seconds_bucket{le="+Inf"}'] == batches
    assert metrics["dwell_commit_failures_total"] == metrics["dwell_input_gaps_total"] == 0
    buckets = [value for name, value in metrics.items()
               if name.startswith("dwell_commit_seconds_bucket")]
    assert buckets == sorted(buckets) and len(buckets) > 5
    assert service.dwell.totals()["accepted"] == counted["accepted"]


def test_http_by_route_and_status_adds_up(service):
    before = requests(service)
    asked = [("GET", "/timeline/a", "/timeline/{device}", 200),
             ("HEAD", "/timeline/b%2Fc", "/timeline/{device}", 200),
             ("GET", "/timeline/a?limit=x", "/timeline/{device}", 400),
             ("DELETE", "/timeline/a", "/timeline/{device}", 405),
             ("OPTIONS", "/timeline/a", "/timeline/{device}", 204),
             ("GET", "/devices/a", "/devices/{device}", 404),
             ("GET", "/presence", "/presence", 200), ("GET", "/health", "/health", 200),
             ("GET", "/secret-of-somebody", "none", 404), ("GET", "/%", "none", 400),
             ("GET", "/" + "x" * 9_000, "none", 414)]
    for _ in range(3):
        for method, target, _, status in asked:
            assert service.request(method, target).status == status
        assert service.post([]).status == 201
        assert service.post("[").status == 400
    with service.wire() as wire:
        wire.send(b"\0\0\r\n\r\n").raw()
    after = requests(service)
    for key in {(route, str(status)) for _, _, route, status in asked}:
        count = 3 * sum(key == (route, str(status)) for _, _, route, status in asked)
        count += key == ("none", "400")
        assert after[key] - before.get(key, 0) == count, key
    assert after["/timeline", "201"] == after["/timeline", "400"] == 3
    metrics = service.metrics()
    totals = requests(service)
    assert not any("secret" in name for name in metrics)  # routes, not targets: a bounded set
    timed = family(metrics, "dwell_http_request_seconds_count")
    for labels, count in timed.items():
        route = re.search(r'route="(.*?)"', labels)[1]
        assert count == sum(v for (r, _), v in totals.items() if r == route) - (
            route == "/metrics"), route


def test_failed_commits_are_counted_and_the_reason_stands_in_readyz(serving, tmp_path):
    service = serving()
    service.store(("cam", "enter", BASE))
    other = sqlite3.connect(tmp_path / "dwell.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert service.post([post_event("cam", "exit", BASE + 1)]).status == 503
    ready = service.get("/readyz")
    assert ready.status == 503 and ready.json["ready"] is False
    assert "locked" in " ".join(ready.json["reasons"]), ready
    assert service.metrics()["dwell_commit_failures_total"] >= 1
    assert service.get("/livez").json == {"live": True}
    other.execute("ROLLBACK")
    other.close()
    service.wait_ready()
    # The refused event was kept and is committed by then; sent again it is known.
    assert json.loads(service.post([post_event("cam", "exit", BASE + 1)]).body)["outcomes"] in (
        ["duplicate"], ["accepted"])
    assert len(service.timeline("cam")) == 2
