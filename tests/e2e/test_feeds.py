"""Feeds as public threads report them, read without any setting."""

import datetime
import json
import sqlite3

import pytest

from dwell_cli import Dwell

ENTER, EXIT = "device_enter", "device_exit"


@pytest.fixture
def dwell(tmp_path):
    return Dwell(tmp_path)


def record(device, kind, time):
    return json.dumps({"device_id": device, "event_type": kind, "timestamp": time})


def outcomes(dwell, name, *flags, status=0):
    answer = dwell.run("replay", name, "--json", *flags, status=status)
    return answer.json["database"]["outcomes"]


def rows(dwell, *lines, flags=(), status=0):
    """[(device, type, time)] as the timeline shows them, and the counts of replay."""
    dwell.write("in.ndjson", "".join(line + "\n" for line in lines))
    counts = outcomes(dwell, "in.ndjson", *flags, status=status)
    found = [(row.device, row.type, row.timestamp) for row in dwell.rows()]
    return found, {name: count for name, count in counts.items() if count}


def test_seconds(dwell):
    found, _ = rows(dwell, record("desk-17", ENTER, 1751957694), record("desk-17", EXIT, 1751961294))
    assert found == [("desk-17", ENTER, 1751957694000), ("desk-17", EXIT, 1751961294000)]


def test_one_of_three_in_seconds(dwell):
    found, _ = rows(dwell, record("desk-18", ENTER, 1751957694000),
                    record("desk-18", EXIT, 1751961294), record("desk-18", ENTER, 1751964894000))
    assert found == [("desk-18", ENTER, 1751957694000), ("desk-18", EXIT, 1751961294000),
                     ("desk-18", ENTER, 1751964894000)]


def test_micro_and_nanoseconds(dwell):
    found, _ = rows(dwell, record("us", ENTER, 1751957694612345),
                    record("ns", ENTER, 1751957694612345678))
    assert found == [("ns", ENTER, 1751957694612), ("us", ENTER, 1751957694612)]


def test_numbers_in_float_syntax(dwell):
    line = '{"device_id":"gate-%d","event_type":"device_enter","timestamp":%s}'
    found, _ = rows(dwell, line % (1, "1.751957694612E12"), line % (2, "1751957694612.0"),
                    line % (3, "1751957694.612"), line % (4, '"1751957694.612"'))
    assert found == [(f"gate-{i}", ENTER, 1751957694612) for i in range(1, 5)]


def test_texts_near_to_rfc_3339(dwell):
    found, _ = rows(dwell, record("van-3", ENTER, "2025-07-08T10:00:00.000+0000"),
                    record("van-3", EXIT, "2025-07-08T12:00:00+0200"),
                    record("van-3", ENTER, "2025-07-08T13:00:00+02"),
                    record("therm-5", ENTER, "2025-07-08T06:54:54.4383997Z"),
                    record("therm-5", EXIT, "2025-07-08 06:54:54.5Z"))
    assert found == [("therm-5", ENTER, 1751957694438), ("therm-5", EXIT, 1751957694500),
                     ("van-3", ENTER, 1751968800000), ("van-3", EXIT, 1751968800000),
                     ("van-3", ENTER, 1751972400000)]


@pytest.mark.parametrize("time", [
    "2025-10-26T02:30:00", "2025-07-08T12:00", "08.07.2025 12:00:00", "2025-07-08",
    "2025-07-08T24:00:00Z", "2016-12-31T23:59:60Z", "20250708T120000Z", "2025-07-08T12:00:00,750Z",
    "2025-07-08T12:00Z", 946684800000, None, True])
def test_what_is_no_time_is_refused(dwell, time):
    found, counts = rows(dwell, record("q1", ENTER, time), status=1)
    assert found == [] and counts == {"invalid_timestamp": 1}


@pytest.mark.parametrize("time, why", [
    ("2025-10-26T02:30:00", "names no time zone"), ("2025-07-08T12:00", "has no seconds"),
    ("2025-07-08", "no time of day"), ("08.07.2025 12:00:00", "is no RFC 3339 time"),
    ("20250708T120000Z", "is no RFC 3339 time"), (946684800000, "")])
def test_why_a_time_is_refused(dwell, time, why):
    """What was read, and what is missing in it."""
    rows(dwell, record("q1", ENTER, time), status=1)
    line, = dwell.run("rejects", "--json").json_lines
    assert json.dumps(time) in line["detail"] and why in line["detail"]


def test_local_times_in_a_zone_of_the_settings(dwell):
    found, counts = rows(dwell, record("q1", ENTER, "2025-07-08T12:00:00"),
                         record("q1", EXIT, "2025-07-08 13:00:00.5"),
                         record("q1", ENTER, "2025-07-08T12:30:00Z"),
                         record("q1", EXIT, "2025-10-26T02:30:00"),
                         record("q1", EXIT, "08.07.2025 12:00:00"),
                         flags=["--input-time-zone", "Europe/Berlin"])
    assert [(kind, time) for _, kind, time in found] == [
        (ENTER, at("10:00:00")), (EXIT, at("11:00:00") + 500), (ENTER, at("12:30:00")),
        (EXIT, at("00:30:00", 26, 10))]
    assert counts == {"accepted": 4, "invalid_timestamp": 1}


def test_lines_that_end_in_crlf(dwell):
    found, counts = rows(dwell, record("dock-6", ENTER, 1751957694612) + "\r",
                         record("dock-6", EXIT, 1751961294612) + "\r", "\r")
    assert found == [("dock-6", ENTER, 1751957694612), ("dock-6", EXIT, 1751961294612)]
    assert counts == {"accepted": 2}


def test_types_and_ids_that_are_nearly_right(dwell):
    """Ignored by their types, and told; an id with a space is another one."""
    dwell.write("in.ndjson", "".join(
        record(device, kind, 1751957694612 + n) + "\n" for n, (device, kind) in enumerate([
            ("p1", "DEVICE_ENTER"), ("p1", "Device_Exit"), ("p1", "enter"), ("p1", "device-enter"),
            ("p1", "device_enter "), ("p1 ", ENTER)])))
    said = dwell.run("replay", "in.ndjson").out
    for kind, like in (("DEVICE_ENTER", ENTER), ("Device_Exit", EXIT), ("device-enter", ENTER),
                       ("device_enter ", ENTER)):
        assert f'"{kind}" looks like {like}, but is another type: 1 ignored' in said
    assert '"enter" looks like' not in said
    assert [row.device for row in dwell.rows()] == ["p1 "]


@pytest.mark.parametrize("first", [True, False])
def test_a_clock_that_was_not_set_yet(dwell, first):
    early = record("esp-1", EXIT, "1970-01-01T00:00:03Z")
    lines = [record("esp-1", ENTER, "2025-07-08T09:00:00Z"),
             record("esp-1", EXIT, "2025-07-08T10:00:00Z")]
    found, counts = rows(dwell, *([early, *lines] if first else [lines[0], early, lines[1]]))
    assert found == [("esp-1", ENTER, 1751965200000), ("esp-1", EXIT, 1751968800000)]
    assert counts == {"accepted": 2, "past_timestamp": 1}


def test_spellings_of_members_and_ids(dwell):
    found, _ = rows(
        dwell, '{"deviceID":"lobby","eventType":"device_enter","timestamp":"2025-07-08T12:00:00Z"}',
        '{"deviceId":"env-4","event_type":"device_enter","timestamp":1751957694612}',
        '{"device_id":4711,"event_type":"device_enter","timestamp":1751957694612}')
    assert [device for device, _, _ in found] == ["4711", "env-4", "lobby"]


def test_the_envelope_of_kafka_connect_and_of_our_own_topic(dwell):
    found, _ = rows(dwell, json.dumps({
        "schema": {"type": "struct", "name": "DeviceUpdate", "optional": False,
                   "fields": [{"field": "timestamp", "type": "int64"}]},
        "payload": {"timestamp": 1751932800000, "device_id": "cam-001", "event_type": ENTER}}))
    assert found == [("cam-001", ENTER, 1751932800000)]


def test_five_bytes_of_a_schema_registry(dwell):
    found, _ = rows(dwell, "\0\0\0\7{" + record("dock-8", ENTER, 1751957694612))
    assert found == [("dock-8", ENTER, 1751957694612)]


def test_one_event_far_ahead_of_its_neighbours(dwell):
    """60 days of one device; one event 400 days ahead of the others and still in the past."""
    day, start = 86_400_000, 1_600_000_000_000
    lines = []
    for i in range(60):
        lines += [record("d", ENTER, start + i * day), record("d", EXIT, start + i * day + 3_600_000)]
    lines.insert(8, record("d", ENTER, start + 400 * day))
    found, counts = rows(dwell, *lines)
    assert len(found) == 121 and "too_late" not in counts


def at(clock, day=8, month=7):
    return int(datetime.datetime.fromisoformat(
        f"2025-{month:02}-{day:02}T{clock}+00:00").timestamp() * 1000)


def test_an_enter_behind_the_exit_that_followed_it(dwell):
    found, _ = rows(dwell, record("tablet-2", ENTER, at("09:00:00")),
                    record("tablet-2", EXIT, at("10:00:00")), record("tablet-2", EXIT, at("10:00:06")),
                    record("tablet-2", ENTER, at("10:00:05")))
    assert [(kind, time) for _, kind, time in found] == [
        (ENTER, at("09:00:00")), (EXIT, at("10:00:00")), (ENTER, at("10:00:05")),
        (EXIT, at("10:00:06"))]


def test_an_older_file_behind_a_newer_one(dwell):
    dwell.write("new.ndjson", record("bf-1", ENTER, at("08:00", 1)) + "\n")
    dwell.write("old.ndjson", record("bf-1", ENTER, at("08:00", 1, 6)) + "\n"
                + record("bf-1", EXIT, at("17:00", 1, 6)) + "\n")
    dwell.write("live.ndjson", record("bf-1", EXIT, at("17:00", 1)) + "\n")
    for name in ("new", "old", "live"):
        outcomes(dwell, f"{name}.ndjson")
    assert [(row.type, row.timestamp) for row in dwell.rows()] == [
        (ENTER, at("08:00", 1, 6)), (EXIT, at("17:00", 1, 6)),
        (ENTER, at("08:00", 1)), (EXIT, at("17:00", 1))]


def test_a_redelivery_from_long_ago_is_not_taken_for_news(dwell):
    events = [record("locker-1", (ENTER, EXIT)[i % 2], at("07:00:00") + i * 1000) for i in range(8)]
    found, counts = rows(dwell, *events[:6], events[0], *events[6:])
    assert len(found) == 8 and counts == {"accepted": 8, "duplicate": 1}


def test_a_mended_record_that_is_sent_again_later(dwell):
    mended = record("rd-1", ENTER, at("10:00"))
    found, _ = rows(dwell, record("rd-1", ENTER, at("08:00")), record("rd-1", EXIT, at("09:00")),
                    mended.replace("enter", "???"), record("rd-1", EXIT, at("11:00")), mended,
                    record("rd-1", ENTER, at("12:00")), record("rd-1", EXIT, at("13:00")))
    assert [time for _, _, time in found] == [at(f"{hour:02}:00") for hour in range(8, 14)]


def test_clocks_of_whole_seconds(dwell):
    """One enter and one exit a millisecond, in the order in which they came first."""
    found, _ = rows(dwell, record("t", ENTER, at("08:00:00")), *(
        record("t", kind, at("09:00:00")) for kind in (EXIT, ENTER, EXIT, ENTER)))
    assert [(kind, time) for _, kind, time in found] == [
        (ENTER, at("08:00:00")), (EXIT, at("09:00:00")), (ENTER, at("09:00:00"))]


@pytest.mark.parametrize("order", ["arrival", "event_time"])
def test_an_enter_an_exit_and_an_enter_in_one_second(dwell, order):
    """As docs/formats.md has it: the third cannot be told from a redelivery."""
    found, counts = rows(dwell, record("door", ENTER, "2025-07-08T10:00:05Z"),
                         record("door", EXIT, "2025-07-08T10:00:05Z"),
                         record("door", ENTER, "2025-07-08T10:00:05Z"), flags=("--order", order))
    assert [kind for _, kind, _ in found] == [ENTER, EXIT]
    assert counts == {"accepted": 2, "duplicate": 1}
    assert "0 devices inside" in dwell.run("who", "--at", "2025-07-08T11:00:00Z").out
    assert "inside 0 s in 1 stay" in dwell.run("timeline", "door").out


def test_a_database_made_in_arrival_order_keeps_it(dwell):
    late = [record("a", ENTER, at("09:00")), record("a", EXIT, at("10:00")),
            record("a", EXIT, at("09:30"))]
    dwell.write("none.ndjson", "")
    dwell.run("replay", "none.ndjson", "--order", "arrival")
    _, counts = rows(dwell, *late)
    assert counts == {"accepted": 2, "repeated_exit": 1}
    assert 'order.mode = "arrival"  # database dwell.db' in dwell.run("config").out
    assert 'order.mode = "event_time"  # default' in dwell.run("config", "--db", "other.db").out


def test_a_database_of_an_older_release_reads_times_as_before(dwell):
    dwell.write("none.ndjson", "")
    dwell.run("replay", "none.ndjson")
    # As that release left it.
    dwell.query_and_commit("DELETE FROM meta WHERE name NOT IN ('order', 'file')")
    connection = sqlite3.connect(dwell.folder / "dwell.db")
    connection.execute("DROP TABLE window")
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    found, _ = rows(dwell, record("a", ENTER, 1751957694), record(7, ENTER, "1970-01-01T00:00:03Z"))
    assert found == [("7", ENTER, 3000), ("a", ENTER, 1751957694)]
    shown = dwell.run("config").out
    assert 'input.time_unit = "ms"  # database dwell.db' in shown
    assert 'clock.earliest = "off"  # database dwell.db' in shown
    # One of the two alone cannot be.
    refused = dwell.run("replay", "in.ndjson", "--input-time-unit", "auto", status=2)
    assert "clock.earliest = off" in refused.err and "name the unit" in refused.err
    dwell.write("more.ndjson", record("b", EXIT, 1751957694) + "\n")
    dwell.run("replay", "more.ndjson", "--input-time-unit", "auto", "--clock-earliest", "2010-01-01")
    assert ("b", EXIT, 1751957694000) in [(row.device, row.type, row.timestamp)
                                          for row in dwell.rows()]


def test_a_database_keeps_the_settings_that_decided(dwell):
    stamp = record("a", EXIT, "2025-07-08T12:00:00Z")
    rows(dwell, stamp, flags=["--first-exit", "suppress", "--clock-max-ahead", "off"])
    dwell.write("more.ndjson", record("b", EXIT, "2025-07-08T12:00:00Z") + "\n"
                + record("c", ENTER, "2999-07-08T12:00:00Z") + "\n")
    counts = outcomes(dwell, "more.ndjson")
    assert counts["initial_exit"] == 2 and counts["accepted"] == 1
    shown = dwell.run("config").out
    assert 'first_exit = "suppress"  # database dwell.db' in shown
    assert 'first_exit = "accept"  # flag --first-exit' in dwell.run(
        "config", "--first-exit", "accept").out
    # What is given wins, and is kept.
    dwell.write("last.ndjson", record("d", EXIT, "2025-07-08T12:00:00Z") + "\n")
    counts = outcomes(dwell, "last.ndjson", "--first-exit", "accept")
    assert counts["accepted"] == 2
    assert 'first_exit = "accept"  # database dwell.db' in dwell.run("config").out


def test_a_posted_event_means_the_same_whatever_the_unit_of_the_input(tmp_path):
    from dwell_service import Service
    with Service(tmp_path, "--input-time-unit", "s").start() as service:
        event = {"deviceID": "a", "eventType": ENTER, "timestamp": "2025-07-08T12:00:00.250Z"}
        assert service.post([event]).status == 201
        events = service.get("/timeline/a").json["events"]
        assert [event["timestamp"] for event in events] == ["2025-07-08T12:00:00.250Z"]


DAY = 86_400_000


def gates(dwell, days=20, badges=5):
    """Two files of one badge reader each, which overlap in time."""
    start, into, out = at("07:00:00", 1), [], []
    for day in range(days):
        for badge in range(badges):
            moment = start + day * DAY + badge * 61_000
            into.append(record(f"badge-{badge}", ENTER, moment))
            out.append(record(f"badge-{badge}", EXIT, moment + 8 * 3_600_000))
    dwell.write("in.ndjson", "\n".join(into) + "\n")
    dwell.write("out.ndjson", "\n".join(out) + "\n")
    return 2 * days * badges


@pytest.mark.parametrize("names", [("in", "out"), ("out", "in")])
def test_one_file_a_gate(dwell, names):
    count = gates(dwell)
    report = dwell.run("replay", *(f"{name}.ndjson" for name in names), "--json").json
    assert report["run"]["outcomes"]["too_late"] == 0
    found = [(row.device, row.timestamp) for row in dwell.rows()]
    assert len(found) == count == report["database"]["outcomes"]["accepted"]


def test_one_file_a_gate_in_arrival_order(dwell):
    count = gates(dwell)
    flags = ("in.ndjson", "out.ndjson", "--json", "--order", "arrival")
    as_given = dwell.run("replay", *flags, "--db", "given.db").json
    assert as_given["database"]["rows"] < count
    merged = dwell.run("replay", *flags, "--merge").json
    assert merged["database"]["rows"] == count and merged["database"]["late"] == 0


def test_files_as_given_in_event_time(dwell):
    gates(dwell)
    report = dwell.run("replay", "out.ndjson", "in.ndjson", "--as-given", "--json").json
    assert report["run"]["outcomes"]["too_late"] > 0


def test_what_cannot_be_merged_is_refused(dwell):
    gates(dwell)
    refused = dwell.run("replay", "in.ndjson", "-", status=2)
    assert "standard input cannot be merged" in refused.err
    refused = dwell.run("replay", "in.ndjson", "out.ndjson", "--merge", "--as-given", status=2)
    assert "--merge and --as-given" in refused.err


def test_a_file_that_is_not_sorted_is_told(dwell):
    gates(dwell)
    lines = (dwell.folder / "in.ndjson").read_text().splitlines(True)
    dwell.write("in.ndjson", "".join(lines[::-1]))
    said = dwell.run("replay", "in.ndjson", "out.ndjson").err
    assert "in.ndjson: is not sorted by time: 99 events are older than one before them" in said
