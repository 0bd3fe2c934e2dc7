"""Clients that mean no good, or do no good: memory stays bounded and the others are served."""

import contextlib
import json
import os
import resource
import socket
import time

import pytest

from dwell_service import post_event, wait_until

BASE = 1_751_932_800_000
MIB = 1 << 20


@pytest.fixture
def crowd():
    """Connections that end with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda service: stack.enter_context(service.wire())


def assert_others_are_served(service, device="served"):
    start = time.monotonic()
    assert service.get("/health").body == b"OK"
    reply = service.post([post_event(device, "enter", BASE)])
    assert reply.status == 201, reply
    assert len(service.timeline(device)) == 1
    assert time.monotonic() - start < 5


def test_thousands_of_idle_connections(service, crowd):
    own, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = 10_000 if hard >= 10_500 else 2_000
    before = service.memory()
    wires = [crowd(service) for _ in range(count)]
    for wire in wires[::10]:
        wire.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n").reply()
    assert_others_are_served(service)
    assert service.memory() - before < 20_000 * count, "memory of an idle connection"
    assert wires[-1].send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n").reply().body == b"OK"
    service.stop()
    resource.setrlimit(resource.RLIMIT_NOFILE, (own, hard))


def test_more_connections_than_allowed_find_the_door_closed(serving, crowd):
    service = serving("--http-max-connections", "10")
    wires = [crowd(service) for _ in range(10)]
    for wire in wires:
        wire.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n").reply()
    assert crowd(service).is_closed(10)
    for wire in wires:
        assert wire.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").reply().status == 200
        wire.close()


def test_silent_posters_do_not_hold_up_others(service, crowd):
    """Each announces as much as it may and sends next to nothing."""
    before = service.memory()
    for n in range(100):
        length = ("Content-Length: 16777216", "Transfer-Encoding: chunked")[n % 2]
        crowd(service).send(f"POST /timeline HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n")
    assert_others_are_served(service)
    assert service.memory() - before < 50 * MIB


def test_half_heads_half_bodies_and_half_closed_connections(service, crowd):
    for n in range(300):
        wire = crowd(service)
        wire.send((b"GET /health HT", b"POST /timeline HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"
                   b"\r\n{", b"")[n % 3])
        if n % 2:
            wire.socket.shutdown(socket.SHUT_WR)
    assert_others_are_served(service)
    wire = crowd(service)  # a client that closes its half still gets its answer
    wire.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n").socket.shutdown(socket.SHUT_WR)
    assert wire.raw().endswith(b"OK")


def test_a_slow_request_costs_a_connection_for_a_bounded_time(serving, crowd):
    service = serving("--http-head-timeout", "1s", "--http-body-timeout", "1s")
    start = time.monotonic()
    for beginning in ("GET /health HTTP/1.1\r\n",
                      "POST /timeline HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"):
        wire = crowd(service).send(beginning)
        assert_others_are_served(service)
        answer = wire.raw()  # ends by itself
        assert answer.startswith(b"HTTP/1.1 408 ") and b"urn:dwell:too-slow" in answer
        assert b"\r\nConnection: close\r\n" in answer
    assert 2 < time.monotonic() - start < 20


def test_a_silent_connection_ends(serving, crowd):
    service = serving("--http-idle-timeout", "1s")
    wires = [crowd(service), crowd(service)]
    wires[0].send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n").reply()
    assert all(wire.is_closed(10) for wire in wires)


def test_a_client_that_does_not_read_is_given_up(serving, crowd):
    service = serving("--http-write-timeout", "1s")
    for start in range(0, 90_000, 30_000):
        service.store(*[("big", ("enter", "exit")[n % 2], BASE + n)
                        for n in range(start, start + 30_000)])
    for _ in range(20):
        wire = crowd(service)
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.send("GET /timeline/big HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_until(lambda: service.sockets() == 1, 20, "connections that are not read stay open")
    assert_others_are_served(service)


def test_readers_that_do_not_read(service, crowd):
    events = [("big", ("enter", "exit")[n % 2], BASE + n) for n in range(90_000)]
    for start in range(0, len(events), 30_000):
        service.store(*events[start:start + 30_000])
    before = service.memory()
    for _ in range(50):
        wire = crowd(service)
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.send("GET /timeline/big HTTP/1.1\r\nHost: x\r\n\r\n")
    assert_others_are_served(service)
    assert service.memory() - before < 60 * MIB
    assert len(service.timeline("big")) == 90_000


def test_body_bombs(service):
    """Large bodies of every useless kind, many at once: refused, and the memory comes back."""
    bombs = [b"[" * (15 * MIB), b'{"events":[' + b"0," * (7 * MIB) + b"0]}",
             b'{"events":[' + b"{}," * (4 * MIB) + b"{}]}", b'{"a":"' + b"x" * (15 * MIB) + b'"}',
             b'{"events":[' + b'{"deviceID":"' + b"d" * (15 * MIB) + b'"}]}', os.urandom(15 * MIB),
             b'{"events":' + b"[" * 1_000 + b"]" * 1_000 + b"}"]
    peak = 0
    for bomb in bombs:
        reply = service.post(bomb)
        assert reply.status == 400, reply
        assert len(reply.body) < 100_000
        peak = max(peak, service.memory())
    assert_others_are_served(service)
    assert peak < 700 * MIB, peak // MIB
    assert service.post(bombs[0], headers={"Content-Encoding": "gzip"}).status == 400


def test_head_bombs(service, crowd):
    before = service.memory()
    for n in range(60):
        wire = crowd(service)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            wire.send(b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"A: " + b"b" * (2 * MIB))
    assert_others_are_served(service)
    assert service.memory() - before < 50 * MIB


def test_the_largest_request_there_may_be(service):
    events = [post_event("large", ("enter", "exit")[n % 2], BASE + n) for n in range(100_000)]
    reply = service.post(events)
    assert reply.status == 201 and reply.json["outcomes"].count("accepted") == 100_000
    events.append(post_event("large", "enter", BASE + 10**6))
    reply = service.post(events)
    assert reply.status == 400 and "100000" in reply.json["detail"]
    assert service.memory() < 700 * MIB
    assert json.loads(service.get("/timeline/large").body)["events"][-1]["timestamp"]


def test_random_bytes(service, crowd):
    for n in range(200):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            crowd(service).send(os.urandom(1 + n * 37)).send(b"\r\n\r\n")
    assert_others_are_served(service)
