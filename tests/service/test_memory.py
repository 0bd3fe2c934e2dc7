"""What one request may take of the service's memory, whatever it sends; without sanitizers, whose memory it is not."""

import contextlib
import json
import pathlib
import re
import resource
import socket

import pytest

from dwell_service import post_event, wait_until

BASE = 1_751_932_800_000
MIB = 1 << 20
HEAD = b"POST /timeline HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def sized(body):
    return HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body


def peak(service):
    """The most resident bytes since forget_peak()."""
    text = pathlib.Path(f"/proc/{service.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", text)[1]) << 10


def forget_peak(service):
    pathlib.Path(f"/proc/{service.process.pid}/clear_refs").write_text("5")
    return peak(service)


def send(service, data):
    """Sends all that is taken, and reads the answer to its end."""
    with service.wire() as wire:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            wire.send(data)
            wire.socket.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            return wire.raw()
    return b""


def warm_up(service):
    """What the first requests of any kind leave behind is not of the one that is measured."""
    service.store(("warm", "enter", BASE))
    send(service, sized(b"{"))


USELESS = {
    "text": lambda: sized(b"x" * (16 * MIB)),
    "one extension": lambda: CHUNKED + b"1;" + b"x" * (32 * MIB),
    "extensions": lambda: CHUNKED + (b"1;" + b"x" * 1_000 + b"\r\n \r\n") * 32_000,
    "zeros": lambda: CHUNKED + b"0" * (32 * MIB),
    "trailers": lambda: CHUNKED + b"0\r\n" + b"a:\r\n" * (4 * MIB),
    "one trailer": lambda: CHUNKED + b"0\r\na: " + b"x" * (32 * MIB),
    "open arrays": lambda: sized(b"[" * (16 * MIB)),
    "numbers": lambda: sized(b'{"events":[' + b"0," * (7 * MIB) + b"0]}"),
    "empty events": lambda: sized(b'{"events":[' + b"{}," * (5 * MIB) + b"{}]}"),
    "members": lambda: sized(b'{"a":[' + b'{"b":1},' * (MIB) + b"{}]}"),
    "a long text": lambda: sized(b'{"a":"' + b"x" * (15 * MIB)),
    "a long name": lambda: sized(b'{"' + b"x" * (15 * MIB) + b'":1}'),
    "a long id": lambda: sized(b'{"events":[{"deviceID":"' + b"x" * (15 * MIB) + b'"}]}'),
    "a long type": lambda: sized(b'{"events":[{"eventType":"' + b"x" * (15 * MIB) + b'"}]}'),
    "a long number": lambda: sized(b'{"events":[' + b"1" * (15 * MIB) + b"]}"),
}


def test_what_is_no_list_of_events_takes_little_memory(service):
    warm_up(service)
    for name, make in USELESS.items():
        data = make()
        before = forget_peak(service)
        answer = send(service, data)
        assert peak(service) - before < 2 * MIB, name
        assert answer.startswith(b"HTTP/1.1 400 "), (name, answer[:300])


@pytest.mark.parametrize("kind", ["many devices", "one device", "long ids", "bad events", "escapes"])
def test_the_worst_bodies_take_a_bounded_multiple(service, kind):
    warm_up(service)
    ids = {"many devices": lambda n: f"{n:x}", "one device": lambda n: "a", "bad events": lambda n: "",
           "long ids": lambda n: f"{n:x}".ljust(80, "x"), "escapes": lambda n: f'{n:x}' + '"' * 20}[kind]
    if kind == "bad events":
        body = b'{"events":[' + b"0," * 99_999 + b"0]}"
    else:
        body = json.dumps({"events": [post_event(ids(n), ("enter", "exit")[n % 2], BASE + n)
                                      for n in range(100_000)]}, separators=(",", ":")).encode()
    assert len(body) <= 16 * MIB
    before = forget_peak(service)
    reply = service.post(body, "?partial=true")
    assert reply.status == 201 and len(reply.json["outcomes"]) == 100_000
    took = peak(service) - before
    assert took < 16 * len(body) + 2 * MIB, f"{took / len(body):.1f} bytes a byte"


def test_all_bodies_together_are_under_one_bound(serving):
    """Each connection has sent half of a good body; what is held of them all counts."""
    service = serving("--http-max-receiving", "16MiB")
    warm_up(service)
    event = json.dumps(post_event("a" * 30, "enter", BASE)).encode()
    half = HEAD + b"Content-Length: 16777216\r\n\r\n" + b'{"events":[' + (event + b",") * 20_000
    before = forget_peak(service)
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(service.wire()) for _ in range(40)]
        for wire in wires:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                wire.send(half)
        assert service.get("/health").status == 200
        assert peak(service) - before < 40 * MIB
    wait_until(lambda: service.metrics().get(
        'dwell_http_requests_total{route="none",status="503"}', 0) >= 10)
    wait_until(lambda: service.post([post_event("b", "enter", BASE)]).status == 201)


def test_no_memory_ends_connections_and_not_the_service(tmp_path, serving):
    """Half bodies up to where the system gives no more; then they leave, and all is well."""
    room = 400 * MIB

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (room, room))

    service = serving("--http-max-receiving", "1GiB", "--db-cache", "1MiB", preexec_fn=limit)
    event = json.dumps(post_event("a" * 30, "enter", BASE)).encode()
    half = HEAD + b"Content-Length: 16777216\r\n\r\n" + b'{"events":[' + (event + b",") * 90_000
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            wire = stack.enter_context(service.wire())
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                wire.send(half)
    assert service.process.poll() is None, service.log
    wait_until(lambda: service.sockets() == 1)
    assert service.post([post_event("b", "enter", BASE)]).status == 201
    service.stop()
