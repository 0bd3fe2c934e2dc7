"""Answers of GET /timeline, in each format, replayed into another database: the same stays."""

import random

import pytest

from dwell_cli import Dwell
from dwell_service import path_of, wait_until

BASE = 1_751_932_800_000
FORMATS = {"application/json": "export.json", "application/x-ndjson": "export.ndjson",
           "text/csv": "export.csv"}


def merged(rows):
    """Rows without those of the same type as the one before them."""
    return [row for n, row in enumerate(rows) if n == 0 or row[0] != rows[n - 1][0]]


@pytest.mark.parametrize("order", ["arrival", "event_time"])
def test_an_export_is_read_to_the_same_rows(serving, tmp_path, order):
    rng = random.Random(3)
    device = 'cam "1", 2'
    service = serving("--order", order)
    service.store(*((device, rng.choice(["enter", "exit"]), BASE + 1000 * second)
                    for second in rng.sample(range(5_000), 500)))
    rows = service.timeline(device)
    assert (rows == merged(rows)) == (order == "event_time")
    for accept, name in FORMATS.items():
        answer = service.get(path_of(device), Accept=accept).text
        folder = tmp_path / name.rpartition(".")[2]
        folder.mkdir()
        other = Dwell(folder)
        other.write(name, answer)
        told = other.run("replay", name, "--order", order, "--json")
        assert told.json["database"]["outcomes"]["malformed"] == 0
        assert "missing" not in told.err
        found = other.run("timeline", device, "--json").json["events"]
        assert [(event["eventType"].removeprefix("device_"), event["timestamp"])
                for event in found] == merged(rows)
        cut = answer.rstrip()[:-2] if accept == "application/json" else \
            answer[:answer.rstrip().rindex("\n") + 1]
        other.write("cut-" + name, cut)
        assert "is missing at its end" in other.run("replay", "cut-" + name, "--db", "cut.db",
                                                    "--order", order).err


def test_the_last_event_of_a_complete_file_arrives(serving, tmp_path):
    line = '{"device_id":"cam","event_type":"device_%s","timestamp":%d}'
    log = tmp_path / "events.log"
    log.write_text(line % ("enter", BASE) + "\n" + line % ("exit", BASE + 1000))
    service = serving("--from", "events.log")
    wait_until(lambda: len(service.timeline("cam")) == 2)
    with open(log, "a") as file:
        file.write("\n" + line % ("enter", BASE + 2000) + "\n")
    wait_until(lambda: len(service.timeline("cam")) == 3)
    assert not [name for name, value in service.metrics().items()
                if "malformed" in name and value > 0]
