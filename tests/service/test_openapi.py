"""/openapi.json is valid, and each status it documents for a route is really answered."""

import json
import sqlite3
import threading

import pytest

from dwell_service import path_of, post_event, wait_until

BASE = 1_751_932_800_000

# Documented for any failure of the store that passes; nothing from outside makes a read of SQLite
# fail for a while, as readers never wait for writers. Reached by unit tests over a fake reader.
ONLY_INSIDE = {("/timeline/{device}", "get", "503"), ("/presence", "get", "503"),
               ("/devices/{device}", "get", "503")}


def document(service):
    reply = service.get("/openapi.json")
    assert reply.headers["Content-Type"] == "application/json"
    return reply.json


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
        place = api
        assert reference.startswith("#/")
        for name in reference[2:].split("/"):
            place = place[name]
    operations = [o for methods in api["paths"].values() for o in methods.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    for route, methods in api["paths"].items():
        for operation in methods.values():
            in_path = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
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
    while "$ref" in schema:
        place = api
        for name in schema["$ref"][2:].split("/"):
            place = place[name]
        schema = place
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
    """Asks, checks the answer against the document, and remembers what was reached."""

    def __init__(self, service):
        self.service, self.api, self.reached = service, document(service), set()

    def ask(self, route, method, status, target, body=None, **headers):
        reply = self.service.request(method.upper(), target, body, headers)
        assert str(reply.status) == status, (target, reply)
        responses = self.api["paths"][route][method]["responses"]
        assert status in responses, (route, method, status, "is not documented")
        kind = reply.headers["Content-Type"].split(";")[0]
        content = responses[status]["content"]
        assert kind in content, (kind, content)
        if kind in ("application/json", "application/problem+json"):
            wrong = matches(content[kind]["schema"], reply.json, self.api)
            assert not wrong, (target, wrong)
        if status == "503" and route != "/readyz":
            assert int(reply.headers["Retry-After"]) >= 1
        self.reached.add((route, method, status))
        return reply


def test_each_documented_status_of_each_route_is_reached(serving, tmp_path):
    service = serving("--order", "event_time")
    recorder = Recorder(service)
    ask = recorder.ask
    good = json.dumps({"events": [post_event("cam", k, BASE + n) for n, k in
                                  enumerate(("enter", "exit", "enter", "wave", "enter"))]})
    bad = json.dumps({"events": [post_event("", "enter", BASE)] * 150})
    ask("/timeline", "post", "201", "/timeline", good)
    assert len(ask("/timeline", "post", "201", "/timeline?partial=true", bad)
               .json["errors"]) == 100
    assert len(ask("/timeline", "post", "400", "/timeline", bad).json["errors"]) == 100
    ask("/timeline", "post", "400", "/timeline?partial=1", good)
    ask("/timeline", "post", "400", "/timeline", "{")
    ask("/timeline", "post", "413", "/timeline", b" " * ((16 << 20) + 1))
    ask("/timeline", "post", "415", "/timeline", good, **{"Content-Type": "text/plain"})
    ask("/timeline/{device}", "get", "200", "/timeline/cam?limit=1")
    ask("/timeline/{device}", "get", "200", "/timeline/cam", Accept="text/csv")
    ask("/timeline/{device}", "get", "200", "/timeline/cam", Accept="application/x-ndjson")
    ask("/timeline/{device}", "get", "400", "/timeline/cam?limit=0")
    ask("/timeline/{device}", "get", "406", "/timeline/cam", Accept="text/html")
    ask("/presence", "get", "200", "/presence?limit=1")
    ask("/presence", "get", "400", "/presence?at=x")
    ask("/devices/{device}", "get", "200", "/devices/cam")
    ask("/devices/{device}", "get", "400", "/devices/cam?x=1")
    ask("/devices/{device}", "get", "404", "/devices/never")
    for route in ("/health", "/livez", "/readyz", "/metrics", "/openapi.json"):
        ask(route, "get", "200", route)
    # Another program holds the file for writing: nothing can be committed until it lets go.
    other = sqlite3.connect(tmp_path / "dwell.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    ask("/timeline", "post", "503", "/timeline", good)
    ask("/readyz", "get", "503", "/readyz")
    ask("/timeline/{device}", "get", "200", "/timeline/cam")  # reading goes on
    other.execute("ROLLBACK")
    other.close()
    wait_until(lambda: service.get("/readyz").status == 200)
    ask("/timeline", "post", "201", "/timeline", good)
    assert recorder.reached == documented(recorder.api) - ONLY_INSIDE


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
