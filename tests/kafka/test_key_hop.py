"""Inputs whose partitions do not follow the devices: copied by device first, exactly once; and what
is said when they are taken as they are."""

import collections
import json
import signal
import uuid

import pytest

from dwell_cli import Dwell
from dwell_service import Service

PARTITIONS = 3
DEVICES = 40
ROUNDS = 50
START = 1_000_000_000


def events():
    """Enter and exit of each device in turn, in a partition that only its number decides."""
    for i in range(ROUNDS):
        for device in range(DEVICES):
            kind = ("device_enter", "device_exit")[i % 2]
            now = START + i * 1_000
            value = {"device_id": f"d{device}", "event_type": kind, "timestamp": now}
            yield device % PARTITIONS, json.dumps(value).encode(), now


@pytest.fixture
def topics(broker, admin):
    from kafka_topics import Topics
    return Topics(broker, f"hop-{uuid.uuid4().hex[:8]}", PARTITIONS).create(admin)


def test_records_reach_the_partition_of_their_device_exactly_once(topics, admin, tmp_path):
    from kafka_topics import wait_until
    dwell, records = Dwell(tmp_path), list(events())
    topics.produce(records + [(1, b"no event", START)])

    def moved(group):
        return sum(value.offset for value in admin.list_consumer_group_offsets(group).values())

    def cleaned():
        return len(topics.read(topics.cleaned, PARTITIONS))

    command = ["clean", *topics.flags(), "--batch-records", "100"]
    first = dwell.start(*command)
    try:
        wait_until(lambda: cleaned() > len(records) // 4, first)
    finally:
        first.kill()
        first.wait()
    second = dwell.start(*command)
    try:
        wait_until(lambda: cleaned() >= len(records) and topics.rejects(), second)
        second.send_signal(signal.SIGTERM)
        _, err = second.communicate(timeout=60)
        assert second.returncode == 0, err
    finally:
        second.kill()
        second.wait()

    keyed = topics.read(topics.keyed, PARTITIONS)
    assert sorted((m.value(), m.timestamp()[1]) for m in keyed) == sorted(
        (value, now) for _, value, now in records + [(1, b"no event", START)])
    assert len({m.partition() for m in keyed if m.key()}) > 1
    assert moved(f"{topics.group}-key") > 0
    by_device, places = collections.defaultdict(list), collections.defaultdict(set)
    for record in topics.cleaned_records():
        by_device[record.device].append((record.seq, record.timestamp))
        places[record.device].add(record.source[0])
    wanted = [(i + 1, START + i * 1_000) for i in range(ROUNDS)]
    assert by_device == {f"d{device}": wanted for device in range(DEVICES)}
    assert all(len(place) == 1 for place in places.values())
    assert [(reason, value) for reason, _, _, value, _ in topics.rejects()] == [
        ("malformed", b"no event")]


def test_keys_that_are_not_the_device_are_told_of(topics, tmp_path):
    from kafka_topics import wait_until
    dwell = Dwell(tmp_path)
    topics.produce(list(events())[:DEVICES])
    process = dwell.start("clean", *topics.flags(), "--input-partitioned-by", "device")
    try:
        wait_until(lambda: len(topics.read(topics.cleaned, PARTITIONS)) == DEVICES, process)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    err = err if isinstance(err, str) else err.decode()
    assert "its key is empty" in err and "input.partitioned_by = none" in err
    assert err.count("its key is empty") == 10 and "not telling of others" in err


@pytest.mark.parametrize("looks", [1, 5])
def test_a_stop_does_not_wait_for_a_keyed_topic_that_is_missing(topics, admin, tmp_path, looks):
    """Right after it was told, and later, when the pauses between two tries have grown."""
    from kafka_topics import wait_until
    admin.delete_topics([topics.keyed])
    topics.produce([(0, json.dumps({"device_id": "d1", "event_type": "device_enter",
                                    "timestamp": START}).encode(), START)])
    with Service(tmp_path, *topics.flags(), command="clean").start(is_ready=False) as service:
        wait_until(lambda: "trying again" in service.log, service.process)
        wait_until(lambda: service.metrics()["dwell_topic_looks_total"] >= looks, service.process)
        assert f"topic {topics.keyed}" in service.log
        service.process.send_signal(signal.SIGTERM)
        service.wait(0, 3)  # by itself: it has nothing to wait for
