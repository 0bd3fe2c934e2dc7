"""A service that ends by itself says why and ends in order, whoever is connected."""

import http.client
import json
import os
import resource
import socket
import sqlite3
import subprocess
import tempfile
import threading

import pytest

from dwell_cli import Dwell
from dwell_service import post_event, wait_until
from free_ports import free_ports

BASE = 1_751_932_800_000
CONNECTIONS = ("none", "idle", "kept alive", "half a head", "half a body", "streaming")


def connect(service, kind):
    """A connection as health checkers, load balancers and readers hold them."""
    wire = service.wire()
    if kind == "kept alive":
        wire.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n").reply()
    elif kind == "half a head":
        wire.send("GET /health HTTP/1.1\r\nHos")
    elif kind == "half a body":
        wire.send("POST /timeline HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    elif kind == "streaming":
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.send("GET /timeline/cam HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.socket.recv(100).startswith(b"HTTP/1.1 200")
    return wire


def status_of(port, method, path, body=None):
    """None while nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        return connection.getresponse().status
    except ConnectionError:
        return None
    finally:
        connection.close()


@pytest.mark.parametrize("kind", CONNECTIONS)
def test_a_database_that_breaks_ends_it_with_its_reason(service, kind):
    """The table of rows goes while the service runs, so that the next commit can never succeed."""
    for start in range(0, 90_000, 30_000):
        service.store(*(("cam", ("enter", "exit")[n % 2], BASE + n)
                        for n in range(start, start + 30_000)))
    wire = connect(service, kind) if kind != "none" else None
    if kind != "streaming":  # which has a page of rows in hand
        assert service.get("/health").status == 200  # so that what came before was accepted
    other = sqlite3.connect(service.folder / "dwell.db", timeout=60, isolation_level=None)
    other.execute("DROP TABLE event")
    other.close()
    body = json.dumps({"events": [post_event("cam", "enter", BASE + 1_000_000)]})
    poster = service.wire().send("POST /timeline HTTP/1.1\r\nHost: x\r\n"
                                 f"Content-Length: {len(body)}\r\n\r\n{body}")
    service.wait(1)
    assert "no such table" in service.log and "; ending" in service.log, service.log
    assert b"201 Created" not in poster.raw()
    if wire:
        wire.close()


def test_a_log_that_nobody_reads_any_more_stops_nothing(tmp_path):
    """As behind `2>&1 | head -1`, or a log shipper that starts anew."""
    read, write = os.pipe()
    process = Dwell(tmp_path).start("run", "--listen", "127.0.0.1:0", stdout=subprocess.DEVNULL,
                                    stderr=write)
    os.close(write)
    with open(read, encoding="utf-8") as log:
        assert "serving" in log.readline()
    try:
        process.terminate()  # which it logs
        assert process.wait(5) == 0
    finally:
        process.kill()


def fill(pipe):
    """Until it takes no more."""
    os.set_blocking(pipe, False)
    for size in (4096, 1):
        try:
            while True:
                os.write(pipe, b"x" * size)
        except BlockingIOError:
            pass
    os.set_blocking(pipe, True)


@pytest.mark.parametrize("is_full_from_the_start", [False, True])
def test_a_log_that_nobody_empties_holds_up_nothing(tmp_path, is_full_from_the_start):
    """As after Ctrl-S on a terminal, or behind a log shipper that hangs."""
    port, = free_ports(1)
    read, write = os.pipe()
    if is_full_from_the_start:
        fill(write)
    process = Dwell(tmp_path).start("run", "--listen", f"127.0.0.1:{port}", "--from", "in",
                                    stdout=subprocess.DEVNULL, stderr=write)
    try:
        wait_until(lambda: status_of(port, "GET", "/readyz") == 200)
        fill(write)
        (tmp_path / "in").mkdir()  # which it complains of, again and again
        wait_until(lambda: status_of(port, "GET", "/readyz") == 503)
        body = json.dumps({"events": [post_event("cam", "enter", BASE)]})
        assert status_of(port, "POST", "/timeline", body) == 201
        (tmp_path / "in").rmdir()
        wait_until(lambda: status_of(port, "GET", "/readyz") == 200)
        if is_full_from_the_start:  # somebody reads again
            os.set_blocking(read, False)
            while len(os.read(read, 1 << 20)) == 1 << 20:
                pass
        process.terminate()
        assert process.wait(5) == 0
        os.close(write)
        os.set_blocking(read, False)
        told = os.read(read, 1 << 20).decode()
        if is_full_from_the_start:
            assert "lines of the log could not be written" in told and "stopping" in told
    finally:
        process.kill()
        process.wait()
        os.close(read)


@pytest.mark.parametrize("threads", range(1, 5))
def test_threads_that_the_system_does_not_give_are_told(threads):
    """The limit counts all threads of a user: for root it is tried as one that has no others."""
    def limit():
        resource.setrlimit(resource.RLIMIT_NPROC, (threads, threads))
        if os.getuid() == 0:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)

    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        dwell = Dwell(folder, ASAN_OPTIONS="detect_leaks=0")  # which would need a thread itself
        process = dwell.start("run", "--listen", "127.0.0.1:0", stdout=subprocess.DEVNULL,
                              preexec_fn=limit)
        killer = threading.Timer(30, process.kill)
        killer.start()
        log = ""
        for line in process.stderr:
            log += line.decode()
            if "ready: " in log:
                process.terminate()  # it was given all it wanted
                break
        log += process.stderr.read().decode()
        status = process.wait()
        killer.cancel()
    if "ready: " in log:
        assert status == 0, log
        return
    assert status == 1, log
    assert "Resource temporarily unavailable" in log and "ulimit" in log, log
