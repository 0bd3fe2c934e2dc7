"""Judges what `dwell clean` left in its topics by folding the input again, partition by partition."""

import collections
import copy
import dataclasses

import confluent_kafka

from dwell_cli import varint
from kafka_topics import Cleaned, cleaned_of, wait_until
from presence_model import Model

MARKER_KEY, FACTS_KEY = b"\x00", b"\x01"
# In the order in which a marker counts them.
OUTCOMES = ("accepted", "repeated_enter", "repeated_exit", "duplicate", "initial_exit", "ignored",
            "malformed", "invalid_device_id", "invalid_timestamp", "future_timestamp",
            "past_timestamp", "too_late", "too_large", "invalid_event_type")


@dataclasses.dataclass
class Marker:
    topic: str
    next: int
    outcomes: dict  # those that are not 0
    promoted: int
    retracted: int
    ignored: dict
    devices: int


def marker_of(data, rule):
    """A marker as docs/formats.md has it; of its rule nothing is asked."""

    def number():
        nonlocal data
        value, data = varint(data)
        return value

    def text():
        nonlocal data
        size = number()
        value, data = data[:size].decode(), data[size:]
        return value

    version, data = data[0], data[1:]
    assert number() == version  # that of the rule
    data = data[3:]  # order, first exit, clock
    for _ in range(5):  # windows and limits
        number()
    if version == 2:
        data = data[1:]  # the unit of times
        number()  # the earliest
        for _ in range(5):  # where members stand, and names of types
            for _ in range(number()):
                text()
        data = data[1:]  # whether ids are lowered
        assert number() == rule.max_record
    text()  # the cluster
    topic, following = text(), number()
    names = OUTCOMES if version == 2 else OUTCOMES[:13]
    assert number() == len(names)
    outcomes = {name: count for name in names if (count := number())}
    promoted, retracted = number(), number()
    ignored = {}
    for _ in range(number()):
        name = text()
        ignored[name] = number()
    marker = Marker(topic, following, outcomes, promoted, retracted, ignored, number())
    assert data == b""
    return marker


def fold(messages, rule):
    """The model of one partition and the cleaned records it asks for."""
    rule = copy.copy(rule)
    model, wanted = Model(rule), []
    for message in messages:
        rule.now = message.timestamp()[1]
        known = len(model.changes)
        model.fold(message.value() or b"", message.offset())
        source = (message.partition(), message.offset())
        wanted += [Cleaned(*change, source) for change in model.changes[known:]]
    return model, wanted


def by_partition(messages, count):
    found = [[] for _ in range(count)]
    for message in messages:
        found[message.partition()].append(message)
    return found


def assert_equal(found, wanted, what):
    """Names the first place where two lists part."""
    if found == wanted:
        return
    at = next((i for i, pair in enumerate(zip(found, wanted)) if pair[0] != pair[1]),
              min(len(found), len(wanted)))
    raise AssertionError(f"{what}: {len(found)} found, {len(wanted)} wanted; from {at} on found "
                         f"{found[at:at + 3]}, wanted {wanted[at:at + 3]}, after "
                         f"{wanted[max(0, at - 2):at]}")


def assert_gapless(records):
    last = collections.Counter()
    for record in records:
        last[record.device] += 1
        assert record.seq == last[record.device], (record, "after seq", last[record.device] - 1)


def wait_for_open_transactions(topics):
    """What a killed process left open hides what is behind it, until the broker ends it."""
    readers = [confluent_kafka.Consumer({"bootstrap.servers": topics.broker.address,
                                         "group.id": "reader", "isolation.level": level})
               for level in ("read_committed", "read_uncommitted")]
    places = [confluent_kafka.TopicPartition(topic, number)
              for topic in (topics.cleaned, topics.state) for number in range(topics.partitions)]
    places.append(confluent_kafka.TopicPartition(topics.rejected, 0))
    for place in places:
        def is_over():
            ends = [reader.get_watermark_offsets(place, timeout=30)[1] for reader in readers]
            return ends[0] == ends[1]
        wait_until(is_over)
    for reader in readers:
        reader.close()


def judge(topics, admin, rule):
    """After all processes stopped by SIGTERM and the load ended. Returns the models."""
    wait_for_open_transactions(topics)
    inputs = by_partition(topics.read(topics.input, topics.partitions), topics.partitions)
    cleaned = by_partition(topics.read(topics.cleaned, topics.partitions), topics.partitions)
    states = by_partition(topics.read(topics.state, topics.partitions), topics.partitions)
    committed, models, rejects = topics.committed(admin), [], []
    for number, messages in enumerate(inputs):
        model, wanted = fold(messages, rule)
        models.append(model)
        where = f"{topics.cleaned}/{number}"
        found = [cleaned_of(message) for message in cleaned[number]]
        assert_equal(found, wanted, where)
        assert_gapless(found)
        rejects += [(reason, number, offset, value) for reason, offset, value in model.rejects]
        end = messages[-1].offset() + 1 if messages else None
        assert committed.get(number) == end, (where, committed, end)
        of_rule = [message for message in states[number] if message.key() != FACTS_KEY]
        check_states(topics, model, rule, of_rule, end)
    found = [(reason, number, offset, value or b"")
             for reason, number, offset, value, _ in topics.rejects()]
    assert_equal(sorted(found, key=lambda r: r[1:3]), rejects, topics.rejected)
    return models


def check_states(topics, model, rule, states, end):
    """The last marker says what the model counts; there is a state of every device."""
    if end is None:
        assert states == []
        return
    markers = [message.value() for message in states if message.key() == MARKER_KEY]
    devices = {message.key().decode() for message in states if message.key() != MARKER_KEY}
    assert markers and states[-1].key() == MARKER_KEY, "no marker at the end"
    assert devices == set(model.devices)
    assert marker_of(markers[-1], rule) == Marker(
        topics.input, end, {name: count for name, count in model.outcomes.items() if count},
        model.totals["promoted"], model.totals["retracted"], dict(model.ignored),
        len(model.devices))
