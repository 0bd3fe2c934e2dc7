"""Inputs whose partitions do not follow the devices: copied by device first, exactly once; and what
is said when they are taken as they are."""

import collections
import json
import random
import signal
import time
import uuid

import pytest

from dwell_cli import Dwell
from dwell_service import Service

DAY = 24 * 3_600_000
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


def entry(device, at, kind="device_enter", **more):
    return json.dumps({"device_id": device, "event_type": kind, "timestamp": at, **more}).encode()


def stopped(process):
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err


def test_a_backlog_of_days_in_many_partitions_is_not_too_late(broker, admin, tmp_path):
    """Devices' events lie in any partition, and the client gets a few of one at a time."""
    from kafka_topics import Topics, wait_until
    topics = Topics(broker, f"backlog-{uuid.uuid4().hex[:8]}", 8).create(admin)
    chance, count = random.Random(7), 3_600
    start, inside, records = int(time.time() * 1_000) - 3 * DAY, set(), []
    for i in range(count):
        device, at = f"d{chance.randrange(100)}", start + i * (3 * DAY - 3_600_000) // count
        inside ^= {device}
        kind = "device_enter" if device in inside else "device_exit"
        records.append((chance.randrange(8), entry(device, at, kind), at))
    topics.produce(records)
    process = Dwell(tmp_path).start("clean", *topics.flags(), "--kafka-extra",
                                    "fetch.message.max.bytes=5000", "--batch-records", "100")
    try:
        wait_until(lambda: len(topics.read(topics.keyed, 8)) == count, process)
        wait_until(lambda: len(topics.read(topics.cleaned, 8)) + len(topics.rejects()) >= count,
                   process)
        stopped(process)
    finally:
        process.kill()
        process.wait()
    assert collections.Counter(reason for reason, *_ in topics.rejects()) == {}
    ops = collections.Counter(record.op for record in topics.cleaned_records())
    assert ops["insert"] - ops["retract"] == count


@pytest.mark.parametrize("is_alone", [True, False])
def test_a_partition_that_is_far_ahead_waits_and_loses_nothing(broker, admin, tmp_path, is_alone):
    """More of it than may wait: it is not read on until the others are as far, or somebody else
    gets it."""
    from kafka_topics import Topics, wait_until
    topics = Topics(broker, f"ahead-{uuid.uuid4().hex[:8]}", 2).create(admin)
    count, padding = 220, "x" * 200_000
    records = [(partition, entry(f"d{partition}", at, padding=padding), at)
               for partition, first in ((0, START + DAY), (1, START))
               for at in range(first, first + count)]
    topics.produce(records)
    processes = [Dwell(tmp_path).start("clean", *topics.flags())]

    def copied():
        return len(topics.read(topics.keyed, 2))
    try:
        wait_until(copied, processes[0])
        if not is_alone:
            processes.append(Dwell(tmp_path).start("clean", *topics.flags("two")))
        wait_until(lambda: copied() >= len(records), processes[0])
        for process in processes:
            stopped(process)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    by_device = collections.defaultdict(list)
    for message in topics.read(topics.keyed, 2):
        by_device[message.key()].append(message.timestamp()[1])
    assert by_device == {b"d0": list(range(START + DAY, START + DAY + count)),
                         b"d1": list(range(START, START + count))}


@pytest.mark.parametrize("received", [None, 1_550_000_000_000])
def test_live_events_do_not_wait_for_a_backfill(broker, admin, tmp_path, received):
    """Events of 2019 that come now, and that came in 2019; then an event of 2099."""
    from kafka_topics import Topics, wait_until
    topics = Topics(broker, f"live-{uuid.uuid4().hex[:8]}", 3).create(admin)
    now = int(time.time() * 1_000)
    topics.produce([(1, entry("ahead", now + 73 * 365 * DAY), now)])
    topics.produce([(0, entry(f"d{i % 50}", 1_550_000_000_000 + i), received or now)
                    for i in range(20_000)])
    process = Dwell(tmp_path).start("clean", *topics.flags(), "--batch-records", "200")

    def cleaned():
        return {message.key() for message in topics.read(topics.cleaned, 3)}
    try:
        wait_until(lambda: topics.rejects(), process)
        for i in range(5):
            device, now = f"live{i}", int(time.time() * 1_000)
            topics.produce([(1 + i % 2, entry(device, now), now)])
            wait_until(lambda: device.encode() in cleaned(), process, patience=10)  # noqa: B023
        wait_until(lambda: len(topics.read(topics.keyed, 3)) == 20_006, process)
        stopped(process)
    finally:
        process.kill()
        process.wait()
    assert {(reason, json.loads(value)["device_id"]) for reason, _, _, value, _ in
            topics.rejects()} == {("future_timestamp", "ahead")}


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
