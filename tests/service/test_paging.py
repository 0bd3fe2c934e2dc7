"""Pages, representations and compression of GET /timeline; /presence and /devices."""

import csv
import gzip
import io
import json
import random
import zlib

import pytest

from dwell_service import path_of, rfc3339, wait_until
from presence_model import Model, Rule
from dwell_cli import event

BASE = 1_751_932_800_000  # 2025-07-08T00:00:00Z


def visits(device, count):
    return [(device, ("enter", "exit")[n % 2], BASE + n * 1_000) for n in range(count)]


def listed(events):
    return [(kind, rfc3339(timestamp)) for _, kind, timestamp in events]


def rows_of(reply):
    return [(e["eventType"].removeprefix("device_"), e["timestamp"]) for e in reply.json["events"]]


def link_of(reply):
    """The target of the Link header, None on the last page."""
    link = reply.headers["Link"]
    if link is None:
        return None
    assert link.startswith("<") and link.endswith('>; rel="next"')
    return link[1:link.index(">")]


def walk(service, target):
    """Follows Link from page to page."""
    pages = []
    while target:
        reply = service.get(target)
        assert reply.status == 200, reply
        assert ("next" in reply.json) == (link_of(reply) is not None)
        pages.append(reply)
        target = link_of(reply)
    return pages


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 100, 10_000])
def test_link_and_next_lead_through_all_rows_once(shared, order, limit):
    if not shared.timeline("walk"):
        shared.store(*visits("walk", 7))
    pages = walk(shared, f"/timeline/walk?limit={limit}&order={order}")
    expected = listed(visits("walk", 7))
    assert sum(map(rows_of, pages), []) == (expected if order == "asc" else expected[::-1])
    assert len(pages) == -(-7 // limit)


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_cut_between_two_rows_of_one_millisecond(shared, order):
    device = f"tie-{order}"
    shared.store((device, "enter", BASE), (device, "exit", BASE), (device, "enter", BASE + 1),
                 (device, "exit", BASE + 1), (device, "enter", BASE + 2))
    pages = walk(shared, f"/timeline/{device}?limit=1&order={order}")
    assert sum(map(rows_of, pages), []) == shared.timeline(device, f"?order={order}")
    assert len(pages) == 5


def test_the_link_keeps_the_other_parameters(shared):
    shared.store(*visits("filter", 9))
    start, end = (rfc3339(BASE + n * 1_000).replace("Z", "+00:00") for n in (2, 6))
    pages = walk(shared, f"/timeline/filter?start={start}&limit=2&end={end}&order=desc")
    assert sum(map(rows_of, pages), []) == listed(visits("filter", 9)[2:7])[::-1]


def test_a_cursor_works_with_the_query_it_came_from_alone(shared):
    shared.store(*visits("cursor", 9))
    cursor = shared.get("/timeline/cursor?limit=2").json["next"]
    assert len(shared.get(f"/timeline/cursor?limit=3&cursor={cursor}").json["events"]) == 3
    assert len(shared.timeline("cursor", f"?cursor={cursor}")) == 7  # the rest, streamed
    for target in (f"/timeline/other?limit=2&cursor={cursor}",
                   f"/timeline/cursor?limit=2&order=desc&cursor={cursor}",
                   f"/timeline/cursor?limit=2&start={rfc3339(BASE)}&cursor={cursor}",
                   f"/timeline/cursor?limit=2&end={rfc3339(BASE)}&cursor={cursor}",
                   "/timeline/cursor?limit=2&cursor=", "/timeline/cursor?limit=2&cursor=%00",
                   "/timeline/cursor?limit=2&cursor=AAAA", f"/presence?cursor={cursor}",
                   f"/timeline/cursor?limit=2&cursor={cursor}AAAA",
                   f"/timeline/cursor?limit=2&cursor={cursor[:-2]}",
                   f"/timeline/cursor?limit=2&cursor={cursor * 50}"):
        reply = shared.get(target)
        assert reply.status == 400 and reply.json["parameter"] == "cursor", (target, reply)


def test_damaged_cursors_never_do_harm(shared):
    rng = random.Random(4)
    shared.store(*visits("damage", 9))
    cursor = shared.get("/timeline/damage?limit=2").json["next"]
    for _ in range(300):
        damaged = list(cursor)
        damaged[rng.randrange(len(damaged))] = rng.choice("AZaz09-_%.=~")
        reply = shared.get("/timeline/damage?limit=2&cursor=" + "".join(damaged))
        assert reply.status in (200, 400), reply


@pytest.mark.parametrize("limit", ["0", "-1", "10001", "x", "", "1.5", "1e3", "+1", "%201",
                                   "99999999999999999999"])
def test_a_limit_out_of_range_is_refused(shared, limit):
    for target in (f"/timeline/cam?limit={limit}", f"/presence?limit={limit}"):
        reply = shared.get(target)
        assert reply.status == 400 and reply.json["parameter"] == "limit", target


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_are_stable_while_events_arrive_and_are_retracted(serving, order):
    """event_time: rows that stood all the time are seen once each; what came or went meanwhile
    may be seen or not, but nothing twice and nothing out of order."""
    service = serving("--order", "event_time")
    rng = random.Random(7)
    # Visits of a second each; the noise lies inside visits (and is suppressed there), or between.
    fixed = [("cam", ("enter", "exit")[n % 2], BASE + n * 10_000) for n in range(120)]
    service.store(*fixed)
    target, seen, posts = f"/timeline/cam?limit=5&order={order}", [], 0
    while target:
        reply = service.get(target)
        seen += rows_of(reply)
        target = link_of(reply)
        n = rng.randrange(119)
        kind = ("enter", "exit")[n % 2]
        other = ("exit", "enter")[n % 2]
        at = BASE + n * 10_000 + rng.randrange(1, 4_000)
        # A short interruption arrives in two halves; an enter retracts a later enter and so on.
        posts += len(service.store(("cam", other, at), ("cam", kind, at + 1)))
    times = [timestamp for _, timestamp in seen]
    assert posts > 40 and len(set(seen)) == len(seen)
    instants = [(t[:19], t[19:] if "." in t else ".000Z") for t in times]
    assert instants == sorted(instants, reverse=order == "desc")
    final = set(service.timeline("cam"))
    assert set(listed(fixed)) & final <= set(seen)


def test_a_retracted_row_may_be_where_a_page_ended(serving):
    service = serving("--order", "event_time")
    service.store(*visits("cam", 6))
    page = service.get("/timeline/cam?limit=3")
    assert rows_of(page)[-1] == ("enter", rfc3339(BASE + 2_000))
    # An enter before it makes the row the cursor names a repeated enter.
    assert service.store(("cam", "enter", BASE + 1_500)) == ["accepted"]
    assert ("enter", rfc3339(BASE + 2_000)) not in service.timeline("cam")
    assert rows_of(service.get(link_of(page))) == listed(visits("cam", 6)[3:])


def test_ndjson_by_accept_with_an_end_mark(shared):
    shared.store(*visits("ndjson", 3))
    reply = shared.get("/timeline/ndjson", Accept="application/x-ndjson")
    assert reply.headers["Content-Type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in reply.text.splitlines()]
    assert reply.text.endswith("\n") and lines[-1] == {"end": True, "events": 3}
    assert lines[:-1] == shared.get("/timeline/ndjson").json["events"]


def test_csv_by_accept_with_an_end_mark(shared):
    device = 'c,s"v'
    shared.store(*visits(device, 3))
    reply = shared.get(path_of(device), Accept="text/csv")
    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.reader(io.StringIO(reply.text, newline="")))
    assert rows[0] == ["deviceID", "eventType", "timestamp"] and rows[-1] == ["# end", "3"]
    assert rows[1:-1] == [list(e.values()) for e in shared.get(path_of(device)).json["events"]]


@pytest.mark.parametrize("accept", ["application/x-ndjson", "text/csv"])
def test_pages_and_streams_of_each_representation_end_alike(shared, accept):
    if not shared.timeline("end-mark"):
        shared.store(*[("end-mark", ("enter", "exit")[n % 2], BASE + n) for n in range(2_500)])
    for query, count in (("", 2_500), ("?limit=10", 10), (f"?start={rfc3339(BASE + 10**9)}", 0)):
        reply = shared.get("/timeline/end-mark" + query, Accept=accept)
        last = reply.text.splitlines()[-1]
        assert last in (f'{{"end":true,"events":{count}}}', f"# end,{count}")
    assert link_of(shared.get("/timeline/end-mark?limit=10", Accept=accept))


@pytest.mark.parametrize("accept, expected", [
    ("*/*", "json"), ("application/json", "json"), ("text/*", "csv"), ("application/*", "json"),
    ("text/csv;q=0.1, application/json;q=0.2", "json"), ("text/html, text/csv", "csv"),
    ("text/csv;q=0.9,*/*;q=0.1", "csv"), ("application/json;q=0, */*", "x-ndjson"),
    ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "json"),
    (" text/csv ", "csv"), ("TEXT/CSV", "csv"), ("text/csv; header=present", "csv")])
def test_accept_chooses_by_weight(shared, accept, expected):
    reply = shared.get("/timeline/x", Accept=accept)
    assert reply.status == 200 and expected in reply.headers["Content-Type"], reply


@pytest.mark.parametrize("accept", ["text/html", "image/*", "application/json;q=0", "nonsense",
                                    "*/*;q=0", "text/csv;q=0.0"])
def test_406_when_nothing_is_acceptable(shared, accept):
    reply = shared.get("/timeline/x", Accept=accept)
    assert reply.status == 406 and reply.json["type"] == "urn:dwell:not-acceptable"


@pytest.mark.parametrize("query", ["", "?limit=2000"])
def test_gzip(shared, query):
    if not shared.timeline("gzip"):
        shared.store(*[("gzip", ("enter", "exit")[n % 2], BASE + n) for n in range(3_000)])
    plain = shared.get("/timeline/gzip" + query)
    packed = shared.get("/timeline/gzip" + query, Accept_Encoding="br, gzip")
    assert plain.headers["Content-Encoding"] is None
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body and len(packed.body) < len(plain.body) / 4
    for reply in (plain, packed):
        assert "accept-encoding" in reply.headers["Vary"].lower()
        assert "accept" in reply.headers["Vary"].lower().split(", ")


@pytest.mark.parametrize("encoding", ["identity", "gzip;q=0", "br", "", "deflate, gzip;q=0.000",
                                      "x-notgzip"])
def test_no_gzip_unless_asked_for(shared, encoding):
    reply = shared.get("/openapi.json", Accept_Encoding=encoding)
    assert reply.headers["Content-Encoding"] is None and reply.json["openapi"]


def test_a_cut_gzip_stream_shows(shared):
    """What the end mark is for plain text is the end of the stream for gzip."""
    shared.store(*[("cut", ("enter", "exit")[n % 2], BASE + n) for n in range(3_000)])
    packed = shared.get("/timeline/cut", Accept_Encoding="gzip").body
    stream = zlib.decompressobj(31)
    stream.decompress(packed[:-20])
    assert not stream.eof


def devices_of(reply):
    return [(d["deviceID"], d["since"]) for d in reply.json["devices"]]


def test_presence_of_a_random_history_equals_the_model(service):
    rng = random.Random(11)
    events = [(f"cam {rng.randrange(40)}/ü", rng.choice(("enter", "exit")),
               BASE + rng.randrange(10_000)) for _ in range(600)]
    service.store(*events)
    model = Model(Rule(now=BASE * 2))
    for device, kind, timestamp in events:
        model.fold(event(device, kind, timestamp))
    for at in [BASE - 1, BASE, *(BASE + rng.randrange(10_000) for _ in range(8)), BASE + 10_000]:
        expected = sorted(model.inside_at(at).items(), key=lambda item: item[0].encode())
        expected = [(device, rfc3339(since)) for device, since in expected]
        whole = service.get(f"/presence?at={rfc3339(at)}")
        assert whole.json["at"] == rfc3339(at) and devices_of(whole) == expected
        pages = walk(service, f"/presence?at={rfc3339(at)}&limit=3")
        assert sum(map(devices_of, pages), []) == expected
        assert all(len(devices_of(page)) <= 3 for page in pages)
    assert len(expected) > 5


def test_presence_now_is_the_present(service):
    service.store(("in", "enter", BASE), ("out", "enter", BASE), ("out", "exit", BASE + 1))
    reply = service.get("/presence")
    assert devices_of(reply) == [("in", rfc3339(BASE))] and "next" not in reply.json
    assert reply.json["at"] > "2026"


def test_pages_of_presence_stay_at_the_moment_of_the_first(service):
    service.store(*[(f"d{n}", "enter", BASE) for n in range(6)])
    first = service.get("/presence?limit=2")
    service.store(*[(f"d{n}", "exit", "2026-01-01T00:00:00Z") for n in range(6)])
    pages = walk(service, link_of(first))
    assert all(page.json["at"] == first.json["at"] for page in pages)
    cursor = first.json["next"]
    reply = service.get(f"/presence?limit=2&cursor={cursor}")
    assert reply.status == 400 and reply.json["parameter"] == "at"


def test_a_device_tells_state_first_and_last_seen_and_outcome_counts(shared):
    shared.store(("known", "enter", BASE), ("known", "enter", BASE), ("known", "enter", BASE + 1),
                 ("known", "exit", BASE + 2), ("known", "exit", BASE + 5_000))
    report = shared.get("/devices/known").json
    assert report == {
        "deviceID": "known", "state": "outside", "since": rfc3339(BASE + 2),
        "firstSeen": rfc3339(BASE), "lastSeen": rfc3339(BASE + 5_000),
        "outcomes": {"accepted": 2, "repeated_enter": 1, "repeated_exit": 1, "duplicate": 1,
                     "initial_exit": 0, "promoted": 0, "retracted": 0}}
    shared.store(("known", "enter", BASE + 6_000))
    assert shared.get("/devices/known").json["state"] == "inside"


def test_a_device_that_only_had_an_initial_exit(serving):
    service = serving("--first-exit", "suppress")
    assert service.store(("cam", "exit", BASE)) == ["initial_exit"]
    report = service.get("/devices/cam").json
    assert report["outcomes"]["initial_exit"] == 1 and report["state"] in ("outside", "unknown")
    assert report["firstSeen"] == report["lastSeen"] == rfc3339(BASE)


def test_a_device_counts_corrections(serving):
    service = serving("--order", "event_time")
    service.store(("cam", "enter", BASE + 5), ("cam", "enter", BASE), ("cam", "exit", BASE + 3))
    outcomes = service.get("/devices/cam").json["outcomes"]
    assert outcomes["retracted"] == 1 and outcomes["promoted"] == 1
    wait_until(lambda: service.timeline("cam") == [
        ("enter", rfc3339(BASE)), ("exit", rfc3339(BASE + 3)), ("enter", rfc3339(BASE + 5))])
