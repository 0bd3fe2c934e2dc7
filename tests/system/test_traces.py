"""One trace from whoever produced a record to the row, the suppression or the reject that it became."""

import contextlib
import functools
import json
import secrets
import signal
import uuid

import confluent_kafka
import pytest

from dwell_service import post_event, wait_until
from otlp_receiver import OtlpReceiver

NOW = 1_700_000_000_000
EVENTS = [("a", "device_enter", 0), ("a", "device_enter", 1_000), ("a", "device_exit", 2_000),
          ("", "device_enter", 3_000)]  # a row, a repeat, a row, a reject


@pytest.fixture
def receiver():
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.fixture
def start(tmp_path, database, receiver):  # noqa: F811
    """system() with processes that send what they have to the receiver."""
    from dwell_system import system
    return functools.partial(start_system, system, tmp_path, database, receiver.environment())


def start_system(system, folder, database, environment, topics, *flags, command="run"):
    return system(folder, topics, database.url, *flags, command=command, environment=environment)


class Producer:
    """A plain client that traces what it sends."""

    def __init__(self, topics):
        self.topics = topics
        self.client = confluent_kafka.Producer({"bootstrap.servers": topics.broker.address})

    def send(self, *events, flags="01", partition=0):
        """The (trace, span) of each."""
        contexts = []
        for device, kind, offset in events:
            context = (secrets.token_hex(16), secrets.token_hex(8))
            value = json.dumps({"device_id": device, "event_type": kind,
                                "timestamp": NOW + offset})
            self.client.produce(self.topics.input, value, device, partition=partition, headers=[
                ("traceparent", f"00-{context[0]}-{context[1]}-{flags}".encode()),
                ("tracestate", b"vendor=1")])
            contexts.append(context)
        assert self.client.flush(30) == 0
        return contexts


def check_records(receiver, topics, contexts, outcomes):
    """Each record has one span of cleaning below its producer's and, if it became a row, one of
    storing below that."""
    for (trace, producer), outcome in zip(contexts, outcomes):
        is_row = outcome == "accepted"

        def is_whole():
            names = {span.attributes.get("dwell.outcome") for span in receiver.trace(trace)}
            return outcome in names and (not is_row or "stored" in names)

        receiver.wait_for(is_whole, what=(outcome, receiver.trace(trace)))
        spans = receiver.trace(trace)
        cleaning = [span for span in spans if span.attributes["dwell.outcome"] == outcome]
        assert {span.id for span in cleaning} == {cleaning[0].id}, spans
        assert cleaning[0].parent == producer
        assert cleaning[0].kind == 5  # a consumer
        assert cleaning[0].name.startswith("process ")
        assert cleaning[0].attributes["messaging.system"] == "kafka"
        assert not [value for span in spans for key, value in span.attributes.items()
                    if "device" in key]
        storing = [span for span in spans if span.attributes["dwell.outcome"] == "stored"]
        if is_row:
            assert {(span.id, span.parent) for span in storing} == {
                (storing[0].id, cleaning[0].id)}, spans
            assert storing[0].name == f"process {topics.cleaned}"
            assert storing[0].end >= cleaning[0].start
            commits = {(span.trace, span.id): span for span in receiver.spans
                       if span.name == "INSERT device_events_cleaned"}
            receiver.wait_for(lambda: storing[0].links[0] in {
                (span.trace, span.id) for span in receiver.spans})
            commits = {(span.trace, span.id): span.name for span in receiver.spans}
            assert commits[storing[0].links[0]] == "INSERT device_events_cleaned"
        else:
            assert not storing, spans


OUTCOMES = ["accepted", "repeated_enter", "accepted", "invalid_device_id"]


@pytest.mark.parametrize("partitions, by", [(1, "device"), (3, "none")])
@pytest.mark.parametrize("processes", [1, 2])
def test_a_record_is_one_trace(broker, admin, receiver, start, partitions, by, processes):
    from kafka_topics import Topics
    topics = Topics(broker, f"traces-{uuid.uuid4().hex[:8]}", partitions)
    topics.create(admin, "LogAppendTime")
    flags = ["--input-partitioned-by", by]
    with contextlib.ExitStack() as running:
        if processes == 1:
            running.enter_context(start(topics, *flags))
        else:
            running.enter_context(start(topics, *flags, command="clean"))
            running.enter_context(start(topics, command="store"))
        contexts = Producer(topics).send(*EVENTS)
        check_records(receiver, topics, contexts, OUTCOMES)
        headers = [dict(message.headers()) for message in topics.read(topics.cleaned, partitions)]
    assert [one["tracestate"] for one in headers] == [b"vendor=1", b"vendor=1"]
    cleaning = {span.id for span in receiver.spans if span.attributes.get("dwell.outcome") == "accepted"}
    assert {one["traceparent"].decode().split("-")[2] for one in headers} == cleaning
    rejected = dict(topics.read(topics.rejected)[0].headers())
    assert rejected["tracestate"] == b"vendor=1"
    assert rejected["traceparent"].decode().split("-")[1] == contexts[3][0]
    assert rejected["traceparent"].decode().split("-")[2] != contexts[3][1]


def test_a_record_that_is_not_sampled_keeps_its_headers(topics, database, receiver, start):
    with start(topics):
        contexts = Producer(topics).send(*EVENTS, flags="00")
        wait_until(lambda: database.query("SELECT count(*) FROM device_events_cleaned") == [(2,)])
    found = [dict(message.headers()) for topic in (topics.cleaned, topics.rejected)
             for message in topics.read(topic)]
    expected = [f"00-{trace}-{span}-00" for trace, span in (contexts[0], contexts[2], contexts[3])]
    assert [one["traceparent"].decode() for one in found] == expected
    assert {one["tracestate"] for one in found} == {b"vendor=1"}
    assert not [span for trace, _ in contexts for span in receiver.trace(trace)]


def test_without_an_endpoint_headers_stay_and_nothing_is_loaded(topics, database, tmp_path):
    from dwell_system import system
    with system(tmp_path, topics, database.url) as service:
        contexts = Producer(topics).send(*EVENTS)
        wait_until(lambda: database.query("SELECT count(*) FROM device_events_cleaned") == [(2,)])
        maps = (open(f"/proc/{service.process.pid}/maps").read())
        assert "opentelemetry" not in maps and "dwell_otlp" not in maps
    found = [dict(message.headers()) for topic in (topics.cleaned, topics.rejected)
             for message in topics.read(topic)]
    expected = [f"00-{trace}-{span}-01" for trace, span in (contexts[0], contexts[2], contexts[3])]
    assert [one["traceparent"].decode() for one in found] == expected


def test_a_record_is_one_trace_after_kill_9(topics, database, receiver, start):
    """What was read again has the same span, so that nothing is there twice."""
    from dwell_system import system
    contexts = []
    producer = Producer(topics)
    clean = start(topics, "--checkpoint-records", "5", command="clean")
    with start(topics, command="store"):
        for i in range(4):
            with clean.start():
                contexts += producer.send(*((f"d{i}-{j}", "device_enter", j) for j in range(30)))
                wait_until(lambda: topics.read(topics.cleaned))
                clean.process.send_signal(signal.SIGKILL)
                clean.process.wait()
        with clean.start():
            wait_until(lambda: database.query(
                "SELECT count(*) FROM device_events_cleaned") == [(120,)])

            def stored(trace):
                return [span for span in receiver.trace(trace)
                        if span.attributes["dwell.outcome"] == "stored"]

            receiver.wait_for(lambda: all(stored(trace) for trace, _ in contexts))
    for trace, producer_span in contexts:
        cleaning = [span for span in receiver.trace(trace)
                    if span.attributes["dwell.outcome"] == "accepted"]
        # A span that was not sent before the kill is lost; one that is there is of the one trace.
        assert {(span.parent, span.id) for span in cleaning} <= {
            (producer_span, stored(trace)[0].parent)}
        assert len({span.id for span in stored(trace)}) == 1


def test_a_post_is_one_trace_down_to_its_row(topics, database, receiver, start):
    with start(topics) as service:
        trace, client = secrets.token_hex(16), secrets.token_hex(8)
        reply = service.post([post_event("a", "enter", NOW)], headers={
            "Content-Type": "application/json", "traceparent": f"00-{trace}-{client}-01"})
        assert reply.status == 201
        receiver.wait_for(lambda: len(receiver.trace(trace)) == 3)
    request, cleaning, storing = sorted(receiver.trace(trace), key=lambda span: (
        span.attributes.get("dwell.outcome", ""), span.name))
    assert request.name == "POST /timeline" and request.parent == client and request.kind == 2
    assert request.attributes["http.response.status_code"] == 201
    assert cleaning.parent == request.id and storing.parent == cleaning.id


def test_batches_link_to_their_records(topics, database, receiver, start):
    with start(topics, command="clean"):
        contexts = Producer(topics).send(*((f"d{j}", "device_enter", j) for j in range(200)))

        def linked():
            return [link for span in receiver.spans for link in span.links
                    if "messaging.batch.message_count" in span.attributes]

        def dropped():
            return sum(span.attributes.get("dwell.links_dropped", 0) for span in receiver.spans)

        receiver.wait_for(lambda: len(linked()) + dropped() == 200)
    assert set(linked()) <= set(contexts)
    assert max(len(span.links) for span in receiver.spans) <= 128
    names = {span.name for span in receiver.spans}
    assert {f"restore {topics.input}", f"commit {topics.input}"} <= names


def test_device_ids_are_told_only_where_they_may_be(topics, database, receiver, start):
    with start(topics, "--telemetry-device-ids", "yes", command="clean"):
        (trace, _), = Producer(topics).send(("secret-badge", "device_enter", 0))
        receiver.wait_for(lambda: receiver.trace(trace))
    assert receiver.trace(trace)[0].attributes["dwell.device_id"] == "secret-badge"
