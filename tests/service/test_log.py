"""The log: its forms, its levels and lines that repeat."""

import datetime
import json
import os
import pty
import re
import signal
import socket
import threading

import pytest

from dwell_cli import Dwell
from dwell_service import wait_until
from kafka_broker import free_ports

BASE = 1_751_932_800_000
TEXT_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info|warning|error) .+")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
SECRET = "cam-secret-4711"


@pytest.fixture
def logging(serving, monkeypatch):
    """logging(form, *flags) starts a service whose log has this form."""

    def start(form, *flags):
        monkeypatch.setattr("dwell_service.Dwell", lambda folder: Dwell(
            folder, DWELL_LOG_FORMAT=form))
        return serving(*flags)

    return start


def lines(text):
    """The JSON lines of a log, each of them checked."""
    read = [json.loads(line) for line in text.splitlines()]
    for line in read:
        assert TIME.fullmatch(line["time"]) and datetime.datetime.fromisoformat(line["time"][:-1])
        assert line["level"] in ("debug", "info", "warning", "error")
        assert isinstance(line["message"], str) and line["message"]
        assert set(line) <= {"time", "level", "message", "task"}
    return read


def messages(text, level=None):
    return [line["message"] for line in lines(text) if level in (None, line["level"])]


def switch(service, said):
    service.process.send_signal(signal.SIGUSR1)
    wait_until(lambda: said in service.log)


@pytest.mark.parametrize("form", ["json", "auto"])
def test_a_whole_life_is_told_in_json(logging, tmp_path, form):
    service = logging(form, "--from", "events.log", "--log-level", "debug")
    (tmp_path / "events.log").write_text("no event\n")
    wait_until(lambda: "rejected 1 malformed" in service.log)
    service.store(("cam", "enter", BASE))
    service.stop()
    said = messages(service.log)
    assert said[0].startswith("serving dwell.db on http://127.0.0.1:")
    assert "ready: 0 devices" in said and "signal 15: stopping" in said


def test_text_is_as_it_was(logging):
    service = logging("text")
    service.stop()
    assert all(TEXT_LINE.fullmatch(line) for line in service.log.splitlines()), service.log
    assert re.search(r"Z info ready: 0 devices$", service.log, re.MULTILINE)


def test_on_a_terminal_auto_is_text(tmp_path):
    ours, theirs = pty.openpty()
    said = b""

    def read():
        nonlocal said
        try:
            while data := os.read(ours, 4096):
                said += data
        except OSError:
            pass  # the other end is closed

    process = Dwell(tmp_path, DWELL_LOG_FORMAT="auto").start(
        "run", "--listen", "127.0.0.1:0", stderr=theirs)
    os.close(theirs)
    reader = threading.Thread(target=read)
    reader.start()
    try:
        wait_until(lambda: b"ready: " in said)
        process.terminate()
        assert process.wait(5) == 0
    finally:
        process.kill()
        reader.join()
        os.close(ours)
    told = said.decode().splitlines()
    assert len(told) >= 3 and all(TEXT_LINE.fullmatch(line) for line in told), told


def test_why_it_ends_is_a_line_of_the_log_in_json(tmp_path):
    dwell = Dwell(tmp_path)
    where = ("run", "--listen", "192.0.2.1:80")
    answer = dwell.run(*where, status=2, DWELL_LOG_FORMAT="json")
    assert "192.0.2.1:80: cannot listen" in messages(answer.err, "error")[-1]
    assert dwell.run(*where, status=2).err.splitlines()[-1].startswith("dwell: 192.0.2.1:80: ")


def test_commands_that_end_by_themselves_have_messages_in_text(tmp_path):
    answer = Dwell(tmp_path).run("replay", "missing", status=1, DWELL_LOG_FORMAT="json")
    assert answer.err.startswith("dwell: missing")


def test_a_hostile_name_stays_inside_its_line(logging, tmp_path):
    name = 'a"}\n{"level":"error\x1b[2J\\'
    service = logging("json", "--from", name)
    (tmp_path / name).mkdir()
    wait_until(lambda: "looked at again and again" in service.log)
    service.stop()
    warned, = messages(service.log, "warning")
    assert 'a"}\\x0a{"level":"error\\x1b[2J\\' in warned
    assert not messages(service.log, "error")


def test_a_name_that_is_no_text_leaves_the_line_valid(logging, tmp_path):
    name = os.fsdecode(b"\xff\xfe\xc3")
    service = logging("json", "--from", name)
    (tmp_path / name).mkdir()
    wait_until(lambda: "looked at again and again" in service.log)
    service.stop()
    warned, = messages(service.log_path.read_bytes().decode("utf-8", "strict"), "warning")
    assert r"\xff\xfe\xc3" in warned


def test_the_level_leaves_lines_out(logging, tmp_path):
    service = logging("json", "--from", "in")
    service.stop()
    assert {line["level"] for line in lines(service.log)} == {"info"}

    port, = free_ports(1)
    process = Dwell(tmp_path, DWELL_LOG_FORMAT="json", DWELL_LOG_LEVEL="warning").start(
        "run", "--listen", f"127.0.0.1:{port}", "--from", "in")
    try:
        wait_until(lambda: is_served(port))
        (tmp_path / "in").mkdir()
        told = process.stderr.readline().decode()
        process.terminate()
        assert process.wait(5) == 0
        told += process.stderr.read().decode()
    finally:
        process.kill()
    assert {line["level"] for line in lines(told)} == {"warning"}


def is_served(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def test_sigusr1_switches_to_debug_and_back(logging):
    service = logging("json")
    service.get("/livez")
    assert not messages(service.log, "debug")
    switch(service, "log level debug")
    service.store((SECRET, "enter", BASE))
    assert service.get(f"/timeline/{SECRET}?limit=7").status == 200
    assert service.get(f"/nowhere/{SECRET}?limit=7").status == 404

    def said(pattern):
        return any(re.fullmatch(pattern, one) for one in messages(service.log, "debug"))

    wait_until(lambda: said(r"committed 1 records in \d+\.\d ms"))
    assert said(r"http /timeline: 201 in \d+\.\d ms")
    assert said(r"http /timeline/\{device\}: 200 in \d+\.\d ms")
    assert said(r"http none: 404 in \d+\.\d ms")
    switch(service, "log level info")
    told = messages(service.log, "debug")
    service.store((SECRET, "exit", BASE + 1))
    service.stop()
    assert messages(service.log, "debug") == told
    assert SECRET not in service.log and "limit" not in service.log, "neither devices nor queries"


def test_sigusr1_goes_back_to_the_level_that_was_set(logging):
    service = logging("json", "--log-level", "debug")
    switch(service, '"log level debug"')
    service.get("/livez")
    wait_until(lambda: "http /livez: 200" in service.log)
    service.stop()


def test_sigusr1_while_it_starts_or_stops_ends_nothing(logging, tmp_path):
    process = Dwell(tmp_path, DWELL_LOG_FORMAT="json").start("run", "--listen", "127.0.0.1:0")
    try:
        assert b"serving" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGUSR1)
        assert process.wait(5) == 0
        lines(process.stderr.read().decode())
    finally:
        process.kill()


def test_the_same_line_comes_once_and_then_its_count(logging):
    """The input comes and goes: the same two lines each time."""
    service = logging("json", "--from", "in")
    folder = service.folder / "in"
    for _ in range(3):
        folder.mkdir()
        wait_until(lambda: service.get("/readyz").status == 503)
        folder.rmdir()
        service.wait_ready()
    service.stop()
    said = messages(service.log)
    assert sum(one == "reading the input again" for one in said) == 1, said
    assert any(re.fullmatch(r"reading the input again \(2 times more in \d+ s\)", one)
               for one in said), said
    warned = messages(service.log, "warning")
    assert len(warned) == 2 and re.search(r" \(2 times more in \d+ s\)$", warned[1]), warned
