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
    ("[1]\n", "the record is an array, and one record is one event: [1]"),
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


def days(*numbers, device="a", first="device_enter"):
    """One event a day, of alternating types, at 12:00 of these days of July 2025."""
    other = "device_exit" if first == "device_enter" else "device_enter"
    return "".join(enter(device, event_type=(first, other)[i % 2],
                         timestamp=f"2025-07-{day:02}T12:00:00Z") for i, day in enumerate(numbers))


def test_late_events_that_are_rows_already_are_no_failure(dwell):
    dwell.write("in.ndjson", days(*range(1, 29)))
    dwell.run("replay", "in.ndjson", "--order-horizon", "12h")
    # A second copy under another name; the first days are behind the window.
    dwell.write("copy.ndjson", days(1, 2, 3))
    said = dwell.run("replay", "copy.ndjson").out
    assert "too_late: 3 events, 3 of them rows already" in said
    assert dwell.run("rejects", "--json").out == ""
    report = dwell.run("replay", "copy.ndjson", "--json").json
    assert report["run"]["records"] == 0 and report["database"]["knownLate"] == 3


def test_late_events_say_which_window_they_would_need(dwell):
    dwell.write("in.ndjson", days(*range(4, 29)))
    dwell.run("replay", "in.ndjson", "--order-horizon", "12h")
    dwell.write("late.ndjson", days(1, 2, first="device_exit"))
    failed = dwell.run("replay", "late.ndjson", status=1)
    assert "too_late: 2 events; a database made anew with order.horizon = 27d takes all" in failed.out
    # So it does.
    for name in ("in", "late"):
        dwell.run("replay", f"{name}.ndjson", "--db", "new.db", "--order-horizon", "27d")
    assert dwell.totals("new.db")["too_late"] == 0


def test_a_clock_that_jumped_is_named(dwell):
    ahead = [enter("a", event_type=f"device_{kind}", timestamp=f"2025-09-01T{clock}Z")
             for kind, clock in (("exit", "12:00:00"), ("enter", "12:00:05"))]
    dwell.write("in.ndjson", days(1) + "".join(ahead) + days(1, 2, first="device_exit"))
    said = dwell.run("replay", "in.ndjson").out
    assert ("device a: its times went from 2025-07-01T12:00:00Z to 2025-09-01T12:00:00Z, more than "
            "order.horizon") in said


def test_events_out_of_order_are_told_in_arrival_order(dwell):
    dwell.write("in.ndjson", days(3) + days(1, first="device_exit") + days(4))
    said = dwell.run("replay", "in.ndjson", "--order", "arrival").out
    assert "late: 1 accepted events are older than the last one" in said
    assert "order.mode = event_time puts them" in said
    assert dwell.run("replay", "in.ndjson", "--order", "arrival", "--json").json[
        "database"]["late"] == 1


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
