"""Another program that changes the file while the service runs: it ends with the reason, or goes on;
it never ends by a failed check of its own."""

import sqlite3

import pytest

BASE = 1_751_932_800_000

CHANGES = {
    "devices deleted": "DELETE FROM device",
    "device deleted": "DELETE FROM device WHERE name = 'cam'",
    "device renumbered": "UPDATE device SET id = id + 100",
    "device with the next number": "INSERT INTO device VALUES (3, 'other', x'00')",
    "device that is new here": "INSERT INTO device VALUES (9, 'new', x'00')",
    "state": "UPDATE device SET state = x'00'",
    "no state": "UPDATE device SET state = x''",
    "rows deleted": "DELETE FROM event",
    "rows of no type": "UPDATE event SET type = 7 WHERE type = 0",
    "rows of no time": "UPDATE event SET timestamp = 9223372036854775807",
    "inputs deleted": "DELETE FROM input",
    "totals deleted": "DELETE FROM total",
    "totals below zero": "UPDATE total SET count = -5",
    "types": "INSERT INTO ignored_type VALUES (0, 'a', 1), (99, 'b', -1)",
    "meta deleted": "DELETE FROM meta",
    "order": "UPDATE meta SET value = 'none' WHERE name = 'order'",
    "layout": "PRAGMA user_version = -1",
    "another program": "PRAGMA application_id = 1",
    "devices dropped": "DROP TABLE device",
    "devices of another kind":
        "DROP TABLE device; CREATE TABLE device (id, name, state); "
        "INSERT INTO device VALUES ('a', 'cam', x'00'), ('b', 'two', 'c')",
    "a trigger": "CREATE TRIGGER t AFTER UPDATE ON device BEGIN DELETE FROM device; END",
    "a trigger that refuses":
        "CREATE TRIGGER t BEFORE UPDATE ON device BEGIN SELECT RAISE(IGNORE); END",
}


def change(service, sql):
    other = sqlite3.connect(service.folder / "dwell.db", timeout=60, isolation_level=None)
    other.executescript(sql)
    other.close()


@pytest.mark.parametrize("name", CHANGES)
def test_a_foreign_change_ends_it_with_its_reason_or_not_at_all(service, name):
    service.store(("cam", "enter", BASE), ("two", "enter", BASE))
    change(service, CHANGES[name])
    try:
        for step, device in enumerate(("cam", "new", "cam", "two"), 1):
            for target in ("/presence", f"/timeline/{device}", f"/devices/{device}", "/rejects"):
                assert service.get(target).status in (200, 404, 500)
            kind = ("exit", "enter")[step % 2]
            body = [{"deviceID": device, "eventType": f"device_{kind}",
                     "timestamp": f"2025-07-08T00:00:0{step}Z"}]
            assert service.post(body).status in (201, 503, 500)
    except OSError:
        pass  # it has ended
    if "; ending" in service.log:
        service.wait(1)
    else:
        service.stop()
    assert "internal error" not in service.log
    started = service.dwell.start("run", "--listen", "127.0.0.1:0")
    try:
        line = started.stderr.readline().decode()
        while "ready: " not in line and started.poll() is None and line:
            line = started.stderr.readline().decode()
    finally:
        started.terminate()
        started.wait(10)
    assert started.returncode in (0, 1, 2)


def test_a_device_that_another_program_deletes_is_named(service):
    service.store(("cam", "enter", BASE))
    change(service, "DELETE FROM device")
    try:
        service.post([{"deviceID": "cam", "eventType": "device_exit",
                       "timestamp": "2025-07-08T00:00:01Z"}])
    except OSError:
        pass
    service.wait(1)
    assert "dwell.db: another program has changed it" in service.log and "cam" in service.log
    assert "backup" in service.log
