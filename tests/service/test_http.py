"""HTTP itself: methods, errors, connections, versions. Also what only a raw socket can say."""

import json
import socket

import pytest

from dwell_service import post_event, rfc3339

BASE = 1_751_932_800_000  # 2025-07-08T00:00:00Z
GETS = ["/timeline/cam", "/presence", "/devices/cam", "/health", "/livez", "/readyz", "/metrics",
        "/openapi.json"]
ROUTES = GETS + ["/timeline"]


@pytest.fixture(scope="module", autouse=True)
def known(shared):
    shared.store(("cam", "enter", BASE), ("cam", "exit", BASE + 1))


def assert_problem(reply, status, kind, parameter=None):
    assert reply.status == status, reply
    assert reply.headers["Content-Type"] == "application/problem+json"
    body = reply.json
    assert body["type"] == f"urn:dwell:{kind}" and body["status"] == status
    assert body["title"] and body["detail"] and body.get("parameter") == parameter


@pytest.mark.parametrize("target, parameter", [
    ("/timeline/cam?start=yesterday", "start"), ("/timeline/cam?end=2025-13-01T00:00:00Z", "end"),
    ("/timeline/cam?start=", "start"), ("/timeline/cam?order=up", "order"),
    ("/timeline/cam?limit=many", "limit"), ("/timeline/cam?cursor=x", "cursor"),
    ("/presence?at=now", "at"), ("/presence?at=2025-07-08", "at"), ("/presence?limit=0", "limit")])
def test_400_names_the_parameter_and_how_to_mend_it(shared, target, parameter):
    reply = shared.get(target)
    assert_problem(reply, 400, "invalid-parameter", parameter)
    assert "expected" in reply.json["detail"]


@pytest.mark.parametrize("target, parameter", [
    ("/timeline/cam?limits=3", "limits"), ("/health?x", "x"), ("/devices/cam?start=1", "start"),
    ("/presence?start=1", "start"), ("/readyz?verbose=1", "verbose")])
def test_400_names_a_parameter_that_does_not_exist(shared, target, parameter):
    if target.startswith(("/health", "/readyz")):
        assert shared.get(target).status in (200, 400)
    else:
        assert_problem(shared.get(target), 400, "unknown-parameter", parameter)


def test_post_refuses_unknown_parameters(shared):
    assert_problem(shared.post([], "?partail=true"), 400, "unknown-parameter", "partail")


@pytest.mark.parametrize("target", ["/", "/nothing", "/timelines/cam", "/timeline/cam/",
                                    "/timeline/cam/x", "/Timeline/cam", "/devices", "/presence/",
                                    "/openapi", "/timeline/../health", "/%2e%2e/etc/passwd"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_404_where_there_is_nothing(shared, target, method):
    assert_problem(shared.request(method, target), 404, "no-such-resource")


def test_404_for_a_device_never_seen(shared):
    assert_problem(shared.get("/devices/never"), 404, "no-such-device")


@pytest.mark.parametrize("target", ROUTES)
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "BREW"])
def test_405_says_what_is_allowed(shared, target, method):
    reply = shared.request(method, target)
    assert_problem(reply, 405, "method-not-allowed")
    allowed = reply.headers["Allow"].split(", ")
    assert set(allowed) == ({"POST", "OPTIONS"} if target == "/timeline" else
                            {"GET", "HEAD", "OPTIONS"})


@pytest.mark.parametrize("method, target", [("GET", "/timeline"), ("HEAD", "/timeline"),
                                            ("POST", "/presence"), ("POST", "/timeline/cam")])
def test_405_for_the_other_half_of_the_api(shared, method, target):
    reply = shared.request(method, target)
    assert reply.status == 405 and reply.headers["Allow"]


@pytest.mark.parametrize("target", ROUTES)
def test_options_says_what_is_allowed(shared, target):
    reply = shared.request("OPTIONS", target)
    assert (reply.status, reply.body) == (204, b"") and "OPTIONS" in reply.headers["Allow"]
    assert reply.headers["Content-Length"] is None and reply.headers["Transfer-Encoding"] is None


@pytest.mark.parametrize("target", GETS + ["/timeline/cam?limit=1", "/devices/never", "/nothing",
                                           "/timeline/cam?limit=x", "/timeline/many"])
def test_head_has_the_head_of_get_and_no_body(shared, target):
    if target == "/timeline/many" and not shared.timeline("many"):
        shared.store(*[("many", ("enter", "exit")[n % 2], BASE + n) for n in range(1_200)])
    get = shared.get(target)
    with shared.wire() as wire:
        wire.send(f"HEAD {target} HTTP/1.1\r\nHost: x\r\n\r\n")
        head = wire.reply("HEAD")
        # The connection is in step: a body would be read as the beginning of the next answer.
        wire.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.reply().body == b"OK"
    assert head.status == get.status and head.body == b""
    names = ["Content-Type", "Vary", "Link", "Transfer-Encoding"]
    names += [] if target == "/metrics" else ["Content-Length"]
    assert [head.headers[name] for name in names] == [get.headers[name] for name in names]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded",
                                  "application/jsonx", "json", "application/xml; charset=utf-8"])
def test_415_for_a_body_that_is_not_json(shared, kind):
    reply = shared.post([], headers={"Content-Type": kind})
    assert_problem(reply, 415, "unsupported-media-type")


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8",
                                  "application/json ;charset=UTF-8", "Application/JSON",
                                  "application/cloudevents+json", "application/x-ndjson", None])
def test_json_by_any_of_its_names(shared, kind):
    event = json.dumps(post_event("by-any-name", "enter", BASE))
    assert shared.post(event, headers={"Content-Type": kind} if kind else {}).status == 201


def test_413_before_the_body_is_read(serving):
    service = serving("--http-max-body", "4KiB")
    with service.wire() as wire:
        wire.send("POST /timeline HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n")
        reply = wire.reply("POST")
        assert_problem(reply, 413, "body-too-large")
        assert "4096" in reply.json["detail"] and wire.is_closed()
    with service.wire() as wire:
        wire.send("POST /timeline HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        wire.send("1000\r\n" + " " * 0x1000 + "\r\n10\r\n" + " " * 16 + "\r\n")
        assert_problem(wire.reply("POST"), 413, "body-too-large")
    exact = json.dumps({"events": []}).ljust(4096)
    assert service.post(exact).status == 201
    assert service.post(exact + " ").status == 413


def test_413_reaches_a_client_that_sends_everything_before_it_reads(shared):
    """As http.client and most others do: closing at once would reset the connection under it."""
    for _ in range(5):
        with shared.wire() as wire:
            size = 17 << 20
            wire.send(f"POST /timeline HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n")
            try:
                wire.send(b" " * size)
            except (BrokenPipeError, ConnectionResetError):
                pytest.fail("the connection was reset before the answer could be read")
            assert wire.reply("POST").status == 413


def test_414_for_a_long_target(shared):
    assert_problem(shared.get("/timeline/" + "x" * 8_200), 414, "target-too-long")
    assert shared.get("/timeline/" + "x" * 8_000).json == {"events": []}


def test_431_for_a_long_head(shared):
    reply = shared.get("/health", X_Long="x" * 20_000)
    assert_problem(reply, 431, "header-too-large")
    many = {f"X-{n}": "y" * 50 for n in range(500)}
    try:
        assert shared.request("GET", "/health", headers=many).status == 431
    except (ConnectionResetError, BrokenPipeError):
        pytest.fail("the connection was reset before the answer could be read")
    assert shared.get("/health", X_Long="x" * 10_000).status == 200


@pytest.mark.parametrize("bytes_", [
    b"nonsense\r\n\r\n", b"GET\r\n\r\n", b"GET /health\r\n\r\n", b"GET /health HTTP/9.9\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\0" * 100 + b"\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost x\r\n\r\n", b"GET /health HTTP/1.1\r\nA\0b: x\r\n\r\n",
    b"GET / health HTTP/1.1\r\n\r\n",
    b"POST /timeline HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST /timeline HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12",
    b"POST /timeline HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /timeline HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /timeline HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n"
    b"\r\n0\r\n\r\n"], ids=range(14))
def test_what_is_not_http_is_answered_400_and_closed(shared, bytes_):
    with shared.wire() as wire:
        answer = wire.send(bytes_).raw()
    assert answer.startswith(b"HTTP/1.1 400 ") and b"urn:dwell:bad-request" in answer
    assert b"\r\nConnection: close\r\n" in answer


def test_a_request_without_host_is_refused(shared):
    """RFC 9112 section 3.2."""
    with shared.wire() as wire:
        assert wire.send("GET /health HTTP/1.1\r\n\r\n").reply().status == 400


def test_a_target_in_absolute_form_is_understood(shared):
    """RFC 9112 section 3.2.2: as proxies send it."""
    with shared.wire() as wire:
        wire.send("GET http://x/timeline/cam?limit=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        reply = wire.reply()
        assert reply.status == 200 and len(reply.json["events"]) == 1
        wire.send("GET https://x:443/health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.reply().body == b"OK"
        assert wire.send("GET http://x HTTP/1.1\r\nHost: x\r\n\r\n").reply().status in (400, 404)


def test_options_of_the_server_itself(shared):
    with shared.wire() as wire:
        reply = wire.send("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n").reply("OPTIONS")
        assert reply.status in (200, 204)


def test_keep_alive_serves_many_requests_on_one_connection(shared):
    with shared.wire() as wire:
        for n in range(50):
            target, status = (("/health", 200), ("/nothing", 404), ("/timeline/cam?limit=x", 400),
                              ("/timeline/many", 200), ("/timeline/cam", 200))[n % 5]
            wire.send(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n")
            assert wire.reply().status == status


def test_connection_close_is_honoured(shared):
    with shared.wire() as wire:
        wire.send("GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        reply = wire.reply()
        assert reply.headers["Connection"] == "close" and wire.is_closed()


def test_pipelined_requests_are_answered_in_order(shared):
    body = json.dumps({"events": [post_event("pipe", "enter", BASE)]})
    targets = ["/timeline/cam?limit=1", "/health", "/nothing", "/timeline/cam", "/livez"]
    with shared.wire() as wire:
        parts = [f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n" for target in targets]
        parts.insert(2, "POST /timeline HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                        f"Content-Length: {len(body)}\r\n\r\n{body}")
        parts.append("HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n")
        parts.append("GET /timeline/pipe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        wire.send("".join(parts))
        replies = [wire.reply(part.split(" ")[0]) for part in parts]
        assert [reply.status for reply in replies] == [200, 200, 201, 404, 200, 200, 200, 200]
        assert len(replies[0].json["events"]) == 1 and replies[1].body == b"OK"
        assert replies[2].json == {"outcomes": ["accepted"]}
        assert len(replies[4].json["events"]) == 2 and replies[6].body == b""
        assert replies[7].json["events"][0]["timestamp"] == rfc3339(BASE) and wire.is_closed()


def test_hundreds_of_pipelined_requests(shared):
    with shared.wire() as wire:
        wire.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * 500)
        assert all(wire.reply().body == b"OK" for _ in range(500))


def test_a_request_in_single_bytes(shared):
    with shared.wire() as wire:
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"GET /timeline/cam?limit=1 HTTP/1.1\r\nHost: x\r\n\r\n":
            wire.send(bytes([byte]))
        assert wire.reply().status == 200


def test_http_1_0(shared):
    with shared.wire() as wire:
        answer = wire.send("GET /health HTTP/1.0\r\n\r\n").raw()
        assert answer.startswith(b"HTTP/1.0 200 ") and answer.endswith(b"\r\n\r\nOK")
    with shared.wire() as wire:
        for _ in range(2):
            wire.send("GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert wire.reply().body == b"OK"
    if not shared.timeline("many"):
        shared.store(*[("many", ("enter", "exit")[n % 2], BASE + n) for n in range(1_200)])
    with shared.wire() as wire:
        wire.send("GET /timeline/many HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        head, body = wire.raw().split(b"\r\n\r\n", 1)
        assert b"chunked" not in head.lower() and body == shared.get("/timeline/many").body


def test_expect_100_continue(shared):
    body = json.dumps({"events": [post_event("expect", "enter", BASE)]})
    with shared.wire() as wire:
        wire.send("POST /timeline HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                  f"Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n")
        assert wire.socket.recv(1_000).startswith(b"HTTP/1.1 100 Continue\r\n")
        assert wire.send(body).reply("POST").status == 201
    with shared.wire() as wire:  # refused without asking for the body
        wire.send("POST /timeline HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                  f"Content-Length: {1 << 30}\r\n\r\n")
        assert wire.reply("POST").status == 413


def test_a_chunked_body(shared):
    body = json.dumps({"events": [post_event("chunks", "enter", BASE)]}).encode()
    with shared.wire() as wire:
        wire.send("POST /timeline HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for byte in body:
            wire.send(b"1;extension=x\r\n" + bytes([byte]) + b"\r\n")
        wire.send("0\r\nTrailer: x\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.reply("POST").status == 201 and wire.reply().body == b"OK"


def test_a_get_with_a_body_is_in_step(shared):
    with shared.wire() as wire:
        wire.send("GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nHELLO"
                  "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.reply().body == b"OK" and wire.reply().json == {"live": True}
