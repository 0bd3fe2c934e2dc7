"""`dwell timeline` and `dwell who`: every form of the answer says what the stored rows say."""

import csv
import datetime
import io
import json
import os
import pty
import random
import re
import subprocess
import zoneinfo

import pytest

from dwell_cli import clean_environment, event
from presence_model import Model, Rule

BASE = 1_751_932_800_000  # 2025-07-08T00:00:00Z
HOUR = 3_600_000
ODD_IDS = ["a b", " lead", "a/b", "/", "..", "it's", 'say "hi"', "a,b", "日本語", "é", "e\u0301",
           "-x", "--help", "--", "%2F", "\\n", "x" * 256, "😀", "a;b=c&d", "$(id)", "*",
           "=1+1", "+1", "-1", "@SUM(A1)", "=cmd|' /C calc'!A0", "'=1"]


def at(milliseconds):
    """RFC 3339 in UTC, milliseconds only when not zero."""
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=milliseconds)
    fraction = f".{milliseconds % 1000:03}" if milliseconds % 1000 else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def stored(dwell, *events, order="arrival"):
    """Replays (device, kind, timestamp) triples and gives their model."""
    content = b"".join(event(*one) for one in events)
    dwell.write("in.ndjson", content)
    dwell.run("replay", "in.ndjson", "--order", order)
    return Model(Rule(now=BASE + 24 * HOUR, order=order)).fold_file(content)


def asked(rows):
    """Model rows as `timeline --json` lists them."""
    return [{"deviceID": row.device, "eventType": row.type, "timestamp": at(row.timestamp)}
            for row in rows]


def day(dwell):
    return stored(dwell, ("cam", "enter", BASE + 8 * HOUR), ("cam", "exit", BASE + 12 * HOUR),
                  ("cam", "enter", BASE + 13 * HOUR + 250), ("cam", "exit", BASE + 17 * HOUR),
                  ("other", "enter", BASE))


@pytest.mark.parametrize("order", ["arrival", "event_time"])
def test_timeline_equals_the_model(dwell, order):
    rng = random.Random(5)
    model = stored(dwell, *((f"cam {rng.randrange(3)}", rng.choice(["enter", "exit"]),
                             BASE + rng.randrange(500)) for _ in range(600)), order=order)
    for name in ("cam 0", "cam 1", "cam 2"):
        rows = [row for row in model.rows if row.device == name]
        assert rows
        assert dwell.run("timeline", name, "--json").json == {"events": asked(rows)}
        for start, end in ((100, 200), (0, 499), (250, 250), (300, 100)):
            answer = dwell.run("timeline", name, "--json", "--start", at(BASE + start),
                               "--end", at(BASE + end)).json["events"]
            assert answer == asked(row for row in rows if start <= row.timestamp - BASE <= end)


def test_more_rows_than_a_page(dwell):
    """Questions are read 10,000 rows at a time: none may fall between two pages."""
    model = stored(dwell, *(("cam", ("enter", "exit")[n % 2], BASE + n // 2) for n in range(25_000)))
    assert dwell.run("timeline", "cam", "--json").json["events"] == asked(model.rows)
    assert len(model.rows) == 25_000


def test_start_and_end_are_inclusive_and_understand_offsets(dwell):
    model = day(dwell)
    exact = dwell.run("timeline", "cam", "--json", "--start", "2025-07-08T14:00:00+02:00",
                      "--end", "2025-07-08T13:00:00.250z").json["events"]
    assert exact == asked(model.rows[1:3])
    one_less = dwell.run("timeline", "cam", "--json", "--start", "2025-07-08T12:00:00.001Z",
                         "--end", "2025-07-08T13:00:00.249Z").json["events"]
    assert one_less == []


@pytest.mark.parametrize("name", ODD_IDS)
def test_odd_device_ids(dwell, name):
    """The same id comes back in every form, byte for byte."""
    model = stored(dwell, (name, "enter", BASE), ("decoy", "enter", BASE + 1))
    for arguments in [("--", name)] + [(name,)] * (not name.startswith("-")):
        answer = dwell.run("timeline", "--json", *arguments).json["events"]
        assert answer == asked(row for row in model.rows if row.device == name)
        table = list(csv.reader(io.StringIO(dwell.run("timeline", "--csv", *arguments).out)))
        assert table[1:] == [[name, "device_enter", at(BASE)]]
    inside = dwell.run("who", "--json").json["devices"]
    assert {"deviceID": name, "since": at(BASE)} in inside and len(inside) == 2
    assert [name, at(BASE)] in list(csv.reader(io.StringIO(dwell.run("who", "--csv").out)))
    assert name in dwell.run("who").out


def test_composed_and_decomposed_ids_are_two_devices(dwell):
    stored(dwell, ("é", "enter", BASE), ("e\u0301", "enter", BASE + 1))
    assert len(dwell.run("who", "--json").json["devices"]) == 2


def test_unknown_device_has_no_events(dwell):
    day(dwell)
    assert dwell.run("timeline", "nobody", "--json").json == {"events": []}
    assert dwell.run("timeline", "nobody", "--csv").out == "deviceID,eventType,timestamp\r\n"
    assert "no events of nobody" in dwell.run("timeline", "nobody").out


def test_timeline_table_and_strip(dwell):
    """The strip covers what was asked for, a cell full, half or empty as the device was inside."""
    model = day(dwell)
    text = dwell.run("timeline", "cam", "--start", at(BASE + 7 * HOUR), "--end", at(BASE + 17 * HOUR),
                     COLUMNS="40").out.splitlines()
    for row, line in zip(model.rows, text[1:5]):
        assert line.split() == [at(row.timestamp), row.type, str(row.seq)]
    assert text[6] == "····" + "█" * 16 + "····" + "▄" + "█" * 15
    assert "inside 7 h 59 min in 2 stays" in text[7]


def summary(dwell, *arguments):
    """The line under the strip: what `dwell timeline` says of the stays."""
    return dwell.run("timeline", *arguments).out.splitlines()[-1]


def test_before_its_first_row_a_device_is_not_known(dwell):
    """A first row that is an exit ends no stay that anybody saw begin."""
    stored(dwell, ("cam", "exit", BASE + 12 * HOUR))
    text = dwell.run("timeline", "cam", "--start", at(BASE)).out.splitlines()
    assert text[-1] == f"{at(BASE)} to {at(BASE + 12 * HOUR)}: inside 0 s in 0 stays"
    assert set(text[-2]) == {"·"}


def test_what_a_device_is_at_the_start_is_carried_in(dwell):
    """A window inside a stay has no row and is inside all the time."""
    day(dwell)
    window = ("--start", at(BASE + 9 * HOUR), "--end", at(BASE + 10 * HOUR))
    assert summary(dwell, "cam", *window) == (
        f"{at(BASE + 9 * HOUR)} to {at(BASE + 10 * HOUR)}: inside 1 h in 1 stay, inside at the end")
    assert set(dwell.run("timeline", "cam", *window).out.splitlines()[-2]) == {"█"}
    later = ("--start", at(BASE + 11 * HOUR), "--end", at(BASE + 13 * HOUR))
    assert summary(dwell, "cam", *later).endswith(": inside 1 h in 1 stay")
    outside = ("--start", at(BASE + 12 * HOUR + 1), "--end", at(BASE + 13 * HOUR))
    assert "no events of cam" in summary(dwell, "cam", *outside)


def test_only_a_window_that_reaches_now_says_inside_now(dwell):
    day(dwell)
    assert summary(dwell, "cam", "--end", at(BASE + 9 * HOUR)) == (
        f"{at(BASE + 8 * HOUR)} to {at(BASE + 9 * HOUR)}: inside 1 h in 1 stay, inside at the end")
    assert summary(dwell, "other").endswith(" in 1 stay, inside now")


def test_a_strip_of_more_rows_than_a_page(dwell):
    """The last hour counts as much as the first: 25,000 rows, and then a stay of two hours."""
    events = [("cam", ("enter", "exit")[n % 2], BASE + n) for n in range(25_000)]
    stored(dwell, *events, ("cam", "enter", BASE + 22 * HOUR))
    line = dwell.run("who", "--at", at(BASE + 24 * HOUR)).out.splitlines()[1]
    assert line.endswith("▄" + "·" * 21 + "██")


@pytest.mark.parametrize("columns, width", [("60", 60), ("200", 200), ("1", 40), ("junk", 80)])
def test_the_strip_is_as_wide_as_the_terminal(dwell, columns, width):
    day(dwell)
    assert len(dwell.run("timeline", "cam", COLUMNS=columns).out.splitlines()[6]) == width


@pytest.mark.parametrize("locale", ["C", "POSIX"])
def test_a_locale_without_utf8_gets_ascii(dwell, locale):
    day(dwell)
    for command in (("timeline", "cam"), ("who",)):
        answer = dwell.run(*command, LC_ALL=locale)
        assert answer.out.isascii() and "#" in answer.out


def on_terminal(dwell, *arguments, **environment):
    """What the command writes when standard output is a terminal."""
    leader, follower = pty.openpty()
    try:
        subprocess.run(dwell.command(*arguments), cwd=dwell.folder, stdout=follower, check=True,
                       stdin=subprocess.DEVNULL, env=clean_environment(**environment), timeout=60)
        return os.read(leader, 65_536).decode()
    finally:
        os.close(leader)
        os.close(follower)


def test_colors_only_on_a_terminal_that_wants_them(dwell):
    day(dwell)
    for command in (("timeline", "cam"), ("who",)):
        assert "\x1b[" in on_terminal(dwell, *command)
        assert "\x1b[" in on_terminal(dwell, *command, NO_COLOR="")
        assert "\x1b" not in on_terminal(dwell, *command, NO_COLOR="1")
        assert "\x1b" not in on_terminal(dwell, *command, TERM="dumb")
        assert "\x1b" not in dwell.run(*command).out
        assert "\x1b" not in on_terminal(dwell, *command, "--json")


@pytest.mark.parametrize("order", ["arrival", "event_time"])
def test_who_equals_the_model_folded(dwell, order):
    rng = random.Random(6)
    model = stored(dwell, *((f"cam {rng.randrange(40)}", rng.choice(["enter", "exit"]),
                             BASE + rng.randrange(5_000)) for _ in range(2_000)), order=order)
    moments = [BASE - 1, BASE, BASE + 5_000, *(BASE + rng.randrange(5_000) for _ in range(15))]
    moments += [row.timestamp for row in rng.sample(model.rows, 10)]
    for moment in moments:
        answer = dwell.run("who", "--at", at(moment), "--json").json
        assert answer["at"] == at(moment)
        listed = [(one["deviceID"], one["since"]) for one in answer["devices"]]
        modelled = model.inside_at(moment).items()
        assert listed == sorted((name, at(since)) for name, since in modelled)
        rows = list(csv.reader(io.StringIO(dwell.run("who", "--at", at(moment), "--csv").out)))
        assert rows == [["deviceID", "since"], *map(list, listed)]
    assert model.inside_at(BASE + 5_000)


def test_who_table(dwell):
    day(dwell)
    text = dwell.run("who", "--at", at(BASE + 14 * HOUR)).out.splitlines()
    assert re.split(r"  +", text[1])[:3] == ["cam", at(BASE + 13 * HOUR + 250), "59 min 59 s"]
    assert re.split(r"  +", text[2])[:3] == ["other", at(BASE), "14 h"]
    assert text[2].endswith("·" * 10 + "█" * 14)
    assert text[3] == f"2 devices inside at {at(BASE + 14 * HOUR)}"
    assert dwell.run("who", "--at", at(BASE - 1)).out.endswith(f"0 devices inside at {at(BASE - 1)}\n")


def test_who_defaults_to_now(dwell):
    stored(dwell, ("cam", "enter", BASE))
    asked_at = datetime.datetime.now(datetime.timezone.utc)
    answer = dwell.run("who", "--json").json
    told = datetime.datetime.fromisoformat(answer["at"].replace("Z", "+00:00"))
    assert abs((told - asked_at).total_seconds()) < 60
    assert [one["deviceID"] for one in answer["devices"]] == ["cam"]


def test_who_with_more_devices_than_a_page(dwell):
    model = stored(dwell, *((f"cam {n}", "enter", BASE + n) for n in range(3_500)))
    answer = dwell.run("who", "--json").json["devices"]
    assert [one["deviceID"] for one in answer] == sorted(model.inside_at(BASE + 3_500))
    assert dwell.run("who").out.count("\ncam ") + 1 >= 3_500


def test_json_is_one_document_and_unicode_stays(dwell):
    stored(dwell, ("日本 \"x\"", "enter", BASE))
    answer = dwell.run("who", "--json")
    assert answer.raw.endswith(b"\n") and json.loads(answer.raw)
    assert "日本" in answer.out


@pytest.mark.parametrize("arguments", [
    ("timeline", "cam", "--start", "yesterdy"), ("timeline", "cam", "--end", "2025-07"),
    ("timeline", "cam", "--end", "2025-02-30T00:00:00Z"), ("who", "--at", "1751932800000"),
    ("who", "--at", "now-2"), ("who", "--at", "now-30m"), ("who", "--at", "now+2h"),
    ("who", "--at", "now-36500d"), ("who", "--at", "2025-07-08T12:00"),
    ("who", "--at", ""), ("who", "--at", "1969-12-31T23:59:59Z")])
def test_a_time_that_is_none_is_named(dwell, arguments):
    day(dwell)
    answer = dwell.run(*arguments, status=2)
    assert f"{arguments[-2]} {arguments[-1]}" in answer.err
    for taken in ("RFC 3339", "2025-07-08", "today", "yesterday", "now-2h", "min, h and d"):
        assert taken in answer.err


@pytest.mark.parametrize("text, zone, meant", [
    ("2025-07-08T12:00:00Z", "Europe/Berlin", "2025-07-08T12:00:00Z"),
    ("2025-07-08 12:00:00+0530", "Europe/Berlin", "2025-07-08T06:30:00Z"),
    ("2025-07-08T12:00:00", "Europe/Berlin", "2025-07-08T10:00:00Z"),
    ("2025-07-08T12:00:00.25", "UTC", "2025-07-08T12:00:00.250Z"),
    ("2025-10-26T02:30:00", "Europe/Berlin", "2025-10-26T00:30:00Z"),
    ("2025-03-30T02:30:00", "Europe/Berlin", "2025-03-30T01:30:00Z"),
    ("2025-07-08", "UTC", "2025-07-08T00:00:00Z"),
    ("2025-07-08", "Europe/Berlin", "2025-07-07T22:00:00Z"),
    ("2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00Z"),
])
def test_times_of_flags_are_in_the_zone(dwell, text, zone, meant):
    """Whichever of the two flags stands first."""
    moment = datetime.datetime.fromisoformat(meant.replace("Z", "+00:00"))
    start = round(moment.timestamp() * 1000)
    stored(dwell, ("edge", "enter", start - 1), ("edge", "exit", start))
    for flags in (("--at", text, "--tz", zone), ("--tz", zone, "--at", text)):
        assert dwell.run("who", *flags, "--json").json["at"] == meant
    if zone == "UTC":
        assert dwell.run("who", "--at", text, "--json").json["at"] == meant
    window = ("--start", text, "--end", text, "--tz", zone)
    rows = dwell.run("timeline", "edge", *window, "--json").json["events"]
    assert [row["timestamp"] for row in rows] == [meant]


@pytest.mark.parametrize("text, ago", [("now", 0), ("now-0s", 0), ("now-90s", 90_000),
                                       ("now-30min", 1_800_000), ("now-2h", 2 * HOUR),
                                       ("now-7d", 168 * HOUR)])
def test_times_before_now(dwell, text, ago):
    day(dwell)
    told = dwell.run("who", "--at", text, "--tz", "Asia/Tokyo", "--json").json["at"]
    told = datetime.datetime.fromisoformat(told.replace("Z", "+00:00"))
    wanted = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(milliseconds=ago)
    assert abs((told - wanted).total_seconds()) < 60


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York", "Pacific/Kiritimati"])
@pytest.mark.parametrize("text, days", [("today", 0), ("yesterday", 1)])
def test_days_begin_in_the_zone(dwell, zone, text, days):
    day(dwell)

    def wanted():
        here = datetime.datetime.now(zoneinfo.ZoneInfo(zone)).date() - datetime.timedelta(days=days)
        begin = datetime.datetime.combine(here, datetime.time(), zoneinfo.ZoneInfo(zone))
        return at(round(begin.timestamp() * 1000))

    before = wanted()
    told = dwell.run("who", "--at", text, "--tz", zone, "--json").json["at"]
    assert told in (before, wanted())


def test_a_zone_of_a_flag_that_is_none(dwell):
    day(dwell)
    said = dwell.run("who", "--tz", "Europe/Berlim", status=2).err
    assert "--tz Europe/Berlim" in said and "the nearest is Europe/Berlin" in said
    dwell.run("who", "--tz", "UTC", TZDIR="/nowhere")
    assert "install the package tzdata" in dwell.run("who", "--tz", "Europe/Berlin", status=1,
                                                     TZDIR="/nowhere").err
