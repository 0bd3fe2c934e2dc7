"""`dwell rejects` keeps what was refused, and `dwell generate` makes input to try it on."""

import base64
import collections
import json
import re

import pytest

from dwell_cli import event
from presence_model import LATEST, Model, Rule

BASE = 1_751_932_800_000  # 2025-07-08
RECORDS = {
    "malformed": b"\xff\x00\x01 \x1b[31m\"\\ binary\r",
    "invalid_device_id": b'{"event_type":"device_enter","device_id":"","timestamp":1}',
    "invalid_timestamp": b'{"event_type":"device_enter","device_id":"a","timestamp":"x"}',
    "future_timestamp": b'{"event_type":"device_enter","device_id":"a","timestamp":%d}' % LATEST,
    "past_timestamp": b'{"event_type":"device_enter","device_id":"a","timestamp":1}',
    "too_large": b'{"event_type":"device_enter","device_id":"a","padding":"' + b"x" * 2000 + b'"}',
}


@pytest.fixture
def refused(dwell):
    """One record of each reason, with a good line between them."""
    good = event("cam", "enter", BASE)
    content = good.join(record + b"\n" for record in RECORDS.values())
    dwell.write("in.ndjson", content)
    dwell.run("replay", "in.ndjson", "--clock-max-behind", "3000d", "--input-max-record", "1KiB")
    return dwell, content


def test_reason_position_and_bytes(refused):
    dwell, content = refused
    lines = dwell.run("rejects", "--json").json_lines
    assert [line["reason"] for line in lines] == list(RECORDS)
    for line, record in zip(lines, RECORDS.values()):
        assert content[line["offset"]:].startswith(record)
        assert line["source"] == str(dwell.folder / "in.ndjson")
        assert base64.b64decode(line["bytes"], validate=True) == record[:1024]
        assert dwell.run("rejects", "--id", str(line["id"])).raw == record[:1024]
        assert line.get("truncatedFrom") == (len(record) if len(record) > 1024 else None)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", line["received"])


def test_every_byte_survives(dwell):
    """All 256 values but the newline that ends a record, and every length for base64's padding."""
    whole = bytes(b for b in range(256) if b != 10)
    records = [whole, whole[::-1], *(b"?" * n for n in range(1, 9)), b"{}"]
    dwell.write("in.ndjson", b"\n".join(records))
    dwell.run("replay", "in.ndjson", status=1)
    assert [found for _, _, found in dwell.rejects()] == records
    for number, record in enumerate(records, 1):
        assert dwell.run("rejects", "--id", str(number)).raw == record


def test_the_table_is_safe_to_print(refused):
    """Binary garbage must not reach the terminal: no control characters, one line each."""
    dwell, _ = refused
    text = dwell.run("rejects").raw.decode("utf-8")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)
    lines = text.splitlines()
    assert len(lines) == len(RECORDS) + 2 and r"\xff\x00\x01 \x1b[31m" in lines[1]
    assert "in.ndjson:1" in lines[1] and "6 shown of 6 held" in lines[-1]


def test_filters(refused):
    dwell, _ = refused
    for reason in RECORDS:
        lines = dwell.run("rejects", "--json", "--reason", reason).json_lines
        assert [line["reason"] for line in lines] == [reason]
    assert dwell.run("rejects", "--json", "--reason", "too_late").raw == b""
    assert len(dwell.run("rejects", "--json", "--limit", "2").json_lines) == 2
    assert dwell.run("rejects", "--limit", "0").out.startswith("0 shown of 6 held")
    assert "no_reason" in dwell.run("rejects", "--reason", "no_reason", status=2).err
    assert "99" in dwell.run("rejects", "--id", "99", status=1).err
    dwell.run("rejects", "--limit", "-1", status=2)


def test_more_than_a_page(dwell):
    dwell.write("in.ndjson", b"".join(b"bad %d\n" % n for n in range(2_500)))
    dwell.run("replay", "in.ndjson", status=1)
    lines = dwell.run("rejects", "--json", "--limit", "2300").json_lines
    assert [line["id"] for line in lines] == list(range(1, 2_301))


def test_bounded_by_size(dwell):
    """A record counts as its bytes and 128 more; the oldest go first and are counted."""
    dwell.write("in.ndjson", b"".join(b"%099d!\n" % n for n in range(1, 101)))
    report = dwell.run("replay", "in.ndjson", "--rejects-max-bytes", str(228 * 10 + 227), "--json",
                       "--batch-records", "7", status=1).json["database"]
    assert (report["rejectsKept"], report["rejectsDropped"]) == (10, 90)
    assert report["outcomes"]["malformed"] == 100
    assert [int(found[:99]) for _, _, found in dwell.rejects()] == list(range(91, 101))
    assert "10 held; 90 removed" in dwell.run("rejects").out


def test_bounded_by_age(dwell):
    """What is older than rejects.max_age goes when the next rejected record comes."""
    dwell.write("old.ndjson", b"old\n")
    dwell.run("replay", "old.ndjson", status=1)
    dwell.write("new.ndjson", b"new\n")
    dwell.run("replay", "new.ndjson", "--rejects-max-age", "30d", status=1)
    assert [found for _, _, found in dwell.rejects()] == [b"old", b"new"]
    dwell.query_and_commit("UPDATE reject SET received = received - 86400000 WHERE bytes = x'6f6c64'")
    dwell.write("newer.ndjson", b"newer\n")
    dwell.run("replay", "newer.ndjson", "--rejects-max-age", "23h", status=1)
    assert [found for _, _, found in dwell.rejects()] == [b"new", b"newer"]
    assert dwell.totals()["rejects_dropped"] == 1


def test_generate_is_seeded(dwell):
    flags = ("--events", "2000", "--garbage", "5", "--disorder", "5", "--redelivery", "5",
             "--skew", "1s")
    first = dwell.run("generate", *flags, "--seed", "3").raw
    assert first == dwell.run("generate", *flags, "--seed", "3").raw
    assert first != dwell.run("generate", *flags, "--seed", "4").raw


def usable(raw):
    events = []
    for line in raw.split(b"\n"):
        try:
            event = json.loads(line)
            events.append((event["device_id"], event["event_type"], int(event["timestamp"])))
        except (ValueError, TypeError, KeyError):
            pass
    return events


def test_generate_plain(dwell):
    """No shares: in order, evenly spaced, every event a change."""
    events = usable(dwell.run("generate", "--events", "1000", "--devices", "10", "--repeats", "0",
                              "--heartbeats", "0", "--rate", "4",
                              "--start", "2025-01-01T00:00:00Z").raw)
    assert [time for *_, time in events] == [1_735_689_600_000 + n * 250 for n in range(1000)]
    assert len({device for device, *_ in events}) == 10
    dwell.write("in.ndjson", dwell.run("generate", "--repeats", "0", "--heartbeats", "0").raw)
    assert dwell.run("replay", "in.ndjson", "--json").json["run"]["outcomes"]["accepted"] == 10_000


def test_generate_shares(dwell):
    """20,000 events: each share is within a fifth of what was asked for."""
    count = 20_000
    raw = dwell.run("generate", "--events", str(count), "--repeats", "10", "--heartbeats", "8",
                    "--disorder", "6", "--redelivery", "4", "--garbage", "5", "--rate", "100",
                    "--delay", "10s").raw
    events = usable(raw)
    lines = raw.count(b"\n")
    model = Model(Rule(now=BASE * 2)).fold_file(raw)

    def is_about(found, percent, of=count):
        assert 0.8 * percent <= 100 * found / of <= 1.2 * percent, (found, of, percent)

    is_about(lines - count, 4)
    is_about(len(model.rejects), 5, of=lines)
    is_about(model.outcomes["ignored"], 8 * 0.95, of=lines)
    newest, late = 0, 0
    for *_, time in events:
        late += time < newest
        newest = max(newest, time)
    is_about(late, 10, of=len(events))  # the late ones and the second copies
    repeats = usable(dwell.run("generate", "--events", str(count), "--repeats", "10",
                               "--heartbeats", "0").raw)
    assert len(repeats) == count
    last, repeated = collections.defaultdict(lambda: "device_exit"), 0
    for device, kind, _ in repeats:
        repeated += last[device] == kind
        last[device] = kind
    is_about(repeated, 10)


def test_generate_skew_is_constant_for_a_device(dwell):
    """Each device's clock is off by its own amount, also beyond what 32 bits of ms hold."""
    flags = ("generate", "--events", "2000", "--devices", "20", "--heartbeats", "0", "--repeats",
             "0")
    exact = usable(dwell.run(*flags).raw)
    for skew, most in (("3s", 3_000), ("100d", 8_640_000_000)):
        skewed = usable(dwell.run(*flags, "--skew", skew).raw)
        offsets = collections.defaultdict(set)
        for number, (device, _, time) in enumerate(skewed):
            offsets[device].add(time - exact[number][2])
        assert all(len(of_device) == 1 for of_device in offsets.values())
        largest = max(abs(offset) for of_device in offsets.values() for offset in of_device)
        assert most / 2 < largest <= most


@pytest.mark.parametrize("flag, value", [
    ("--events", "-5"), ("--events", "1.5"), ("--events", "many"), ("--rate", "nan"),
    ("--rate", "0"), ("--rate", "-1"), ("--garbage", "101"), ("--repeats", "-1"), ("--devices", "0"),
    ("--start", "today"), ("--delay", "-1s"), ("--skew", "10"), ("--seed", "-1")])
def test_generate_refuses(dwell, flag, value):
    """-5 once became 18 quintillion events."""
    answer = dwell.run("generate", flag, value, status=2)
    assert flag in answer.err and answer.raw == b""
