"""Roles that end by themselves while clients are connected: the reason is told, the end is in order."""

import socket
import subprocess

import pytest

from dwell_cli import Dwell
from dwell_service import SERVING, wait_until

ASK = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def taken(topics, database, tmp_path):
    """A database whose rows come from another cluster: the store refuses it when it joins."""
    Dwell(tmp_path).run("migrate", "up", "--database-url", database.url)
    database.query("INSERT INTO dwell_position (topic, partition, cluster, next) "
                   f"VALUES ('{topics.cleaned}', 0, 'another', 0)")
    return database


@pytest.mark.parametrize("command", ["store", "run"])
@pytest.mark.parametrize("kind", ["none", "idle", "kept alive", "half a head"])
def test_a_role_that_cannot_go_on_ends_all_and_says_why(topics, taken, tmp_path, command, kind):
    log_path = tmp_path / "process.log"
    flags = ["--brokers", topics.broker.address, "--topics-cleaned", topics.cleaned,
             "--topics-state", topics.state, "--topics-rejected", topics.rejected,
             "--store-listen", "127.0.0.1:0"] if command == "store" else [
             *topics.flags(), "--listen", "127.0.0.1:0"]
    with open(log_path, "wb") as log:
        process = Dwell(tmp_path).start(command, *flags, "--database-url", taken.url,
                                        "--store-group", topics.name + "-store", stderr=log,
                                        stdout=subprocess.DEVNULL)
    clients = []
    try:
        match = wait_until(lambda: SERVING.search(log_path.read_text()) or process.poll() is not None)
        assert match is not True, log_path.read_text()
        if kind != "none":
            clients = [socket.create_connection((match[2], int(match[3]))) for _ in range(3)]
            clients[-1].sendall(ASK)  # its answer shows that the others were accepted
            assert clients[-1].recv(100).startswith(b"HTTP/1.1 200")
        if kind == "kept alive":
            clients[0].sendall(ASK)
            assert clients[0].recv(100).startswith(b"HTTP/1.1 200")
        elif kind == "half a head":
            clients[0].sendall(ASK[:10])
        assert process.wait(60) == 1, log_path.read_text()
    finally:
        process.kill()
        process.wait()
        for client in clients:
            client.close()
    told = log_path.read_text()
    assert "was stored from cluster another" in told and "; ending" in told, told
