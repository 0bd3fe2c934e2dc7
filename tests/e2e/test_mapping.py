"""Feeds in the words of their makers, read by a few settings."""

import json

import pytest

from dwell_cli import Dwell

AT = 1751957694000
ENTER, EXIT = "device_enter", "device_exit"

# flags, records, and the rows they give
FEEDS = {
    "aws-iot": (
        ["--input-device-id", "/clientId", "--input-enter", "connected", "--input-exit",
         "disconnected"],
        [{"clientId": "pump-44", "timestamp": AT, "eventType": "connected", "versionNumber": 0},
         {"clientId": "pump-44", "timestamp": AT + 1000, "eventType": "disconnected",
          "disconnectReason": "CLIENT_INITIATED_DISCONNECT", "versionNumber": 0},
         {"clientId": "pump-44", "timestamp": AT, "eventType": "subscribed"}],
        [("pump-44", ENTER, AT), ("pump-44", EXIT, AT + 1000)]),
    "azure": (
        ["--input-device-id", "/data/deviceId", "--input-timestamp", "/eventTime",
         "--input-enter", "Microsoft.Devices.DeviceConnected",
         "--input-exit", "Microsoft.Devices.DeviceDisconnected"],
        [{"id": "1", "eventType": "Microsoft.Devices.DeviceConnected",
          "data": {"hubName": "h", "deviceId": "therm-5"},
          "eventTime": "2025-07-08T06:54:54.4383997Z"}],
        [("therm-5", ENTER, AT + 438)]),
    "owntracks": (
        ["--input-device-id", "{/tid}@{/desc}", "--input-event-type", "/event",
         "--input-timestamp", "/tst", "--input-enter", "enter", "--input-exit", "leave"],
        [{"_type": "transition", "event": "enter", "desc": "depot", "tid": "k4", "tst": AT // 1000},
         {"_type": "transition", "event": "leave", "desc": "depot", "tid": "k4",
          "tst": str(AT // 1000 + 60)}],
        [("k4@depot", ENTER, AT), ("k4@depot", EXIT, AT + 60_000)]),
    "home-assistant": (
        ["--input-device-id", "/data/entity_id", "--input-event-type", "/data/new_state/state",
         "--input-timestamp", "/time_fired", "--input-enter", "home", "--input-exit", "*"],
        [{"event_type": "state_changed", "time_fired": "2025-07-08T06:54:54+00:00",
          "data": {"entity_id": "person.ann", "new_state": {"state": "home"}}},
         {"event_type": "state_changed", "time_fired": "2025-07-08T06:54:55+00:00",
          "data": {"entity_id": "person.ann", "new_state": {"state": "gym"}}}],
        [("person.ann", ENTER, AT), ("person.ann", EXIT, AT + 1000)]),
    "one-mac-three-spellings": (
        ["--input-device-id", "/mac", "--input-device-id-case", "mac"],
        [{"mac": "02:00:5E:10:00:AA", "event_type": ENTER, "timestamp": AT},
         {"mac": "02:00:5e:10:00:aa", "event_type": EXIT, "timestamp": AT + 1},
         {"mac": "02-00-5e-10-00-aa", "event_type": ENTER, "timestamp": AT + 2},
         {"mac": "0200.5e10.00aa", "event_type": EXIT, "timestamp": AT + 3},
         {"mac": "Gate-A", "event_type": ENTER, "timestamp": AT}],
        [("02:00:5e:10:00:aa", (ENTER, EXIT)[n % 2], AT + n) for n in range(4)]
        + [("Gate-A", ENTER, AT)]),
    "one-id-in-upper-and-lower-case": (
        ["--input-device-id-case", "lower"],
        [{"device_id": "Gate-A", "event_type": ENTER, "timestamp": AT},
         {"device_id": "gate-a", "event_type": EXIT, "timestamp": AT + 1}],
        [("gate-a", ENTER, AT), ("gate-a", EXIT, AT + 1)]),
    "other-types-alone": (
        ["--input-enter", "connected", "--input-exit", "disconnected"],
        [{"device_id": "pump-46", "event_type": "connected", "timestamp": AT},
         {"device_id": "pump-46", "event_type": "disconnected", "timestamp": AT + 1},
         {"device_id": "pump-46", "event_type": ENTER, "timestamp": AT + 2}],
        [("pump-46", ENTER, AT), ("pump-46", EXIT, AT + 1)]),
    "other-spellings-of-members": (
        ["--input-device-id", "/device_id,/DEVICE_ID", "--input-event-type",
         "/event_type,/type,/EVENT_TYPE", "--input-timestamp", "/timestamp,/ts,/TIMESTAMP"],
        [{"DEVICE_ID": "env-5", "EVENT_TYPE": ENTER, "TIMESTAMP": AT},
         {"device_id": "env-6", "event_type": ENTER, "ts": AT},
         {"device_id": "env-7", "type": ENTER, "timestamp": AT}],
        [("env-5", ENTER, AT), ("env-6", ENTER, AT), ("env-7", ENTER, AT)]),
    "cloudevents": (
        ["--input-device-id", "/data/device_id,/source", "--input-event-type", "/type",
         "--input-timestamp", "/time"],
        [{"specversion": "1.0", "id": "1", "source": "/sensors/env-3", "type": ENTER,
          "time": "2025-07-08T06:54:54.612Z", "data": {"device_id": "env-3"}},
         {"specversion": "1.0", "id": "2", "source": "/sensors/env-4", "type": ENTER,
          "time": "2025-07-08T06:54:54Z"}],
        [("/sensors/env-4", ENTER, AT), ("env-3", ENTER, AT + 612)]),
}


@pytest.fixture
def dwell(tmp_path):
    return Dwell(tmp_path)


def rows(dwell):
    return [(row.device, row.type, row.timestamp) for row in dwell.rows()]


@pytest.mark.parametrize("name", FEEDS)
def test_a_feed(dwell, name):
    flags, records, wanted = FEEDS[name]
    dwell.write("in.ndjson", "".join(json.dumps(record) + "\n" for record in records))
    dwell.run("replay", "in.ndjson", *flags)
    assert rows(dwell) == wanted


def test_the_database_keeps_the_mapping(dwell):
    flags, records, wanted = FEEDS["aws-iot"]
    dwell.write("in.ndjson", json.dumps(records[0]) + "\n")
    dwell.run("replay", "in.ndjson", *flags)
    dwell.write("more.ndjson", json.dumps(records[1]) + "\n")
    dwell.run("replay", "more.ndjson")
    assert rows(dwell) == wanted
    assert 'input.device_id = "/clientId"  # database dwell.db' in dwell.run("config").out
    # Ids of another making would be other devices.
    refused = dwell.run("replay", "more.ndjson", "--input-device-id", "/thing", status=2)
    assert "input.device_id = /thing" in refused.err and "was made with /clientId" in refused.err
    for spelling in ("lower", "mac"):
        refused = dwell.run("replay", "more.ndjson", "--input-device-id-case", spelling, status=2)
        assert "was made with keep" in refused.err


def test_a_file_of_settings(dwell):
    flags, records, wanted = FEEDS["azure"]
    dwell.write("dwell.toml", """[input]
device_id = ["/data/deviceId", "/deviceId"]
timestamp = "/eventTime"
enter = ["Microsoft.Devices.DeviceConnected"]
exit = ["Microsoft.Devices.DeviceDisconnected"]
""")
    assert "ok" in dwell.run("check", "dwell.toml").out
    dwell.write("in.ndjson", json.dumps(records[0]) + "\n")
    dwell.run("replay", "in.ndjson", "--config", "dwell.toml")
    assert rows(dwell) == wanted


@pytest.mark.parametrize("flags, said", [
    (["--input-enter", "a,b", "--input-exit", "b"], "input.enter and input.exit both have b"),
    (["--input-enter", "*", "--input-exit", "*"], "input.enter and input.exit both have *"),
    (["--input-device-id", "deviceId"], "JSON pointers with commas"),
    (["--input-device-id", "{/a}@{b}"], "JSON pointers with commas"),
    (["--input-timestamp", "{/a}"], "JSON pointers with commas"),
    (["--input-enter", ""], "names with commas"),
    (["--input-device-id", "".join("{/%d}" % i for i in range(32))], "more than 31 members"),
    (["--input-device-id", "/id", "--input-partitioned-by", "device"],
     "set input.partitioned_by = none"),
])
def test_a_mapping_that_cannot_be(dwell, flags, said):
    assert said in dwell.run("config", *flags, status=2).err


def test_keys_may_be_what_a_mapping_makes(dwell):
    dwell.run("config", "--input-device-id", "{/a}@{/b}", "--input-partitioned-by", "device",
              "--input-keys", "mapped")


def test_what_is_posted_needs_no_mapping(tmp_path):
    from dwell_service import Service
    flags, _, _ = FEEDS["home-assistant"]
    with Service(tmp_path, *flags).start() as service:
        event = {"deviceID": "A", "eventType": EXIT, "timestamp": "2025-07-08T06:54:54Z"}
        reply = service.post([event])
        assert reply.status == 201, reply
        assert [one["eventType"] for one in service.get("/timeline/A").json["events"]] == [EXIT]


@pytest.mark.parametrize("name", FEEDS)
def test_a_feed_that_is_posted(tmp_path, name):
    """One object a request, as web hooks are; the rows are those of a file."""
    from dwell_service import Service
    flags, records, wanted = FEEDS[name]
    with Service(tmp_path, *flags).start() as service:
        outcomes = [service.post(json.dumps(record)).json["outcomes"] for record in records]
        service.stop()
    assert [(row.device, row.type, row.timestamp) for row in service.dwell.rows()] == wanted
    assert outcomes == [["accepted"]] * len(wanted) + [["ignored"]] * (len(records) - len(wanted))


def test_what_the_mapping_refuses_is_told(tmp_path):
    from dwell_service import Service
    flags, records, _ = FEEDS["aws-iot"]
    with Service(tmp_path, *flags).start() as service:
        reply = service.post(json.dumps([records[0], {**records[1], "clientId": True}]))
        assert reply.status == 400 and reply.json["errors"] == [
            {"index": 1, "member": "deviceID",
             "detail": "true is neither a text nor a whole number without sign"}]
        reply = service.post(json.dumps({"timestamp": AT, "eventType": "connected"}))
        assert "is missing: looked for /clientId" in reply.json["detail"]
