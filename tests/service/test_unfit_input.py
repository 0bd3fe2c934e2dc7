"""`--from` on what is no growing file: it stops neither HTTP nor the end of the service."""

import os
import re
import resource
import socket
import subprocess

import pytest

from dwell_cli import event
from dwell_service import wait_until

BASE = 1_751_932_800_000


@pytest.fixture
def log(tmp_path):
    return tmp_path / "events.log"


def rows(service, device="cam"):
    return len(service.timeline(device))


def assert_serves(service, n=[0]):
    """Posts are stored and questions answered, at once."""
    n[0] += 1
    assert service.store((f"web {n[0]}", "enter", BASE)) == ["accepted"]
    assert rows(service, f"web {n[0]}") == 1


def a_folder(path):
    path.mkdir()


def a_loop(path):
    path.symlink_to(path.name)


def a_device(path):
    path.symlink_to("/dev/zero")


def a_file_of_proc(path):
    path.symlink_to("/proc/uptime")


def a_socket(path):
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(path))


UNFIT = [a_folder, a_loop, a_device, a_file_of_proc, a_socket]


@pytest.mark.parametrize("make", UNFIT)
def test_it_is_refused_at_the_start(dwell_in, log, make):
    make(log)
    answer = dwell_in.run("run", "--listen", "127.0.0.1:0", "--from", "events.log", status=2)
    assert re.match(r"dwell: .*(events\.log|/dev/zero|/proc/uptime): ", answer.err)
    assert len(answer.err.splitlines()) == 1


@pytest.mark.parametrize("make", UNFIT)
def test_it_is_told_while_it_stands_in_the_files_place(serving, log, make):
    log.write_bytes(event("cam", "enter", BASE))
    service = serving("--from", "events.log")
    wait_until(lambda: rows(service) == 1)
    log.rename(log.with_name("away"))
    make(log)
    reason = wait_until(lambda: (reply := service.get("/readyz")).status == 503 and reply.text, 5)
    assert "events.log" in reason
    assert_serves(service)
    assert service.get("/readyz").status == 503, "a commit of posts does not hide it"
    assert service.log.count("looked at again and again") == 1
    log.rmdir() if log.is_dir() else log.unlink()
    log.with_name("away").rename(log)
    with open(log, "ab") as file:
        file.write(event("cam", "exit", BASE + 1))
    wait_until(lambda: rows(service) == 2)
    wait_until(lambda: service.get("/readyz").status == 200, 5)
    assert "reading the input again" in service.log
    service.stop()
    totals = service.dwell.totals()
    assert totals["accepted"] == 3 and totals["malformed"] == totals["duplicate"] == 0


def test_clients_that_use_up_the_descriptors_do_not_end_it_at_a_rotation(serving, log):
    log.write_bytes(event("cam", "enter", BASE))
    service = serving("--from", "events.log")
    wait_until(lambda: rows(service) == 1)
    in_use = len(os.listdir(f"/proc/{service.process.pid}/fd"))
    resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE, (in_use + 5, in_use + 5))
    clients = [service.wire() for _ in range(10)]
    wait_until(lambda: len(os.listdir(f"/proc/{service.process.pid}/fd")) >= in_use + 5, 5)
    log.rename(log.with_name("events.log.1"))
    log.write_bytes(event("cam", "exit", BASE + 1))
    wait_until(lambda: "Too many open files" in service.log, 5)
    for client in clients:
        client.close()
    wait_until(lambda: rows(service) == 2)
    assert service.metrics()["dwell_input_gaps_total"] == 0
    service.stop()


@pytest.mark.parametrize("is_there_at_the_start", [True, False])
def test_a_fifo_never_makes_it_wait(serving, log, is_there_at_the_start):
    if is_there_at_the_start:
        os.mkfifo(log)
    service = serving("--from", "events.log")
    if not is_there_at_the_start:
        os.mkfifo(log)
    assert_serves(service)
    for turn in range(2):  # writers come and go
        with open(log, "wb") as fifo:
            fifo.write(event("cam", ("enter", "exit")[turn], BASE + turn))
        wait_until(lambda: rows(service) == turn + 1)
        assert_serves(service)
    service.stop()


def test_a_line_of_gigabytes_holds_up_nobody(serving, log):
    log.write_bytes(event("cam", "enter", BASE))
    os.truncate(log, 40 << 30)  # sparse, and still being read when the test ends
    service = serving("--from", "events.log")
    for _ in range(3):
        assert_serves(service)
    assert service.memory() < 150 << 20
    service.stop()
    assert service.dwell.query("SELECT next FROM input WHERE source LIKE '%events.log'") == [
        (len(event("cam", "enter", BASE)),)]


def test_standard_input_without_end_holds_up_nobody(serving):
    with subprocess.Popen(["tr", "\\0", "x"], stdin=open("/dev/zero", "rb"),
                          stdout=subprocess.PIPE) as line:
        service = serving("--from", "-", stdin=line.stdout)
        line.stdout.close()
        for _ in range(3):
            assert_serves(service)
        assert service.memory() < 150 << 20
        service.stop()
