"""The pages hold: their commands, in their order, give the answers that stand below them."""

import csv
import datetime
import json
import re
import subprocess
import zoneinfo

from doc_page import ROOT, examples, page, run_in_one_shell
from dwell_cli import clean_environment
from free_ports import free_ports

API = page("docs/api.md")
ADDRESS = "127.0.0.1:8080"


def test_every_command_of_the_api_is_followed_by_its_answer():
    assert all(example.answer for example in examples(API))
    assert len(examples(API)) == API.count("```sh\n") >= 10


def test_the_examples_of_the_api_are_answered_as_written(service):
    address = f"{service.host}:{service.port}"
    for example in examples(API):
        command = example.command.replace(ADDRESS, address)
        assert address in command
        done = subprocess.run(["sh", "-c", command.replace("curl ", "curl -sS ", 1)], text=True,
                              capture_output=True, timeout=60, env=clean_environment())
        assert done.returncode == 0, done.stderr
        read = json.loads if example.form == "json" else str
        assert read(done.stdout) == read(example.answer), command


def test_the_problems_of_the_page_are_those_of_the_document(service):
    table = API[API.index("| type `urn:dwell:` |"):].splitlines()[2:]
    listed = [kind for line in table for kind in re.findall(r"`([a-z-]+)`", line.split("|")[1])]
    problem = service.get("/openapi.json").json["components"]["schemas"]["Problem"]
    kinds = [name.removeprefix("urn:dwell:") for name in problem["properties"]["type"]["enum"]]
    assert listed == kinds


def assert_answered_as_written(shown, folder):
    """Those with an answer; trailing blanks count for nothing."""
    address = f"127.0.0.1:{free_ports(1)[0]}"
    commands = [example.command.replace(ADDRESS, address) for example in shown]
    outputs = run_in_one_shell(commands, folder, DWELL_HTTP_LISTEN=address)
    for example, output in zip(shown, outputs, strict=True):
        if example.form == "json":
            assert json.loads(output) == json.loads(example.answer), example.command
        elif example.answer is not None:
            assert lines(output) == lines(example.answer), example.command


def lines(text):
    return [line.rstrip() for line in text.strip().splitlines()]


def test_the_tutorial_runs_as_written(tmp_path):
    tutorial = examples(page("docs/tutorial.md"))
    assert sum(example.answer is not None for example in tutorial) >= 8
    assert_answered_as_written(tutorial, tmp_path)


def test_the_tutorial_is_right():
    """Its answer, from its files alone: whose last event by Tuesday, 10:00 in Berlin, is an enter."""
    berlin, samples = zoneinfo.ZoneInfo("Europe/Berlin"), ROOT / "examples" / "tutorial"
    asked = datetime.datetime(2025, 7, 8, 10, tzinfo=berlin)
    events = [(asked.replace(hour=9, minute=10), "b-1009", "in")]  # the mended one
    for row in csv.DictReader((samples / "badges.csv").open(), delimiter=";"):
        if row["time"].startswith("2025-"):
            time = datetime.datetime.fromisoformat(row["time"]).replace(tzinfo=berlin)
            events.append((time, row["badge"], row["direction"]))
    for row in json.loads((samples / "gate.json").read_text()):
        if row["action"] in ("ENTRY", "EXIT"):
            kind = {"ENTRY": "in", "EXIT": "out"}[row["action"]]
            events.append((datetime.datetime.fromisoformat(row["at"]),
                           row["card"]["number"].lower(), kind))
    for row in map(json.loads, (samples / "door.log").read_text().splitlines()):
        events.append((datetime.datetime.fromtimestamp(row["time"], berlin), row["badge"],
                       row["direction"]))
    last = {badge: kind for time, badge, kind in sorted(events) if time <= asked}
    inside = {badge for badge, kind in last.items() if kind == "in"}
    ask = 'dwell who --at "2025-07-08 10:00:00" --tz Europe/Berlin'
    before, after = (example.answer for example in examples(page("docs/tutorial.md"))
                     if ask in example.command)
    shown = set(re.findall(r"^b-\d+", before + after, re.MULTILINE))
    assert shown == inside and f"{len(inside)} devices inside" in after


def test_the_first_feed_of_the_readme_is_answered_as_written(tmp_path):
    shown = [example for example in examples(page("README.md")) if example.answer is not None]
    assert len(shown) == 2
    assert_answered_as_written(shown, tmp_path)
