"""The table of metrics in docs/operations.md is what each process shows, both ways round."""
import pathlib
import re
import time

import pytest

from dwell_service import Service, post_event, wait_until
from dwell_system import system
from prometheus_text import split

DOCS = pathlib.Path(__file__).parents[2] / "docs" / "operations.md"
STAGES = {"embedded": ["embedded"], "clean": ["clean", "hop"], "store": ["store", "devices"],
          "serve": ["serve"]}


def rows():
    """(name, labels, stages) of each row of the table."""
    table = DOCS.read_text().split("\n## Metrics\n")[1].split("\n## ")[0]
    for name, labels, stages in re.findall(r"^\| `(\w+)(?:\{([\w,]*)\})?` \| ([\w, ]+) \|", table, re.M):
        yield name, set(filter(None, labels.split(","))), stages.split(", ")


def shown(page):
    """{name: [labels]} of a page of metrics; those of a histogram under its own name."""
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)", page, re.M))
    found = {}
    for line in page.splitlines():
        if line.startswith("#"):
            continue
        name, labels = split(line.rsplit(" ", 1)[0])
        base = re.sub("_(bucket|sum|count)$", "", name)
        found.setdefault(base if kinds.get(base) == "histogram" else name, []).append(
            {label.split("=")[0]: label.split('"')[1] for label in labels
             if not label.startswith("le=")})
    return found


def check(page, process):
    """Against the table, whose labels are all that there are."""
    found = shown(page)
    told = {name: (labels, stages) for name, labels, stages in rows()}
    own = {name for name, (_, stages) in told.items()
           if stages == ["all"] or set(stages) & set(STAGES[process])}
    assert set(found) == own
    for name, samples in found.items():
        labels, stages = told[name]
        assert all(set(sample) == labels for sample in samples), (name, samples)
        if "stage" in labels:
            assert {sample["stage"] for sample in samples} == set(stages) & set(STAGES[process]), name


def test_of_the_embedded_service(tmp_path):
    with Service(tmp_path).start() as service:
        service.store(("d", "enter", int(time.time() * 1_000)))
        service.metrics()  # a request that is counted
        check(service.get("/metrics").text, "embedded")


@pytest.mark.parametrize("role", ["clean", "store", "serve"])
def test_of_a_role(role, topics, database, tmp_path):
    from test_database_stalls import produce
    service = system(tmp_path, topics, database.url, command=role)
    with service.start() as service:
        wait_until(lambda: service.get("/readyz").status == 200, seconds=60)
        if role == "store":
            produce(topics, 1)
        if role == "serve":
            assert service.post([post_event("d", "enter", int(time.time() * 1_000))]).status == 201
            assert service.timeline("d") == []
        if role != "serve":
            lag = "dwell_consumer_lag_records"
            wait_until(lambda: lag in shown(service.get("/metrics").text), seconds=60)
        check(service.get("/metrics").text, role)
