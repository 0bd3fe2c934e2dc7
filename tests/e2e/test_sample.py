"""`dwell check --sample`: what the settings make of the first records of a feed."""

import gzip
import json

import pytest

from dwell_cli import Dwell, event

BASE = 1_751_957_694_612
ENTER, EXIT = "device_enter", "device_exit"


@pytest.fixture
def dwell(tmp_path):
    return Dwell(tmp_path)


def lines(*records):
    return "".join(json.dumps(record) + "\n" for record in records)


CONNECTED = {"clientId": "pump-44", "timestamp": BASE, "eventType": "connected"}
AWS = ["--input-device-id", "/clientId", "--input-enter", "connected", "--input-exit",
       "disconnected"]


def test_each_record_and_what_was_read_where(dwell):
    dwell.write("in.ndjson", lines(CONNECTED, {**CONNECTED, "eventType": "subscribed"},
                                   {**CONNECTED, "timestamp": "noon"}) + "oops\n"
                + lines({**CONNECTED, "timestamp": "2999-01-01T00:00:00Z"}))
    shown = dwell.run("check", "--sample", "in.ndjson", *AWS).out
    assert shown == """\
in.ndjson:1: accepted
  device_id   /clientId   "pump-44" -> pump-44
  event_type  /eventType  "connected" -> device_enter
  timestamp   /timestamp  1751957694612 -> 2025-07-08T06:54:54.612Z
in.ndjson:2: ignored
  device_id   /clientId   "pump-44" -> pump-44
  event_type  /eventType  "subscribed" is neither in input.enter nor in input.exit
  timestamp   /timestamp  1751957694612 -> 2025-07-08T06:54:54.612Z
in.ndjson:3: invalid_timestamp
  device_id   /clientId   "pump-44" -> pump-44
  event_type  /eventType  "connected" -> device_enter
""" + shown[shown.index("  timestamp   /timestamp  \"noon\""):]
    assert '  timestamp   /timestamp  "noon" is no RFC 3339 time' in shown
    assert "in.ndjson:4: malformed: the record is no JSON object: oops\n" in shown
    assert "in.ndjson:5: future_timestamp: timestamp 2999-01-01T00:00:00Z is more than" in shown
    assert shown.endswith("1 of 5 records can be used\n")
    assert [path.name for path in dwell.folder.iterdir()] == ["in.ndjson"]


def test_every_member_is_judged_whatever_the_others_are(dwell):
    dwell.write("in.ndjson", lines({"id": True, "event_type": 7, "timestamp": None}))
    answer = dwell.run("check", "--sample", "in.ndjson", "--json", "--input-device-id", "/id",
                       status=1)
    record, = answer.json["records"]
    assert record["outcome"] == "invalid_event_type" and answer.json["usable"] == 0
    assert record["members"] == {
        "device_id": {"place": "/id", "found": "true",
                      "reason": "true is neither a text nor a whole number without sign"},
        "event_type": {"place": "/event_type", "found": "7", "reason": "7 is no text"},
        "timestamp": {"place": "/timestamp", "found": "null",
                      "reason": "null is neither a text nor a number"}}


def test_none_that_can_be_used(dwell):
    """The status says so, and what is there is listed: members and types."""
    dwell.write("in.ndjson", lines({"who": {"a/b": "ann", "~": [1, 2]}, "eventType": "arrived"}))
    answer = dwell.run("check", "--sample", "in.ndjson", status=1)
    assert answer.err.endswith("in.ndjson: none of 1 records can be used\n")
    assert 'event types that are ignored: "arrived"; input.enter and input.exit' in answer.out
    assert answer.out.endswith('  /who/a~1b  "ann"\n  /who/~0/0  1\n  /who/~0/1  2\n'
                               '  /eventType  "arrived"\n')
    assert "device_id   -" in answer.out
    assert "is missing: looked for /device_id, /deviceID, /deviceId" in answer.out


def test_many_members_are_not_all_listed(dwell):
    dwell.write("in.ndjson", lines({f"m{n}": "x" * 10_000 for n in range(100)}))
    out = dwell.run("check", "--sample", "in.ndjson", status=1).out
    assert "/m39" in out and "/m40" not in out and out.endswith("  and more\n") and len(out) < 6000


def test_joined_ids_envelopes_and_times_of_receipt(dwell):
    payload = {"person": "ann", "room": 7, "event_type": ENTER}
    dwell.write("in.ndjson", lines({"schema": {}, "payload": payload}))
    shown = dwell.run("check", "--sample", "in.ndjson", "--input-device-id", "{/person}@{/room}",
                      "--clock-source", "received").out
    assert '{/person}@{/room} in /payload  "ann", 7 -> ann@7\n' in shown
    assert "timestamp   that of the receipt: clock.source = received\n" in shown


FORMS = {
    "array": json.dumps([{"device_id": "a", "event_type": ENTER, "timestamp": BASE}] * 3, indent=1),
    "csv": f"device_id,event_type,timestamp\n" + f"a,{ENTER},{BASE}\n" * 3,
    "lines": event("a", "enter", BASE) * 3,
    "gzip": gzip.compress(event("a", "enter", BASE) * 3),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("source", ["file", "stream"])
def test_every_kind_of_file(dwell, form, source):
    path = dwell.write("in", FORMS[form])
    shown = dwell.run("check", "--json", "--sample", "in" if source == "file" else "-",
                      stdin=path.read_bytes()).json
    assert shown["usable"] == len(shown["records"]) == 3
    assert {record["members"]["device_id"]["value"] for record in shown["records"]} == {"a"}
    places = [record.get("line") for record in shown["records"]]
    has_lines = source == "file" and form != "gzip"
    assert places == ([{"csv": 2, "array": 2}.get(form, 1) + n * (5 if form == "array" else 1)
                       for n in range(3)] if has_lines else [None] * 3)


def test_how_many(dwell):
    dwell.write("in.ndjson", event("a", "enter", BASE) * 2000)
    assert "10 of 10 records" in dwell.run("check", "--sample", "in.ndjson").out
    assert "1 of 1 records" in dwell.run("check", "--sample", "in.ndjson", "--records", "1").out
    assert "1,000 of 1,000" in dwell.run("check", "--sample", "in.ndjson", "--records", "1000").out
    for count in ("0", "1001", "x"):
        dwell.run("check", "--sample", "in.ndjson", "--records", count, status=2)


def test_what_a_stream_has_is_shown_while_it_stays_open(dwell):
    process = dwell.start("check", "--sample", "-", "--records", "1", stdin=-1)
    process.stdin.write(event("a", "enter", BASE))
    process.stdin.flush()
    assert b"1 of 1 records can be used" in process.stdout.read()
    process.stdin.close()
    assert process.wait(60) == 0
    process.stdout.close()
    process.stderr.close()


def test_what_cannot_be_looked_at(dwell):
    assert "nope" in dwell.run("check", "--sample", "nope", status=1).err
    dwell.write("empty", "")
    assert "empty: has no records" in dwell.run("check", "--sample", "empty", status=1).err
    dwell.write("in.zip", b"PK\x03\x04....")
    assert "is a zip archive" in dwell.run("check", "--sample", "in.zip", status=2).err
    dwell.write("d.toml", "input.enterr = 1")
    assert "d.toml:1" in dwell.run("check", "d.toml", "--sample", "empty", status=2).err
    packed = gzip.compress(event("a", "enter", BASE) * 5000)
    dwell.write("cut.gz", packed[:-20])
    answer = dwell.run("check", "--sample", "cut.gz", "--records", "1000")
    assert answer.out.endswith("1,000 of 1,000 records can be used\n")


def test_a_file_of_settings_and_a_database_count_as_for_replay(dwell):
    dwell.write("in.ndjson", lines(CONNECTED))
    dwell.write("d.toml", '[input]\ndevice_id = "/clientId"\nenter = "connected"\n')
    for arguments in (("d.toml",), ("--config", "d.toml")):
        assert "1 of 1" in dwell.run("check", *arguments, "--sample", "in.ndjson").out
    assert "1 of 1" in dwell.run("check", "--sample", "in.ndjson", DWELL_CONFIG="d.toml").out
    assert "d.toml: ok" in dwell.run("check", "--config", "d.toml").out
    dwell.run("check", "--sample", "in.ndjson", status=1)
    dwell.run("replay", "in.ndjson", "--config", "d.toml")
    assert "1 of 1" in dwell.run("check", "--sample", "in.ndjson", "--db", "dwell.db").out
    # One that happens to be there may be of another feed.
    dwell.run("check", "--sample", "in.ndjson", status=1)


def test_names_of_others_move_nothing(dwell):
    dwell.write("in.ndjson", json.dumps({"device_id": "a\u202eb", "event_type": "\x1b[2J",
                                         "timestamp": BASE, "\u200b": "\u202e"},
                                        ensure_ascii=False) + "\n")
    out = dwell.run("check", "--sample", "in.ndjson", status=1).out
    assert not set(out) & {"\x1b", "\u202e", "\u200b"}
