"""What is stored equals the second model: random histories and every kind of odd record."""

import datetime
import json
import os
import random
import time

import pytest

from dwell_cli import REASONS, assert_stored_as_modelled, event
from presence_model import Model, Rule

BASE = 1_751_932_800_000  # 2025-07-08
SEED = int(os.environ.get("DWELL_TEST_SEED", "20250708"))

# Every line is one decision of the decoder; the model was written from the same text.
ODD_RECORDS = [
    b'not json', b'[1]', b'"text"', b'null', b'{}', b'{', b'{"event_type":"device_enter"',
    b'{"event_type":1,"device_id":"a","timestamp":1}',
    b'{"event_type":null}',
    b'{"event_type":"heartbeat"}',
    b'{"event_type":"heartbeat","device_id":7,"timestamp":"never"}',
    b'{"event_type":"device_enter","timestamp":1}',
    b'{"event_type":"device_enter","device_id":"","timestamp":1}',
    b'{"event_type":"device_enter","device_id":5,"timestamp":1}',
    b'{"event_type":"device_enter","device_id":"a\\u0000b","timestamp":1}',
    b'{"event_type":"device_enter","device_id":"a\\u007fb","timestamp":1}',
    b'{"event_type":"device_enter","device_id":"a\\u009fb","timestamp":1}',
    b'{"event_type":"device_enter","device_id":"\\ud800","timestamp":1}',
    b'{"event_type":"device_enter","device_id":"\\ud83d\\ude00","timestamp":1}',
    b'{"event_type":"device_enter","device_id":"t"}',
    b'{"event_type":"device_enter","device_id":"t","timestamp":null}',
    b'{"event_type":"device_enter","device_id":"t","timestamp":true}',
    b'{"event_type":"device_enter","device_id":"t","timestamp":5.0}',
    b'{"event_type":"device_enter","device_id":"t","timestamp":1e3}',
    b'{"event_type":"device_enter","device_id":"t","timestamp":-1}',
    b'{"event_type":"device_enter","device_id":"t0","timestamp":0}',
    b'{"event_type":"device_enter","device_id":"t","timestamp":253402300800000}',
    b'{"event_type":"device_enter","device_id":"t","timestamp":253402300799999}',
    b'{"event_type":"device_enter","device_id":"t","timestamp":99999999999999999999999}',
    b'{"event_type":"device_enter","device_id":"t","timestamp":"1751932800000"}',
    b'{"event_type":"device_enter","device_id":"t1","timestamp":"2025-07-08T12:00:00Z"}',
    b'{"event_type":"device_enter","device_id":"t2","timestamp":"2025-07-08t12:00:00.1239z"}',
    b'{"event_type":"device_enter","device_id":"t3","timestamp":"2025-07-08T12:00:00.5+02:00"}',
    b'{"event_type":"device_enter","device_id":"t4","timestamp":"2025-07-08T12:00:00-11:30"}',
    b'{"event_type":"device_enter","device_id":"t5","timestamp":"1970-01-01T01:00:00+02:00"}',
    b'{"event_type":"device_enter","device_id":"t6","timestamp":"2024-02-29T00:00:00Z"}',
    b'{"event_type":"device_enter","device_id":"t","timestamp":"2025-02-29T00:00:00Z"}',
    b'{"event_type":"device_enter","device_id":"t","timestamp":"2025-07-08T12:00:60Z"}',
    b'{"event_type":"device_enter","device_id":"t","timestamp":"2025-07-08T24:00:00Z"}',
    b'{"event_type":"device_enter","device_id":"t","timestamp":"2025-07-08T12:00:00"}',
    b'{"event_type":"device_enter","device_id":"t","timestamp":"2025-07-08 12:00:00Z"}',
    b'{"event_type":"device_enter","device_id":"t","timestamp":"2025-07-08T12:00:00+24:00"}',
    b'{"event_type":"device_enter","device_id":"t","timestamp":"2025-07-08T12:00:00.Z"}',
    b'{"event_type":"device_enter","device_id":"t","timestamp":"1969-12-31T23:59:59.999Z"}',
    b'{"event_type":"x","event_type":"device_enter","device_id":"d1","device_id":"d2",'
    b'"timestamp":1,"timestamp":2}',
    b'{"timestamp":3,"more":{"device_id":"no"},"device_id":"d3","list":[1,{}],'
    b'"event_type":"device_exit"}',
    b' \t{"event_type" : "device_enter" , "device_id" : "spaced" , "timestamp" : 1 } ',
    b'{"event_type":"device_\\u0065nter","device_id":"esc\\/aped\\u0041","timestamp":1}',
    b'{"event_type":"device_enter","device_id":"a","timestamp":1} x',
    b'{"event_type":"device_enter","device_id":"a","timestamp":1}{}',
    b'\xff\xfe\x00\x01 not json', b'\x00', b'\xef\xbb\xbf{"event_type":"heartbeat"}',
    b'{"event_type":"device_enter","device_id":"crlf","timestamp":1}\r',
    b'', b'   ', b'\t\r',
    b'{"event_type":"device_enter","device_id":"' + b"i" * 256 + b'","timestamp":1}',
    b'{"event_type":"device_enter","device_id":"' + b"i" * 257 + b'","timestamp":1}',
    '{"event_type":"device_enter","device_id":"日本/ü \' , x","timestamp":1}'.encode(),
    '{"event_type":"wörk","device_id":"a","timestamp":1}'.encode(),
]


def replay_and_compare(dwell, content, *flags, db="dwell.db", **rule):
    """Replays `content` and compares the database with the model of it."""
    path = dwell.write("in.ndjson", content)
    answer = dwell.run("replay", path, "--json", "--db", db, *flags, status=None)
    has_records = bool(content.strip())
    model = Model(Rule(now=dwell.now_of(path, db) if has_records else 0, **rule))
    assert_stored_as_modelled(dwell, model.fold_file(content), db)
    in_vain = (has_records and not set(model.outcomes) - {*REASONS, "ignored"}
               and not model.totals["known_late"])
    assert answer.status == bool(in_vain), answer.err
    return model, answer.json


@pytest.mark.parametrize("number", range(len(ODD_RECORDS)))
def test_one_odd_record(dwell, number):
    """Alone in a file, so that a failure names the record; the line before it says that lines are
    records."""
    replay_and_compare(dwell, b'{"event_type":"heartbeat"}\n' + ODD_RECORDS[number])


@pytest.mark.parametrize("order", ["arrival", "event_time"])
def test_all_odd_records_between_good_ones(dwell, order):
    """A rejected record never blocks or changes those behind it."""
    lines = []
    for number, record in enumerate(ODD_RECORDS):
        lines += [record + b"\n", event("good", ("enter", "exit")[number % 2], BASE + number)]
    model, _ = replay_and_compare(dwell, b"".join(lines), "--order", order, order=order)
    assert sum(row.device == "good" for row in model.rows) == len(ODD_RECORDS)


def random_history(rng, count, devices, span_ms):
    """Few devices and few instants: repeats, redelivery, ties and late events are common."""
    lines = []
    for _ in range(count):
        if lines and rng.random() < 0.1:
            lines.append(rng.choice(lines[-20:]))
            continue
        kind = rng.choice(["enter", "exit", "enter", "exit", "enter", "exit", "heartbeat"])
        lines.append(event(f"cam {rng.randrange(devices)}", kind, BASE + rng.randrange(span_ms)))
    return b"".join(lines)


def flags_of(rule):
    """The rule as command line flags."""
    names = {"duplicate_window": "--duplicate-window", "first_exit": "--first-exit",
             "window_max": "--order-window-max", "horizon": "--order-horizon", "order": "--order"}
    return [part for key, value in rule.items()
            for part in (names[key], f"{value}ms" if key == "horizon" else str(value))]


RULES = [
    {"order": "arrival"},
    {"order": "arrival", "duplicate_window": 0},
    {"order": "arrival", "duplicate_window": 1, "first_exit": "suppress"},
    {"order": "arrival", "duplicate_window": 64},
    {"order": "event_time"},
    {"order": "event_time", "first_exit": "suppress"},
    {"order": "event_time", "window_max": 1},
    {"order": "event_time", "window_max": 3, "horizon": 40},
    {"order": "event_time", "window_max": 16},
    {"order": "event_time", "horizon": 20, "first_exit": "suppress"},
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: "-".join(map(str, rule.values())))
@pytest.mark.parametrize("batch", [1, 7, 100_000])
def test_random_history(dwell, rule, batch):
    """Dense histories under every setting of the rule, in batches that cut them anywhere."""
    rng = random.Random(f"{SEED}-{rule}-{batch}")
    print(f"DWELL_TEST_SEED={SEED}")
    count = {1: 200, 7: 1_000}.get(batch, 4_000)  # each batch is a flush of the disk
    content = random_history(rng, count, rng.choice([2, 9]), rng.choice([30, 2000]))
    replay_and_compare(dwell, content, "--batch-records", str(batch), *flags_of(rule), **rule)


def test_clock_limits(dwell):
    """Both limits on records well to either side: `now` is the file's receipt, not the test's."""
    now, minute = time.time_ns() // 1_000_000, 60_000
    content = b"".join(event("cam", ("enter", "exit")[n % 2], now + minutes * minute)
                       for n, minutes in enumerate((-90, -62, -58, -1, 1, 8, 12, 90)))
    model, _ = replay_and_compare(dwell, content, "--clock-max-behind", "1h", "--clock-max-ahead",
                                  "10min", max_behind=60 * minute, max_ahead=10 * minute)
    assert model.outcomes == {"past_timestamp": 2, "accepted": 4, "future_timestamp": 2}


def test_clock_max_ahead_is_five_minutes_by_default_and_can_be_off(dwell):
    now, minute = time.time_ns() // 1_000_000, 60_000
    content = event("cam", "enter", now + 4 * minute) + event("cam", "exit", now + 6 * minute)
    model, _ = replay_and_compare(dwell, content)
    assert model.outcomes == {"accepted": 1, "future_timestamp": 1}
    model, _ = replay_and_compare(dwell, content, "--clock-max-ahead", "off", db="off.db",
                                  max_ahead=None)
    assert model.outcomes == {"accepted": 2}


def test_newest_is_capped_at_now(dwell):
    """One wildly future event that the clock setting lets through evicts nothing."""
    now, hour = time.time_ns() // 1_000_000, 3_600_000
    content = b"".join([event("cam", "enter", now - 2 * hour), event("cam", "exit", now + 9999 * hour),
                        event("cam", "exit", now - hour)])
    model, _ = replay_and_compare(dwell, content, "--order", "event_time", "--clock-max-ahead",
                                  "off", order="event_time", max_ahead=None)
    assert [row.timestamp for row in model.rows] == [now - 2 * hour, now - hour]


def test_received_clock_ignores_the_events_own(dwell):
    """clock.source = received: now, then a millisecond more for each event of the device."""
    times = [5, 5, 4, BASE]
    content = b"".join(event("cam", ("enter", "exit")[n % 2], t) for n, t in enumerate(times))
    path = dwell.write("in.ndjson", content)
    dwell.run("replay", path, "--clock-source", "received")
    now = dwell.now_of(path)
    assert [row.timestamp for row in dwell.rows()] == [now, now + 1, now + 2, now + 3]


def test_too_large_keeps_the_beginning(dwell):
    """Cut at input.max_record; the model cuts there too. The line is longer than any buffer."""
    long = event("cam", "enter", BASE, padding="x" * 3_000)
    huge = event("cam", "enter", BASE, padding="y" * 3_000_000)
    content = long + event("cam", "enter", BASE) + huge + event("cam", "exit", BASE + 1) + huge[:-1]
    model, _ = replay_and_compare(dwell, content, "--input-max-record", "2KiB", "--batch-bytes",
                                  "64KiB", max_record=2048)
    assert model.outcomes == {"too_large": 3, "accepted": 2}
    lines = dwell.run("rejects", "--json").json_lines
    assert [line["truncatedFrom"] for line in lines] == [len(long) - 1] + [len(huge) - 1] * 2


def test_a_line_far_longer_than_the_buffer_costs_no_waiting(dwell):
    """Each piece of such a line once looked like "nothing new yet" and was followed by a pause."""
    line = event("cam", "enter", BASE, padding="x" * 40_000_000)
    began = time.monotonic()
    for name in ("file.ndjson", "-"):
        dwell.write("file.ndjson", line)
        dwell.run("replay", name, "--batch-bytes", "64KiB", "--input-max-record", "2KiB",
                  stdin=line, status=1)
    assert time.monotonic() - began < 30  # 600 pieces in the file alone, 100 ms each
    assert dwell.totals()["too_large"] == 2


# Where local times exist twice or never, of every kind: by an hour, by half an hour, at midnight,
# a whole day, by an odd offset, and far away.
CHANGES = [
    ("Europe/Berlin", "2025-03-30T02:00:00"), ("Europe/Berlin", "2025-10-26T02:00:00"),
    ("America/New_York", "2025-11-02T01:00:00"), ("Australia/Lord_Howe", "2025-04-06T01:30:00"),
    ("Australia/Lord_Howe", "2025-10-05T02:00:00"), ("America/Sao_Paulo", "2018-11-04T00:00:00"),
    ("Africa/Cairo", "2024-04-26T00:00:00"), ("Pacific/Apia", "2011-12-30T00:00:00"),
    ("Africa/Monrovia", "1972-01-07T00:00:00"), ("America/Caracas", "2016-05-01T02:30:00"),
    ("Asia/Pyongyang", "2018-05-04T23:30:00"), ("Antarctica/Troll", "2025-03-30T01:00:00"),
    ("America/Nuuk", "2024-03-30T23:00:00"), ("Europe/Lisbon", "1992-09-27T01:00:00"),
    ("Africa/Casablanca", "2025-02-23T02:00:00"), ("Europe/Dublin", "2025-10-26T01:00:00"),
    ("Europe/Berlin", "2196-10-30T02:00:00"), ("Europe/London", "1970-01-01T00:00:00"),
    ("Europe/Berlin", "9999-12-31T22:00:00"), ("America/New_York", "1970-01-01T00:00:00")]


@pytest.mark.parametrize("zone, change", CHANGES, ids=lambda value: value.replace("/", "-"))
def test_local_times(dwell, zone, change):
    """Texts without a zone, hours around a change of the clocks; the model asks Python's zoneinfo."""
    rng = random.Random(f"{SEED}-{zone}-{change}")
    around = datetime.datetime.fromisoformat(change)
    lines = []
    for number in range(400):
        moment = around + datetime.timedelta(seconds=rng.randrange(-7_200, 7_200))
        text = f"{moment:%Y-%m-%d}{rng.choice('T ')}{moment:%H:%M:%S}".zfill(19)
        text += rng.choice(["", f".{rng.randrange(10)}", f".{rng.randrange(10**6):06}"])
        text += rng.choice(["", "", "", "Z", "+02:00", "-0330", "+05"])
        lines.append(json.dumps({"device_id": f"{number}", "event_type": "device_enter",
                                 "timestamp": text}).encode() + b"\n")
    model, _ = replay_and_compare(dwell, b"".join(lines), "--input-time-zone", zone,
                                  "--clock-max-ahead", "off", max_ahead=None, time_zone=zone)
    assert model.outcomes["accepted"] > 100


def test_a_year_of_local_times_by_the_half_hour(dwell):
    start = datetime.datetime(2025, 1, 1)
    lines = [json.dumps({"device_id": f"{number}", "event_type": "device_enter",
                         "timestamp": (start + number * datetime.timedelta(minutes=30)).isoformat()})
             for number in range(48 * 365)]
    model, _ = replay_and_compare(dwell, "\n".join(lines).encode(), "--input-time-zone",
                                  "Europe/Berlin", "--clock-max-ahead", "off",
                                  max_ahead=None, time_zone="Europe/Berlin")
    assert model.outcomes == {"accepted": 48 * 365}
    # Two half hours never are, and each is the same instant as one that is.
    assert len({row.timestamp for row in model.rows}) == 48 * 365 - 2


def test_without_a_time_zone_local_times_are_rejected(dwell):
    replay_and_compare(dwell, b'{"device_id":"a","event_type":"device_enter",'
                              b'"timestamp":"2025-07-08 12:00:00"}\n' + event("b", "enter", BASE))
