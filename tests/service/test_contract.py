"""Each line of design 4.5 has a test of its name."""

import gzip
import json
import urllib.parse

import pytest

from dwell_service import path_of, post_event, rfc3339, wait_until

BASE = 1_751_932_800_000  # 2025-07-08T00:00:00Z
MINUTE = 60_000


def visits(device, count, start=0):
    return [(device, ("enter", "exit")[n % 2], BASE + (start + n) * MINUTE) for n in range(count)]


def listed(events):
    return [(kind, rfc3339(timestamp)) for _, kind, timestamp in events]


def test_post_answers_201_once_durable(service):
    """What was answered is there after the hardest stop there is."""
    reply = service.post([post_event(*event) for event in visits("cam", 3)])
    service.kill()
    assert reply.status == 201
    assert [(row.device, row.timestamp) for row in service.dwell.rows()] == [
        (device, timestamp) for device, _, timestamp in visits("cam", 3)]
    service.start()
    assert service.timeline("cam") == listed(visits("cam", 3))


def test_post_answers_an_outcome_per_event(shared):
    outcomes = shared.store(("per-event", "enter", BASE), ("per-event", "enter", BASE),
                            ("per-event", "enter", BASE + 1), ("per-event", "heartbeat", BASE),
                            ("per-event", "exit", BASE + 2), ("per-event", "exit", BASE + 3),
                            ("per-event", "exit", 4_102_444_800_000), ("other", "exit", BASE))
    assert outcomes == ["accepted", "duplicate", "repeated_enter", "ignored", "accepted",
                        "repeated_exit", "future_timestamp", "accepted"]
    assert shared.post([]).json == {"outcomes": []}


BAD_EVENTS = {
    "no object": 7,
    "no deviceID": {"eventType": "device_enter", "timestamp": "2025-07-08T12:00:00Z"},
    "empty deviceID": post_event("", "enter", BASE),
    "long deviceID": post_event("x" * 257, "enter", BASE),
    "control in deviceID": post_event("a\nb", "enter", BASE),
    "deviceID a number": post_event(5, "enter", BASE),
    "no eventType": {"deviceID": "a", "timestamp": "2025-07-08T12:00:00Z"},
    "no timestamp": {"deviceID": "a", "eventType": "device_enter"},
    "timestamp a number": {"deviceID": "a", "eventType": "device_enter", "timestamp": BASE},
    "timestamp no RFC 3339": post_event("a", "enter", "yesterday"),
    "timestamp without zone": post_event("a", "enter", "2025-07-08T12:00:00"),
    "leap second": post_event("a", "enter", "2025-07-08T12:00:60Z"),
}


@pytest.mark.parametrize("bad", BAD_EVENTS.values(), ids=BAD_EVENTS)
def test_an_undecodable_event_refuses_the_whole_request_with_400_and_nothing_stored(shared, bad):
    before = shared.metrics()
    reply = shared.post([post_event("whole", "enter", BASE), bad,
                         post_event("whole", "exit", BASE + 1)])
    assert reply.status == 400 and reply.json["type"] == "urn:dwell:invalid-event"
    assert [error["index"] for error in reply.json["errors"]] == [1]
    assert shared.timeline("whole") == []
    assert shared.get(path_of("whole", resource="devices")).status == 404
    records = [name for name in before if name.startswith("dwell_records_total")]
    after = shared.metrics()
    assert len(records) > 5 and all(before[name] == after[name] for name in records)


BODIES = [b"", b"{", b"[] []", b"null", b"7", b"{} {}", b'{"events":1}', b'{"events":null}', b"\xff\xfe\0",
          b'{"events":[]} x', b'{"events":[],"events":5}', b"[" * 100_000,
          b'{"events":[{"deviceID":"\xff","eventType":"device_enter",'
          b'"timestamp":"2025-07-08T12:00:00Z"}]}']


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_a_body_that_is_no_list_of_events_is_refused_with_400(shared, body):
    reply = shared.post(body)
    assert reply.status == 400 and reply.json["type"] == "urn:dwell:invalid-body"
    assert reply.json["detail"]


def test_an_object_that_is_no_event_is_refused_with_400(shared):
    reply = shared.post(b"{}")
    assert reply.status == 400 and reply.json["type"] == "urn:dwell:invalid-event"
    assert reply.json["errors"] == [{"index": 0, "member": "eventType", "detail":
                                     "is missing: looked for /event_type, /eventType"}]


@pytest.mark.parametrize("join, kind", [
    (lambda one: one, "application/json"),
    (lambda one: f"[{one}]", "application/json"),
    (lambda one: f"[{one}]", "application/cloudevents-batch+json"),
    (lambda one: f'{{"events":[{one}]}}', "application/json"),
    (lambda one: f"\n{one}\r\n\n", "application/x-ndjson"),
], ids=["object", "array", "batch", "events", "lines"])
@pytest.mark.parametrize("is_packed", [False, True], ids=["plain", "gzip"])
def test_a_body_has_many_forms(service, join, kind, is_packed):
    body = join(json.dumps(post_event("form", "enter", BASE))).encode()
    headers = {"Content-Type": kind}
    if is_packed:
        body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
    reply = service.post(body, headers=headers)
    assert reply.status == 201 and reply.json == {"outcomes": ["accepted"]}, reply
    assert service.timeline("form") == [("enter", rfc3339(BASE))]


def test_a_line_that_is_no_json_spoils_no_other(shared):
    lines = "\n".join([json.dumps(post_event("lines", "enter", BASE)), '{"torn":', "7",
                       json.dumps(post_event("lines", "exit", BASE + 1))])
    headers = {"Content-Type": "application/x-ndjson"}
    assert shared.post(lines, headers=headers).status == 400
    reply = shared.post(lines, "?partial=true", headers=headers)
    assert reply.status == 201 and reply.json["outcomes"] == ["accepted", None, None, "accepted"]


def test_a_compressed_body_is_bounded_as_it_is_unpacked(shared):
    kind = {"Content-Type": "application/json"}
    bomb = gzip.compress(b" " * (17 << 20))
    assert len(bomb) < 20_000
    reply = shared.post(bomb, headers={**kind, "Content-Encoding": "gzip"})
    assert reply.status == 413 and reply.json["type"] == "urn:dwell:body-too-large"
    with shared.wire() as wire:  # at once, and not when all of it has come
        wire.send(b"POST /timeline HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                  b"Content-Encoding: gzip\r\nContent-Length: 1000000\r\n\r\n" + bomb)
        assert wire.reply("POST").status == 413
    good = gzip.compress(b'{"events":[]}')
    for damaged in (b"", b'{"events":[]}', good[:-1], good + b"x", good[:-6] + b"xxxxxx"):
        reply = shared.post(damaged, headers={**kind, "Content-Encoding": "gzip"})
        assert reply.status == 400 and reply.json["type"] == "urn:dwell:invalid-body", reply
    reply = shared.post(good, headers={**kind, "Content-Encoding": "br"})
    assert reply.status == 415 and reply.headers["Accept-Encoding"] == "gzip"


FUTURE = 4_102_444_800_000


def test_a_post_of_which_all_is_rejected_is_answered_422_after_the_commit(service):
    reply = service.post([post_event("late", "enter", FUTURE), post_event("late", "exit", 1_000)])
    assert reply.status == 422 and reply.json["type"] == "urn:dwell:rejected"
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.json["outcomes"] == ["future_timestamp", "past_timestamp"]
    assert reply.json["detail"].startswith("event 0: future_timestamp: ")
    assert reply.headers["Dwell-Rejected"] == "2"
    service.kill()
    assert [reason for reason, _, _ in service.dwell.rejects()] == reply.json["outcomes"]


def test_a_post_that_was_taken_is_taken_again(serving):
    """At once, and when the window of its devices has moved on; the rows stay as they are."""
    service = serving("--order-horizon", "1h", "--order-window-max", "8")
    minute, day = 60_000, 86_400_000
    requests = [
        [("a", "enter", BASE)], [("a", "exit", BASE + 20 * minute)],
        [("a", "exit", BASE + 30 * minute)],                        # a repeat
        [("a", "exit", BASE + 10 * minute)],                        # late: the one before is none now
        [("b", "exit", BASE + minute)],                             # the first event of its device
        [("a", "enter", BASE + 25 * minute), ("b", "enter", BASE + 2 * minute),
         ("b", "exit", BASE + 4 * minute)],
        [("b", "enter", BASE + 3 * minute)]]                        # late, a repeat
    bodies = [[post_event(*event) for event in request] for request in requests]
    for body in bodies:
        assert service.post(body).status == 201
        again = service.post(body)
        assert again.status == 201 and set(again.json["outcomes"]) == {"duplicate"}
    rows = {device: service.timeline(device) for device in "ab"}
    for device in "ab":
        for number in range(20):
            service.store((device, ("enter", "exit")[number % 2], BASE + day + number * minute))
    for body in bodies:
        again = service.post(body)
        assert again.status == 201 and set(again.json["outcomes"]) == {"already_stored"}, again
        assert "Dwell-Rejected" not in again.headers
    # What was never told is rejected, and kept.
    refused = service.post([post_event("a", "exit", BASE + minute)])
    assert refused.status == 422 and refused.json["outcomes"] == ["too_late"]
    partly = service.post([post_event("a", "exit", BASE + minute), *bodies[0]])
    assert partly.status == 201 and partly.headers["Dwell-Rejected"] == "1"
    assert partly.json["outcomes"] == ["too_late", "already_stored"]
    assert [reason for reason, _, _ in service.dwell.rejects()] == ["too_late"] * 2
    for device in "ab":
        assert service.timeline(device)[:len(rows[device])] == rows[device]


def test_some_rejected_events_are_counted_in_a_header(shared):
    reply = shared.post([post_event("some", "enter", FUTURE), post_event("some", "enter", BASE)])
    assert reply.status == 201 and reply.headers["Dwell-Rejected"] == "1"
    assert reply.json["outcomes"] == ["future_timestamp", "accepted"]
    reply = shared.post([post_event("some", "enter", FUTURE), post_event("some", "wave", BASE)])
    assert reply.status == 201 and reply.headers["Dwell-Rejected"] == "1"
    assert shared.post([post_event("some", "exit", BASE)]).headers["Dwell-Rejected"] is None


def test_partial_stores_the_good_events_and_names_the_others(shared):
    reply = shared.post([post_event("partial", "enter", BASE), *BAD_EVENTS.values(),
                         post_event("partial", "exit", BASE + 1)], "?partial=true")
    assert reply.status == 201
    assert reply.json["outcomes"] == ["accepted", *[None] * len(BAD_EVENTS), "accepted"]
    assert [e["index"] for e in reply.json["errors"]] == list(range(1, len(BAD_EVENTS) + 1))
    assert all(e["detail"] for e in reply.json["errors"])
    members = [e["member"] for e in reply.json["errors"]]
    assert members[0] == "" and set(members[1:]) == {"deviceID", "eventType", "timestamp"}
    assert shared.timeline("partial") == [("enter", rfc3339(BASE)), ("exit", rfc3339(BASE + 1))]


def test_partial_false_is_as_without_it(shared):
    assert shared.post([post_event("", "enter", BASE)], "?partial=false").status == 400
    reply = shared.post([], "?partial=yes")
    assert reply.status == 400 and reply.json["parameter"] == "partial"


def test_post_goes_through_the_rule(serving):
    """As `dwell replay` of the same events, in the order of the service."""
    events = [("cam", "exit", BASE), ("cam", "enter", BASE + 5), ("cam", "exit", BASE + 9),
              ("cam", "exit", BASE + 7), ("cam", "enter", BASE + 8)]
    service = serving("--order", "event_time", "--first-exit", "suppress")
    assert service.store(*events) == ["initial_exit", "accepted", "accepted", "accepted",
                                      "accepted"]
    assert service.timeline("cam") == listed([events[1], events[3], events[4], events[2]])


def test_post_and_the_file_go_through_one_rule(serving, tmp_path):
    (tmp_path / "in.ndjson").write_text(
        '{"device_id":"both","event_type":"device_enter","timestamp":%d}\n' % BASE)
    service = serving("--from", "in.ndjson")
    wait_until(lambda: service.timeline("both"))
    assert service.store(("both", "enter", BASE))[0] == "duplicate"


@pytest.mark.parametrize("query, expected", [
    ("", [0, 1, 2, 3]), ("?start={1}", [1, 2, 3]), ("?end={1}", [0, 1]),
    ("?start={1}&end={2}", [1, 2]), ("?start={2}&end={2}", [2]),
    ("?start=2025-07-08T00:01:00.001Z", [2, 3]), ("?end=2025-07-08T00:00:59.999Z", [0]),
    ("?", [0, 1, 2, 3]), ("?start=1970-01-01T00:00:00Z&end=9999-12-31T23:59:59.999Z",
                          [0, 1, 2, 3])])
def test_get_start_and_end_are_inclusive_and_optional(shared, query, expected):
    events = visits("inclusive", 4)
    shared.store(*events)
    query = query.format(*[rfc3339(timestamp) for _, _, timestamp in events])
    assert shared.timeline("inclusive", query) == listed([events[n] for n in expected])


def test_get_answers_in_row_order(shared):
    """(timestamp, rank, type): late events stand where their time puts them; at one millisecond
    the order in which they came counts, not that of the types' names."""
    shared.store(("order", "exit", BASE + 7), ("order", "enter", BASE + 3),
                 ("order", "enter", BASE + 9), ("order", "exit", BASE + 5),
                 ("order", "enter", BASE + 5))
    expected = [("enter", 3), ("exit", 5), ("enter", 5), ("exit", 7), ("enter", 9)]
    expected = [(kind, rfc3339(BASE + ms)) for kind, ms in expected]
    assert shared.timeline("order") == expected
    assert shared.timeline("order", "?order=asc") == expected
    assert shared.timeline("order", "?order=desc") == expected[::-1]


def test_get_answers_exactly_these_members_and_a_newline_at_the_end(shared):
    shared.store(("members", "enter", BASE))
    reply = shared.get("/timeline/members")
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.body == (b'{"events":[{"deviceID":"members","eventType":"device_enter",'
                          b'"timestamp":"2025-07-08T00:00:00Z"}]}\n')


def test_get_answers_an_empty_list_for_an_unknown_device(shared):
    assert shared.get("/timeline/never-seen").body == b'{"events":[]}\n'
    assert shared.get("/timeline/never-seen").status == 200


def test_get_answers_an_empty_list_for_an_end_before_the_start(shared):
    shared.store(*visits("backwards", 4))
    reply = shared.get(f"/timeline/backwards?start={rfc3339(BASE + 1)}&end={rfc3339(BASE)}")
    assert (reply.status, reply.body) == (200, b'{"events":[]}\n')


def test_milliseconds_are_kept_when_not_zero(shared):
    given = ["2025-07-08T12:00:00.007Z", "2025-07-08T12:00:01.000Z", "2025-07-08T12:00:02.1Z",
             "2025-07-08t12:00:03.1239z", "2025-07-08T14:00:04.500+02:00"]
    shared.store(*[("ms", ("enter", "exit")[n % 2], text) for n, text in enumerate(given)])
    assert [text for _, text in shared.timeline("ms")] == [
        "2025-07-08T12:00:00.007Z", "2025-07-08T12:00:01Z", "2025-07-08T12:00:02.100Z",
        "2025-07-08T12:00:03.123Z", "2025-07-08T12:00:04.500Z"]


@pytest.mark.parametrize("offset", ["%2B02:00", "%252B02:00", "+02:00", "%2b02%3A00",
                                    "%252B02%253A00"])
def test_an_offset_is_understood_escaped_once_twice_and_not_at_all(shared, offset):
    shared.store(*visits("offset", 4))
    at = "2025-07-08T02:01:00" + offset
    assert shared.timeline("offset", f"?start={at}&end={at}") == listed(visits("offset", 4)[1:2])


IDS = ["a/b", "a%b", "a%2Fb", "a+b", "a b", ".", "..", "a.b", "../timeline", "日本/ü", "😀", "a?b", "a#b",
       "a&b=c", "a;b", "a\\b", 'a"b', "%", "%%", "/", "//", " ", "'", "~", "x" * 256, "ü" * 128,
       "timeline", "a:b@c", "a\u2028b", "<a>"]


@pytest.mark.parametrize("device", IDS, ids=[urllib.parse.quote(i, "")[:30] for i in IDS])
def test_paths_are_split_on_raw_slashes_then_decoded_once(shared, device):
    assert shared.store((device, "enter", BASE)) == ["accepted"]
    assert shared.timeline(device) == [("enter", rfc3339(BASE))]
    shared.store((device, "exit", BASE + 1))
    page = shared.get(path_of(device) + "?limit=1")
    link = page.headers["Link"]
    rest = shared.get(link[1:link.index(">")])
    assert [e["deviceID"] for e in page.json["events"] + rest.json["events"]] == [device] * 2
    known = shared.get(path_of(device, resource="devices"))
    assert known.status == 200 and known.json["deviceID"] == device
    csv = shared.get(path_of(device), Accept="text/csv").text.split("\r\n")
    assert csv[1] == '"%s",device_enter,%s' % (device.replace('"', '""'), rfc3339(BASE))


def test_a_raw_slash_separates_and_an_escaped_one_does_not(shared):
    shared.store(("s/t", "enter", BASE))
    assert len(shared.timeline("s/t")) == 1
    assert shared.get("/timeline/s%2ft").json["events"]
    assert shared.get("/timeline/s/t").status == 404
    assert shared.get("/timeline/s%252Ft").json["events"] == []
    for target in ("/timeline//", "/timeline/", "/timeline/s%2Ft/", "//timeline/s%2Ft", "/"):
        assert shared.get(target).status in (404, 405), target
    for target in ("/timeline/%", "/timeline/%2", "/timeline/%zz", "/timeline/a?start=%"):
        assert shared.get(target).status == 400, target


def test_without_limit_everything_is_streamed(shared):
    events = [("stream", ("enter", "exit")[n % 2], BASE + n) for n in range(25_000)]
    for start in range(0, len(events), 10_000):
        shared.store(*events[start:start + 10_000])
    reply = shared.get("/timeline/stream")
    assert reply.headers["Transfer-Encoding"] == "chunked" and "Link" not in reply.headers
    assert "next" not in reply.json and reply.text.endswith("]}\n")
    assert shared.timeline("stream") == listed(events)
    assert shared.timeline("stream", "?order=desc") == listed(events)[::-1]


@pytest.mark.parametrize("rows", [999, 1000, 1001, 2000])
def test_streams_that_end_where_a_piece_ends(shared, rows):
    device = f"piece-{rows}"
    shared.store(*[(device, ("enter", "exit")[n % 2], BASE + n) for n in range(rows)])
    assert len(shared.timeline(device)) == rows


def test_with_limit_there_is_next(shared):
    shared.store(*visits("limit", 5))
    seen, target, pages = [], "/timeline/limit?limit=2", 0
    while target:
        reply = shared.get(target)
        seen += [(e["eventType"].removeprefix("device_"), e["timestamp"])
                 for e in reply.json["events"]]
        target = "/timeline/limit?limit=2&cursor=" + reply.json["next"] \
            if "next" in reply.json else None
        pages += 1
    assert seen == listed(visits("limit", 5)) and pages == 3
    assert "next" not in shared.get("/timeline/limit?limit=5").json
    assert "next" in shared.get("/timeline/limit?limit=4").json


def test_health_answers_ok(shared):
    reply = shared.get("/health")
    assert (reply.status, reply.body) == (200, b"OK")


def test_snake_case_members_are_read(shared):
    shared.store(("camel", "enter", BASE))
    reply = shared.post([{"device_id": "camel", "event_type": "device_exit",
                          "timestamp": rfc3339(BASE + 1)},
                         {"deviceID": "camel", "event_type": "device_enter",
                          "timestamp": rfc3339(BASE + 2), "more": [1, {"x": None}]}])
    assert reply.json["outcomes"] == ["accepted", "accepted"]
    assert len(shared.timeline("camel")) == 3


def test_the_answer_is_json_whatever_is_in_an_id(shared):
    device = 'q"\\/ü\u2028'
    shared.store((device, "enter", BASE))
    assert json.loads(shared.get(path_of(device)).body)["events"][0]["deviceID"] == device


def test_what_was_posted_is_seen_whatever_place_is_waited_for(shared):
    shared.store(("after", "enter", BASE))
    assert len(shared.timeline("after", "?after=0:7,12:99")) == 1
    assert shared.get("/timeline/after?after=7").status == 400
    assert shared.get("/presence?after=0:1").status == 200
    assert shared.get("/devices/after?after=0:1").status == 200
