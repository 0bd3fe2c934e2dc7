"""/openapi.json is sound, and each status it documents for an operation is really answered."""

import concurrent.futures
import contextlib
import fcntl
import json
import os
import selectors
import sqlite3
import threading

import pytest

from dwell_service import post_event, wait_until

BASE = 1_751_932_800_000

# A target of each path.
TARGETS = {"/timeline": "/timeline", "/timeline/{device}": "/timeline/cam", "/presence": "/presence",
           "/devices/{device}": "/devices/cam", "/health": "/health", "/livez": "/livez",
           "/readyz": "/readyz", "/metrics": "/metrics", "/openapi.json": "/openapi.json"}
OF_THE_STORE = ["/timeline/{device}", "/presence", "/devices/{device}"]


def document(service):
    reply = service.get("/openapi.json")
    assert reply.headers["Content-Type"] == "application/json"
    return reply.json


def resolved(api, node):
    """What a reference leads to, if it is one."""
    while "$ref" in node:
        place = api
        for name in node["$ref"][2:].split("/"):
            place = place[name]
        node = place
    return node


def documented(api):
    return {(route, method, status) for route, methods in api["paths"].items()
            for method, operation in methods.items() for status in operation["responses"]}


def test_every_reference_leads_somewhere_and_every_operation_has_its_own_name(shared):
    api = document(shared)
    assert api["openapi"].startswith("3.1.") and api["info"]["title"] and api["info"]["version"]

    def references(node):
        if isinstance(node, dict):
            if "$ref" in node:
                yield node["$ref"]
            node = node.values()
        elif not isinstance(node, list):
            return
        for part in node:
            yield from references(part)

    for reference in references(api):
        assert reference.startswith("#/") and resolved(api, {"$ref": reference})
    operations = [o for methods in api["paths"].values() for o in methods.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    for route, methods in api["paths"].items():
        for operation in methods.values():
            parameters = [resolved(api, p) for p in operation.get("parameters", [])]
            in_path = {p["name"] for p in parameters if p["in"] == "path"}
            assert in_path == {part[1:-1] for part in route.split("/") if part.startswith("{")}


def test_every_documented_route_is_there_and_no_other(shared):
    routes = {route.replace("{device}", "cam"): set(methods) - {"get"} | (
        {"get", "head"} if "get" in methods else set())
        for route, methods in document(shared)["paths"].items()}
    for route, methods in routes.items():
        allowed = shared.request("OPTIONS", route).headers["Allow"].lower().split(", ")
        assert set(allowed) == methods | {"options"}, route


def matches(schema, value, api):
    """As much of JSON Schema as the document uses; None or what is wrong."""
    schema = resolved(api, schema)
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int,
             "null": type(None)}
    kind = schema.get("type")
    if kind and not isinstance(value, tuple(kinds[k] for k in
                                            ([kind] if isinstance(kind, str) else kind))):
        return f"{value!r} is no {kind}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{value!r} is not in {schema['enum']}"
    if "const" in schema and value != schema["const"]:
        return f"{value!r} is not {schema['const']!r}"
    if isinstance(value, dict):
        missing = set(schema.get("required", [])) - set(value)
        known = schema.get("properties", {})
        extra = schema.get("additionalProperties")
        unknown = set(value) - set(known) if known and extra is None else set()
        if missing or unknown:
            return f"{value!r}: missing {missing}, not documented {unknown}"
        parts = [(known.get(k, extra or {}), v) for k, v in value.items()]
    elif isinstance(value, list):
        if len(value) > schema.get("maxItems", len(value)):
            return "too many"
        parts = [(schema.get("items", {}), v) for v in value]
    else:
        return None
    return next(filter(None, (matches(s, v, api) for s, v in parts)), None)


class Recorder:
    """Checks answers against the document and remembers what was reached."""

    def __init__(self, service):
        self.service, self.api, self.reached = service, document(service), set()
        assert set(self.api["paths"]) == set(TARGETS)

    def check(self, route, method, status, reply):
        assert str(reply.status) == status, (route, method, reply)
        responses = self.api["paths"][route][method]["responses"]
        assert status in responses, (route, method, status, "is not documented")
        response = resolved(self.api, responses[status])
        kind = reply.headers["Content-Type"].split(";")[0]
        assert kind in response["content"], (route, method, status, kind)
        if kind in ("application/json", "application/problem+json"):
            wrong = matches(response["content"][kind]["schema"], reply.json, self.api)
            assert not wrong, (route, method, status, wrong)
        for name, header in response.get("headers", {}).items():
            assert not header["required"] or reply.headers[name], (route, method, status, name)
        self.reached.add((route, method, status))
        return reply

    def ask(self, route, method, status, target=None, body=None, **headers):
        reply = self.service.request(method.upper(), target or TARGETS[route], body, headers)
        return self.check(route, method, status, reply)

    def send(self, wire, route, method, status):
        """The answer to what was written to a connection."""
        return self.check(route, method, status, wire.reply(method.upper()))


def what_any_resource_answers(recorder):
    """What the server answers before anybody looks at the resource, and its first look."""
    service = recorder.service
    operations = [(route, method) for route, methods in recorder.api["paths"].items()
                  for method in methods]
    with contextlib.ExitStack() as stack:
        slow = []
        for route, method in operations:
            wire = stack.enter_context(service.wire())
            slow.append(wire.send(f"{method.upper()} {TARGETS[route]} HTTP/1.1\r\nHost: "))
        for route, method in operations:
            first = f"{method.upper()} {TARGETS[route]}"
            with service.wire() as wire:
                recorder.send(wire.send(f"{first} HTTP/1.1\r\n\r\n"), route, method, "400")
            for size in (9_000, 20_000):  # longer than a target, longer than a head
                with service.wire() as wire:
                    wire.send(f"{first}?{'x' * size} HTTP/1.1\r\nHost: x\r\n\r\n")
                    recorder.send(wire, route, method, "414")
            with service.wire() as wire:
                wire.send(f"{first} HTTP/1.1\r\nHost: x\r\nX: {'x' * 20_000}\r\n\r\n")
                recorder.send(wire, route, method, "431")
            if "421" in recorder.api["paths"][route][method]["responses"]:
                with service.wire() as wire:
                    wire.send(f"{first} HTTP/1.1\r\nHost: foreign.example\r\n\r\n")
                    recorder.send(wire, route, method, "421")
            recorder.check(route, method, "405", service.request("DELETE", TARGETS[route]))
        for wire, (route, method) in zip(slow, operations):
            recorder.send(wire, route, method, "408")


@contextlib.contextmanager
def log_being_repaired(folder):
    """What a reader sees while another program repairs SQLite's log after a crash: that program
    holds the locks WAL_WRITE_LOCK and WAL_RECOVER_LOCK, and the index is not yet valid again."""
    index = os.open(folder / "dwell.db-shm", os.O_RDWR)
    try:
        for place in (120, 122):
            fcntl.lockf(index, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        valid = os.pread(index, 96, 0)
        os.pwrite(index, bytes(96), 0)
        yield
        os.pwrite(index, valid, 0)
    finally:
        os.close(index)


def test_each_documented_status_of_each_operation_is_reached(serving, tmp_path):
    service = serving("--order", "event_time", "--http-head-timeout", "1s")
    recorder = Recorder(service)
    ask = recorder.ask
    good = json.dumps({"events": [post_event("cam", k, BASE + n) for n, k in
                                  enumerate(("enter", "exit", "enter", "wave", "enter"))]})
    bad = json.dumps({"events": [post_event("", "enter", BASE)] * 150})
    ask("/timeline", "post", "201", body=good)
    assert len(ask("/timeline", "post", "201", "/timeline?partial=true", bad).json["errors"]) == 100
    assert len(ask("/timeline", "post", "400", body=bad).json["errors"]) == 100
    ask("/timeline", "post", "400", "/timeline?partial=1", good)
    ask("/timeline", "post", "400", body="{")
    ask("/timeline", "post", "403", body=good, Origin="http://foreign.example")
    ask("/timeline", "post", "413", body=b" " * ((16 << 20) + 1))
    ask("/timeline", "post", "415", body=good, **{"Content-Type": "text/plain"})
    ask("/timeline", "post", "415", body=good, **{"Content-Encoding": "br"})
    ask("/timeline", "post", "422", body=json.dumps(post_event("cam", "enter", 1_000)))
    ask("/timeline/{device}", "get", "200", "/timeline/cam?limit=1")
    ask("/timeline/{device}", "get", "200", Accept="text/csv")
    ask("/timeline/{device}", "get", "200", Accept="application/x-ndjson")
    ask("/timeline/{device}", "get", "400", "/timeline/cam?limit=0")
    ask("/timeline/{device}", "get", "406", Accept="text/html")
    ask("/presence", "get", "200", "/presence?limit=1")
    ask("/presence", "get", "400", "/presence?at=x")
    ask("/devices/{device}", "get", "200")
    ask("/devices/{device}", "get", "400", "/devices/cam?x=1")
    ask("/devices/{device}", "get", "404", "/devices/never")
    for route in ("/health", "/livez", "/readyz", "/metrics", "/openapi.json"):
        ask(route, "get", "200")
    what_any_resource_answers(recorder)

    # Another program holds the file for writing: nothing can be committed until it lets go.
    other = sqlite3.connect(tmp_path / "dwell.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    ask("/timeline", "post", "503", body=good)
    ask("/readyz", "get", "503")
    ask("/timeline/{device}", "get", "200")  # reading goes on
    other.execute("ROLLBACK")
    other.close()
    wait_until(lambda: service.get("/readyz").status == 200)
    ask("/timeline", "post", "201", body=good)

    with log_being_repaired(tmp_path), concurrent.futures.ThreadPoolExecutor() as pool:
        for done in [pool.submit(ask, route, "get", "503") for route in OF_THE_STORE]:
            done.result()
    for route in OF_THE_STORE:
        ask(route, "get", "200")

    # All but the page that opens the file is damaged behind the back of a service that just began.
    service.stop()
    service.start()
    with open(tmp_path / "dwell.db", "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))
    for route in OF_THE_STORE:
        ask(route, "get", "500")
    never = documented(recorder.api) - recorder.reached
    assert not never, f"documented and never reached: {sorted(never)}"


def test_bodies_are_bounded_in_all(serving):
    service = serving("--http-max-receiving", "64KiB")
    with service.wire() as one, service.wire() as other:
        head = "POST /timeline HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n"
        one.send(head + " " * 60_000)
        other.send(head + " " * 60_000)
        with selectors.DefaultSelector() as selector:  # the one that came later is refused
            for wire in (one, other):
                selector.register(wire.socket, selectors.EVENT_READ, wire)
            refused = [key.data for key, _ in selector.select(60)]
        reply = refused[0].reply("POST")
        assert len(refused) == 1 and reply.status == 503, reply
        assert reply.json["type"] == "urn:dwell:too-many-bodies" and reply.headers["Retry-After"]
    wait_until(lambda: service.post([post_event("cam", "enter", BASE)]).status == 201)


@pytest.mark.parametrize("target", ["/livez", "/readyz"])
def test_probes_answer_in_json(shared, target):
    assert shared.get(target).json == {"/livez": {"live": True},
                                       "/readyz": {"ready": True, "reasons": []}}[target]


def test_a_full_queue_is_answered_503_with_retry_after(serving):
    """The commit is held up from outside; what waits is bounded and the rest is refused at once."""
    service = serving("--http-max-queued", "4KiB")
    service.store(("cam", "enter", BASE))
    other = sqlite3.connect(service.folder / "dwell.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    replies, lock = [], threading.Lock()

    def post(number):
        reply = service.post([post_event(f"queued-{number}-{n}", "enter", BASE)
                              for n in range(20)])
        with lock:
            replies.append((number, reply))

    threads = [threading.Thread(target=post, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(replies) >= 8, 4, "the queue takes more than its limit")
    for _, reply in list(replies):
        assert reply.status == 503 and int(reply.headers["Retry-After"]) >= 1
        assert reply.json["type"] == "urn:dwell:unavailable" and "too many" in reply.json["detail"]
    assert service.get("/health").body == b"OK"
    other.execute("ROLLBACK")
    other.close()
    for thread in threads:
        thread.join()
    stored = [number for number, reply in replies if reply.status == 201]
    assert stored, "what waited was never committed"
    for number in stored:
        assert len(service.timeline(f"queued-{number}-19")) == 1
    wait_until(lambda: service.post([post_event("after", "enter", BASE)]).status == 201)
