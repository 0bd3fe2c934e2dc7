"""One process writes a database, whatever the file is called; what happens to its files is noticed
before anything is answered 201."""

import os
import signal
import sqlite3

import pytest

from dwell_cli import event
from dwell_service import Service, wait_until

BASE = 1_751_932_800_000


def hard_link(old, new):
    os.link(old, new)


def symbolic_link(old, new):
    new.symlink_to(old)


def stored(service):
    return [kind for kind, _ in service.timeline("cam")]


@pytest.mark.parametrize("name_anew", [hard_link, symbolic_link])
def test_a_second_name_is_no_second_writer(service, dwell_in, tmp_path, name_anew):
    service.store(("cam", "enter", BASE))
    name_anew(tmp_path / "dwell.db", tmp_path / "alias.db")
    dwell_in.write("in.ndjson", event("cam", "exit", BASE + 1))
    for command in (("run", "--listen", "127.0.0.1:0"), ("replay", "in.ndjson")):
        answer = dwell_in.run(*command, "--db", "alias.db", status=1)
        assert "locked by" in answer.err and len(answer.err.splitlines()) == 1
    service.store(("cam", "exit", BASE + 2))
    assert stored(service) == ["enter", "exit"]
    service.stop()


def test_a_second_name_by_a_mount_is_no_second_writer(service, dwell_in, tmp_path, mount):
    (tmp_path / "alias.db").touch()
    mount("--bind", str(tmp_path / "dwell.db"), str(tmp_path / "alias.db"))
    assert "locked by" in dwell_in.run("run", "--listen", "127.0.0.1:0", "--db", "alias.db", status=1).err
    service.stop()
    answer = dwell_in.run("run", "--listen", "127.0.0.1:0", "--db", "alias.db", status=2)
    assert "another name of" in answer.err


def test_a_hard_link_is_refused_after_a_kill_and_loses_nothing(service, dwell_in, tmp_path):
    service.store(("cam", "enter", BASE))
    service.kill()
    os.link(tmp_path / "dwell.db", tmp_path / "alias.db")
    dwell_in.write("in.ndjson", event("cam", "exit", BASE + 1))
    for command in (("run", "--listen", "127.0.0.1:0"), ("replay", "in.ndjson"), ("who",)):
        answer = dwell_in.run(*command, "--db", "alias.db", status=2)
        assert str(tmp_path / "dwell.db") in answer.err
    service.start()
    assert stored(service) == ["enter"]
    assert "has 2 names" in service.log, "warned, and taken"
    service.stop()


@pytest.mark.parametrize("name", ["dwell.db", "dwell.db-wal"])
@pytest.mark.parametrize("is_replaced", [False, True], ids=["removed", "replaced"])
def test_nothing_is_answered_201_once_a_file_is_gone(service, tmp_path, name, is_replaced):
    service.store(("cam", "enter", BASE))
    if is_replaced:
        (tmp_path / "another").write_bytes(b"another file")
        (tmp_path / "another").rename(tmp_path / name)
    else:
        (tmp_path / name).unlink()
    reply = service.post([{"deviceID": "cam", "eventType": "device_exit",
                           "timestamp": "2025-07-08T00:00:01Z"}])
    assert reply.status == 503 and name in reply.text
    ready = service.get("/readyz")
    assert ready.status == 503 and f"{name}: was removed or replaced" in ready.text
    assert service.get("/livez").status == 200 and stored(service) == ["enter"]
    assert service.log.count("was removed or replaced") == 1, "said once"
    service.stop()


def test_a_file_that_is_put_back_is_written_again(service, tmp_path):
    service.store(("cam", "enter", BASE))
    (tmp_path / "dwell.db").rename(tmp_path / "away")
    wait_until(lambda: service.get("/readyz").status == 503, 5)  # nothing is posted meanwhile
    (tmp_path / "away").rename(tmp_path / "dwell.db")
    wait_until(lambda: service.get("/readyz").status == 200, 5)
    service.store(("cam", "exit", BASE + 1))
    service.kill()
    service.start()
    assert stored(service) == ["enter", "exit"]


def test_a_stop_saves_what_was_in_a_removed_log(service, tmp_path):
    service.store(("cam", "enter", BASE))
    (tmp_path / "dwell.db-wal").unlink()
    wait_until(lambda: service.get("/readyz").status == 503, 5)
    service.stop()
    service.start()
    assert stored(service) == ["enter"]


def test_a_removed_lock_file_is_made_anew(service, dwell_in, tmp_path):
    (tmp_path / "dwell.db.lock").unlink()
    wait_until(lambda: "dwell.db.lock: was removed" in service.log, 5)
    wait_until(lambda: service.get("/readyz").status == 200, 5)
    assert (tmp_path / "dwell.db.lock").exists()
    answer = dwell_in.run("run", "--listen", "127.0.0.1:0", status=1)
    assert f"locked by process {service.process.pid}" in answer.err
    service.store(("cam", "enter", BASE))


@pytest.fixture
def killed(tmp_path):
    """A service that was killed leaves all its files behind."""
    with Service(tmp_path).start() as one:
        one.kill()
    return one.dwell


@pytest.mark.parametrize("command", [("run", "--listen", "127.0.0.1:0", "--from"), ("replay",)],
                         ids=["run", "replay"])
@pytest.mark.parametrize("source", ["its own name", "another name", "standard input"])
@pytest.mark.parametrize("name", ["dwell.db", "dwell.db-wal", "dwell.db-shm", "dwell.db.lock"])
def test_no_file_of_the_database_is_an_input(killed, name, source, command):
    """Reading its own log once filled it without end."""
    os.link(killed.folder / name, killed.folder / "input")
    argument = {"its own name": name, "another name": "input", "standard input": "-"}[source]
    with open(killed.folder / "input", "rb") as file:
        process = killed.start(*command, argument, stdin=file)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2 and b"belongs to the database" in err


LINKS = {
    "its database": lambda folder: (folder / "dwell.db.lock").symlink_to("dwell.db"),
    "another file": lambda folder: (folder / "dwell.db.lock").symlink_to("theirs"),
    "a name of another file": lambda folder: os.link(folder / "theirs", folder / "dwell.db.lock"),
    "another file itself": lambda folder: (folder / "dwell.db.lock").write_text("theirs"),
    "a FIFO": lambda folder: os.mkfifo(folder / "dwell.db.lock"),
    "a folder": lambda folder: (folder / "dwell.db.lock").mkdir(),
}


@pytest.mark.parametrize("kind", LINKS)
def test_what_is_no_lock_file_is_left_as_it_is(dwell_in, tmp_path, kind):
    dwell_in.write("in.ndjson", event("cam", "enter", BASE))
    dwell_in.run("replay", "in.ndjson")
    (tmp_path / "dwell.db.lock").unlink()
    (tmp_path / "theirs").write_text("theirs")
    before = (tmp_path / "dwell.db").read_bytes()
    LINKS[kind](tmp_path)
    for command in (("run", "--listen", "127.0.0.1:0"), ("replay", "in.ndjson")):
        answer = dwell_in.run(*command, status=2)
        assert "dwell.db.lock: " in answer.err and "; move it away" in answer.err
    assert (tmp_path / "theirs").read_text() == "theirs"
    assert (tmp_path / "dwell.db").read_bytes() == before


@pytest.fixture
def locked(dwell_in, tmp_path):
    """A database on which another program has SQLite's lock."""
    dwell_in.write("in.ndjson", event("cam", "enter", BASE))
    dwell_in.run("replay", "in.ndjson")
    other = sqlite3.connect(tmp_path / "dwell.db", isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    yield other
    other.close()


def test_a_lock_of_another_program_is_waited_for_at_the_start(locked, tmp_path):
    service = Service(tmp_path)
    log = tmp_path / "run-0.log"
    with open(log, "wb") as out:
        service.process = service.dwell.start("run", "--listen", "127.0.0.1:0", stderr=out)
    try:
        wait_until(lambda: "database is locked" in log.read_text(), 20)
        locked.execute("ROLLBACK")
        locked.close()
        wait_until(lambda: "ready: 1 devices" in log.read_text(), 20)
        assert log.read_text().count("database is locked") == 1, "told once"
        service.process.terminate()
        assert service.process.wait(5) == 0
    finally:
        service.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_waits_for_a_lock_can_be_stopped(locked, dwell_in, tmp_path, number):
    log = tmp_path / "log"
    with open(log, "wb") as out:
        process = dwell_in.start("run", "--listen", "127.0.0.1:0", stderr=out)
    try:
        wait_until(lambda: "database is locked" in log.read_text(), 20)
        process.send_signal(number)
        assert process.wait(5) == 0
        assert f"signal {int(number)}: stopping" in log.read_text()
    finally:
        process.kill()
