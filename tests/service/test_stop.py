"""Start and stop: signals, and databases that cannot be served."""

import http.client
import json
import os
import signal
import socket
import sqlite3
import threading
import time

import pytest

from dwell_cli import Dwell, event
from dwell_service import Service, post_event, wait_until

BASE = 1_751_932_800_000


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_status_0(service, number):
    service.store(("cam", "enter", BASE))
    service.process.send_signal(number)
    service.wait(0)
    assert len(service.dwell.rows()) == 1


def test_the_log_of_one_life(service):
    service.stop()
    assert "ready: 0 devices" in service.log and "stopping" in service.log
    assert "error" not in service.log and "warn" not in service.log


def test_idle_connections_are_closed_at_the_stop(service):
    wires = [service.wire() for _ in range(50)]
    for wire in wires[::2]:
        wire.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n").reply()
    service.stop()
    assert all(wire.is_closed(1) for wire in wires)


def test_half_requests_do_not_hold_up_the_stop(service):
    wires = [service.wire().send(part) for part in (
        "GET /health HTTP/1.1\r\nHos", "POST /timeline HTTP/1.1\r\nHost: x\r\n"
        "Content-Length: 100\r\n\r\n{", "POST /timeline HTTP/1.1\r\nHost: x\r\n"
        "Transfer-Encoding: chunked\r\n\r\n5\r\nab")]
    assert service.get("/health").status == 200
    service.stop()
    for wire in wires:
        wire.close()


def test_a_reader_that_does_not_read_does_not_hold_up_the_stop(service):
    events = [("cam", ("enter", "exit")[n % 2], BASE + n) for n in range(90_000)]
    for start in range(0, len(events), 30_000):
        service.store(*events[start:start + 30_000])
    wire = service.wire()
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    wire.send("GET /timeline/cam HTTP/1.1\r\nHost: x\r\n\r\n")
    assert wire.socket.recv(100).startswith(b"HTTP/1.1 200")
    service.stop()
    wire.close()


def test_requests_in_flight_are_answered_before_the_end(service):
    """The commit is held up from outside until after the signal."""
    service.store(("cam", "enter", BASE))
    other = sqlite3.connect(service.folder / "dwell.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    wires = []
    for number in range(8):
        body = json.dumps({"events": [post_event(f"flight-{number}", "enter", BASE)]})
        wires.append(service.wire().send("POST /timeline HTTP/1.1\r\nHost: x\r\n"
                                         f"Content-Length: {len(body)}\r\n\r\n{body}"))
    for _ in range(3):
        assert service.get("/health").status == 200  # so what came before was read as well
    service.process.send_signal(signal.SIGTERM)
    wait_until(lambda: "stopping" in service.log)
    other.execute("ROLLBACK")
    other.close()
    service.wait(0)
    assert [wire.reply("POST").status for wire in wires] == [201] * 8
    assert {f"flight-{n}" for n in range(8)} <= {row.device for row in service.dwell.rows()}


def test_a_stop_under_load_loses_nothing_that_was_answered(service):
    answered, lock = [], threading.Lock()

    def client(number):
        connection = http.client.HTTPConnection(service.host, service.port, timeout=60)
        try:
            for n in range(100_000):
                body = json.dumps({"events": [post_event(f"c{number}-{n}", "enter", BASE)]})
                connection.request("POST", "/timeline", body)
                response = connection.getresponse()
                response.read()
                if response.status != 201:
                    return
                with lock:
                    answered.append(f"c{number}-{n}")
        except (http.client.HTTPException, OSError):
            return

    threads = [threading.Thread(target=client, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(answered) > 100)
    service.stop()
    for thread in threads:
        thread.join()
    stored = [row.device for row in service.dwell.rows()]
    assert len(set(stored)) == len(stored) and set(answered) <= set(stored)


def stop_twice(service):
    """The second signal comes while the first is still being obeyed, and ends it at once."""
    service.process.send_signal(signal.SIGTERM)
    wait_until(lambda: "stopping" in service.log)
    service.process.send_signal(signal.SIGTERM)
    service.wait(128 + signal.SIGTERM, seconds=1)


def test_a_second_signal_exits_at_once(service):
    service.store(("cam", "enter", BASE))
    other = sqlite3.connect(service.folder / "dwell.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # the request below would keep it busy for seconds
    with service.wire() as wire:
        body = json.dumps({"events": [post_event("cam", "exit", BASE + 1)]})
        wire.send(f"POST /timeline HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}"
                  "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert service.get("/health").status == 200
        stop_twice(service)
    other.close()
    service.start()
    assert len(service.timeline("cam")) in (1, 2)


def test_a_second_signal_ends_a_commit_that_waits(serving, tmp_path):
    """No request is in flight, only a line of the file: nothing but the commit holds up the stop."""
    log = tmp_path / "events.log"
    log.write_bytes(event("cam", "enter", BASE))
    service = serving("--from", "events.log")
    wait_until(lambda: service.timeline("cam"))
    other = sqlite3.connect(service.folder / "dwell.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with open(log, "ab") as file:
        file.write(event("cam", "exit", BASE + 1))
    wait_until(lambda: "trying again" in service.log)
    time.sleep(0.5)  # until the next try, which waits for two seconds
    stop_twice(service)
    other.close()
    service.start()
    wait_until(lambda: len(service.timeline("cam")) == 2)


def test_a_stop_while_another_program_holds_the_file(service):
    other = sqlite3.connect(service.folder / "dwell.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert service.post([post_event("cam", "enter", BASE)]).status == 503
    service.process.send_signal(signal.SIGTERM)
    service.wait(0, seconds=5)
    other.close()
    service.start()
    assert service.timeline("cam") == []


def refused(dwell, *words, flags=(), status=2):
    answer = dwell.run("run", "--listen", "127.0.0.1:0", *flags, status=status)
    message = answer.err.splitlines()[-1]
    for word in words:
        assert word in message, answer.err
    assert len(message) < 400 and answer.raw == b""
    return answer


def test_a_database_another_service_has(service, dwell_in):
    refused(dwell_in, "dwell.db", "locked by process", str(service.process.pid), status=1)
    assert service.store(("cam", "enter", BASE)) == ["accepted"]
    service.stop()
    service.start()


def test_replay_into_the_database_of_a_service_is_refused(service, dwell_in):
    path = dwell_in.write("in.ndjson", event("cam", "enter", BASE))
    answer = dwell_in.run("replay", path, status=1)
    assert "dwell.db" in answer.err and "locked by process" in answer.err
    assert service.timeline("cam") == []


def test_questions_by_command_while_the_service_runs(service, dwell_in):
    service.store(("cam", "enter", BASE))
    for _ in range(3):
        assert len(dwell_in.run("timeline", "cam", "--json").json["events"]) >= 1
    service.store(("cam", "exit", BASE + 1))
    assert len(service.timeline("cam")) == 2


def test_a_file_that_is_no_database(dwell_in):
    dwell_in.write("dwell.db", b"this is a text, not a database\n" * 1_000)
    refused(dwell_in, "dwell.db")
    assert (dwell_in.folder / "dwell.db").read_bytes().startswith(b"this is a text")


def test_the_database_of_another_program(dwell_in):
    dwell_in.query_and_commit("CREATE TABLE theirs(x)")
    refused(dwell_in, "dwell.db")
    assert dwell_in.query("SELECT name FROM sqlite_schema") == [("theirs",)]


def test_a_corrupt_database(service, dwell_in):
    service.store(*[(f"cam-{n}", ("enter", "exit")[n % 2], BASE + n) for n in range(3_000)])
    service.stop()
    path = dwell_in.folder / "dwell.db"
    content = bytearray(path.read_bytes())
    content[100:] = b"\xa5" * (len(content) - 100)
    path.write_bytes(content)
    refused(dwell_in, "dwell.db", "malformed", "backup", status=1)


def test_a_database_that_is_damaged_while_it_is_served(service, dwell_in):
    """It is not the client's fault, and readiness tells."""
    service.store(*[(f"cam-{n}", ("enter", "exit")[n % 2], BASE + n) for n in range(3_000)])
    service.stop()
    service.start()
    path = dwell_in.folder / "dwell.db"
    with open(path, "r+b") as file:
        file.write(b"\xa5" * path.stat().st_size)
    for target in ("/timeline/cam-1", "/devices/cam-1", "/presence"):
        reply = service.get(target)
        assert reply.status == 500 and reply.json["type"] == "urn:dwell:internal", (target, reply)
    ready = service.get("/readyz")
    assert ready.status == 503 and "questions fail" in ready.text, ready


def take_writing_away(path, mount):
    """From everybody, root included."""
    path.chmod(0o444)
    if os.access(path, os.W_OK):
        mount("--bind", path, path)
        mount("-o", "remount,bind,ro", path)


def test_a_read_only_database(service, dwell_in, mount):
    service.store(("cam", "enter", BASE))
    service.stop()
    before = dwell_in.rows()
    take_writing_away(dwell_in.folder / "dwell.db", mount)
    refused(dwell_in, "dwell.db", "is read-only; make the file and its folder writable")
    answer = dwell_in.run("replay", dwell_in.write("in.ndjson", event("cam", "exit", BASE + 1)),
                          status=2)
    assert "make the file and its folder writable" in answer.err
    assert dwell_in.rows() == before


def test_a_folder_that_does_not_exist(dwell_in):
    refused(dwell_in, "nowhere/dwell.db", flags=("--db", "nowhere/dwell.db"))
    refused(dwell_in, "folder", flags=("--db", str(dwell_in.folder)))


def test_the_other_order_is_refused(service, dwell_in):
    service.store(("cam", "enter", BASE))
    service.stop()
    refused(dwell_in, "order", flags=("--order", "arrival"))


def test_an_address_that_is_taken(service, tmp_path):
    folder = tmp_path / "second"
    folder.mkdir()
    answer = Service(folder).dwell.run("run", "--listen", f"127.0.0.1:{service.port}", status=2)
    assert f"127.0.0.1:{service.port}" in answer.err


@pytest.mark.parametrize("address", ["", "8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999",
                                     "nowhere.invalid:80", "127.0.0.1:80x", ":80", "[::1"])
def test_an_address_that_is_none(dwell_in, address):
    answer = dwell_in.run("run", "--listen", address, status=2)
    assert len(answer.err.splitlines()) <= 2 and answer.err
    assert not list(dwell_in.folder.glob("*.db-wal"))


def test_a_stop_at_the_start_is_a_stop(tmp_path):
    """From the moment on that it has taken the database, whatever it still opens and restores."""
    for turn in range(5):
        folder = tmp_path / str(turn)
        folder.mkdir()
        process = Dwell(folder).start("run", "--listen", "127.0.0.1:0")
        try:
            wait_until((folder / "dwell.db.lock").exists)
            process.terminate()
            _, err = process.communicate(timeout=5)
            assert process.returncode == 0 and b"stopping" in err
        finally:
            process.kill()
