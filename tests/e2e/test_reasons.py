"""What Dwell says of records that it cannot use."""

import json

import pytest

from dwell_cli import Dwell

BASE = "2025-07-08T12:00:00Z"


@pytest.fixture
def dwell(tmp_path):
    return Dwell(tmp_path)


def line(**members):
    return json.dumps(members) + "\n"


def enter(device="a", **members):
    return line(**{"device_id": device, "event_type": "device_enter", "timestamp": BASE, **members})


@pytest.mark.parametrize("record, detail", [
    ("[1]\n", "the record is no JSON object: [1]"),
    (line(device_id="a", timestamp=BASE),
     "event_type is missing: looked for /event_type, /eventType"),
    (enter(device_id=None), "device_id null is neither a text nor a whole number without sign"),
    (enter(timestamp="2025-07-08"), 'timestamp "2025-07-08" names a day and no time of day'),
    (enter(timestamp="2025-07-08T12:00:00"),
     'timestamp "2025-07-08T12:00:00" names no time zone, such as Z or +02:00; input.time_zone gives it one'),
    (enter(timestamp=946684800000), "timestamp 946684800000 lies between 2010-01-01 and 2100 "
                                    "neither as s nor as ms, us or ns"),
    (enter(timestamp=3), "timestamp 3 is before clock.earliest, 2010-01-01T00:00:00Z"),
], ids=["array", "no-type", "null-id", "day", "no-zone", "between", "early"])
def test_a_rejected_record_says_why(dwell, record, detail):
    dwell.write("in.ndjson", enter("good") + "\n" + record)
    dwell.run("replay", "in.ndjson")
    (shown,) = dwell.run("rejects", "--json").json_lines
    assert shown["detail"] == detail and shown["line"] == 3
    table = dwell.run("rejects", COLUMNS="250").out
    assert "in.ndjson:3" in table and detail.split(":")[0] in table


def test_records_that_a_limit_refuses_say_which(dwell):
    dwell.write("in.ndjson", enter("good") + enter("ahead", timestamp="2999-01-01T00:00:00Z")
                + enter("behind", timestamp="2015-01-01T00:00:00Z"))
    dwell.run("replay", "in.ndjson", "--clock-max-behind", "3000d")
    ahead, behind = dwell.run("rejects", "--json").json_lines
    assert ahead["detail"].startswith("timestamp 2999-01-01T00:00:00Z is more than clock.max_ahead")
    assert behind["detail"].startswith("timestamp 2015-01-01T00:00:00Z is more than clock.max_beh")
    (only,) = dwell.run("rejects", "--json", "--device", "behind").json_lines
    assert only["id"] == behind["id"] and only["deviceID"] == "behind"
    assert dwell.run("rejects", "--json", "--device", "other").out == ""


def test_a_late_record_says_so(dwell):
    dwell.write("in.ndjson", enter("a") + enter("a", timestamp="2025-07-08T12:00:01Z")
                + enter("a", timestamp="2025-07-01T12:00:00Z"))
    dwell.run("replay", "in.ndjson", "--order", "event_time")
    (late,) = dwell.run("rejects", "--json").json_lines
    assert late["reason"] == "too_late" and "order.horizon" in late["detail"]


def test_a_file_that_changed_has_no_lines(dwell):
    dwell.write("in.ndjson", enter("good") + "[1]\n")
    dwell.run("replay", "in.ndjson")
    dwell.write("in.ndjson", "x" * 500)
    (shown,) = dwell.run("rejects", "--json").json_lines
    assert "line" not in shown
    (dwell.folder / "in.ndjson").unlink()
    (shown,) = dwell.run("rejects", "--json").json_lines
    assert "line" not in shown
    assert "in.ndjson@" in dwell.run("rejects", COLUMNS="250").out


def test_a_record_that_would_be_taken_now_says_so(dwell):
    dwell.write("in.ndjson", enter("good") + enter("old", timestamp="2009-01-01T00:00:00Z"))
    dwell.run("replay", "in.ndjson")
    dwell.write("empty.ndjson", "")
    dwell.run("replay", "empty.ndjson", "--clock-earliest", "2000-01-01")
    (shown,) = dwell.run("rejects", "--json").json_lines
    assert shown["detail"] == "under the settings of now it would be taken"


def test_a_run_in_vain_fails_and_shows_the_first_record(dwell):
    dwell.write("in.ndjson", enter(timestamp="today") + "[1]\n")
    failed = dwell.run("replay", "in.ndjson", status=1)
    assert ('none of 2 records could be used; the first rejected one, in.ndjson:1: '
            'invalid_timestamp: timestamp "today" is no RFC 3339 time and no number') in failed.err
    assert "records read" in failed.out
    # Nothing new is no failure.
    dwell.run("replay", "in.ndjson")
    dwell.write("in.ndjson", enter(timestamp="today") + "[1]\n" + enter())
    dwell.run("replay", "in.ndjson")


def test_other_types_alone_are_in_vain_too(dwell):
    dwell.write("in.ndjson", enter(event_type="connected"))
    failed = dwell.run("replay", "in.ndjson", "--json", status=1)
    assert 'such as "connected"; Dwell reads device_enter and device_exit' in failed.err
    assert json.loads(failed.out)["run"]["records"] == 1
    # Beside a usable one they are as they should be.
    dwell.write("more.ndjson", enter(event_type="connected") + enter())
    dwell.run("replay", "more.ndjson")


def test_repeats_are_of_use(dwell):
    dwell.write("in.ndjson", enter())
    dwell.run("replay", "in.ndjson")
    dwell.write("again.ndjson", enter())
    dwell.run("replay", "again.ndjson")


def test_types_that_look_like_ours_are_pointed_out(dwell):
    dwell.write("in.ndjson", enter() + "".join(
        enter(event_type=kind) for kind in ("DEVICE_ENTER", "Device-Exit", "device enter",
                                            "heartbeat", "enter")))
    out = dwell.run("replay", "in.ndjson").out
    for kind, like in (("DEVICE_ENTER", "device_enter"), ("Device-Exit", "device_exit")):
        assert f'"{kind}" looks like {like}, but is another type: 1 ignored' in out
    assert "heartbeat\" looks" not in out and '"enter" looks' not in out


@pytest.mark.parametrize("words, said", [
    (["repaly", "x"], "argument 1 is no command; did you mean replay?"),
    (["topics", "crate"], "argument 2 is no command; did you mean create?"),
    (["hunter2"], "argument 1 is no command\n"),
    ([], "a command is missing\n"),
])
def test_a_mistyped_command_is_told_its_neighbour(dwell, words, said):
    failed = dwell.run(*words, status=2)
    assert said in failed.err and "hunter2" not in failed.err
