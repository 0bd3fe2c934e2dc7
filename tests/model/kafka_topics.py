"""The four topics of one cleaner, as its neighbours see them: kafka-python writes as sensors do,
confluent-kafka reads, since it can tell what is committed."""

import dataclasses
import json
import time

import confluent_kafka
from kafka import KafkaProducer
from kafka.admin import NewTopic
from kafka.errors import KafkaError

from dwell_cli import varint
from kafka_clients import PATIENT

PATIENCE_S = 60
LONGEST = 4 << 20  # of an input record, bytes
# Tests use small numbers as times.
FACTS = {"clock.earliest": "off", "input.time_unit": "ms"}


@dataclasses.dataclass(frozen=True)
class Cleaned:
    op: str
    device: str
    type: str
    timestamp: int
    seq: int
    rank: int
    source: tuple  # partition, offset


def wait_until(condition, process=None, patience=PATIENCE_S):
    """Asks until it is so; a process that ends meanwhile fails the test with what it said."""
    deadline = time.monotonic() + patience
    while not condition():
        if process is not None and process.poll() is not None:
            said = process.stderr.read() if process.stderr else ""
            raise AssertionError(f"ended with {process.returncode}: {said!r}")
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


class Topics:
    """Of their own for each test: the names begin with `name`."""

    def __init__(self, broker, name, partitions=1):
        self.broker, self.name, self.partitions = broker, name, partitions
        self.input, self.cleaned = f"{name}-events", f"{name}-cleaned"
        self.state, self.rejected = f"{name}-state", f"{name}-rejected"
        self.keyed = f"{name}-keyed"
        self.group = f"{name}-group"

    def create(self, admin, kind="CreateTime", facts=FACTS):
        # Records of long ago stay.
        input_configs = {"message.timestamp.type": kind, "retention.ms": "-1",
                         "max.message.bytes": str(LONGEST)}
        state_configs = {"cleanup.policy": "compact", "segment.bytes": str(64 << 20),
                         "min.cleanable.dirty.ratio": "0.1"}
        admin.create_topics([
            NewTopic(self.input, self.partitions, 1, topic_configs=input_configs),
            NewTopic(self.keyed, self.partitions, 1,
                     topic_configs={**input_configs, "message.timestamp.type": "CreateTime"}),
            NewTopic(self.cleaned, self.partitions, 1, topic_configs={"retention.ms": "-1"}),
            NewTopic(self.state, self.partitions, 1, topic_configs=state_configs),
            NewTopic(self.rejected, 1, 1, topic_configs={"max.message.bytes": str(2 << 20)}),
        ])
        self.wait_for_leaders()
        if facts is not None:
            self.write_facts(facts)
        return self

    def write_facts(self, settings):
        """What `dwell topics create` writes (docs/formats.md, "Facts"): without, topics are of the
        first release."""
        def text(value):
            return bytes([len(value)]) + value.encode()

        value = bytes([1, 2, len(settings)]) + b"".join(
            text(key) + text(settings[key]) for key in sorted(settings))
        producer = KafkaProducer(bootstrap_servers=self.broker.address, acks="all", retries=100,
                                 **PATIENT)
        producer.send(self.state, value, key=b"\x01", partition=0).get(PATIENCE_S)
        producer.close()

    def wait_for_leaders(self):
        """A broker refuses for good what comes before it leads a new partition."""
        reader = confluent_kafka.Consumer({"bootstrap.servers": self.broker.address,
                                           "group.id": "reader"})

        def is_led(place):
            try:
                return reader.get_watermark_offsets(place, timeout=PATIENCE_S) is not None
            except confluent_kafka.KafkaException:
                return False

        for topic in (self.input, self.cleaned):
            for number in range(self.partitions):
                place = confluent_kafka.TopicPartition(topic, number)
                wait_until(lambda: is_led(place))  # noqa: B023
        reader.close()

    def names(self):
        """The flags that `dwell topics` takes too."""
        return ["--brokers", self.broker.address, "--topics-input", self.input,
                "--topics-keyed", self.keyed, "--topics-cleaned", self.cleaned,
                "--topics-state", self.state, "--topics-rejected", self.rejected,
                "--clean-group", self.group]

    def flags(self, instance="one"):
        return [*self.names(), "--instance-id", instance]

    def produce(self, records):
        """Each record is (partition, value, timestamp in ms) and a key, if it has one; in this order
        too when the broker does not lead the new topic yet."""
        producer = KafkaProducer(bootstrap_servers=self.broker.address, acks="all", retries=100,
                                 max_in_flight_requests_per_connection=1,
                                 max_request_size=LONGEST, linger_ms=5, **PATIENT)
        sent = [producer.send(self.input, value, *key, partition=partition, timestamp_ms=timestamp)
                for partition, value, timestamp, *key in records]
        for one in sent:
            one.get(PATIENCE_S)
        producer.close()

    def committed(self, admin):
        """The next offset of each partition of the input that the group has one for."""
        try:
            offsets = admin.list_consumer_group_offsets(self.group)
        except KafkaError as error:
            if not error.retriable:
                raise
            return {}  # the group's coordinator is not there yet
        return {where.partition: value.offset for where, value in offsets.items()
                if where.topic == self.input and value.offset >= 0}

    def read(self, topic, partitions=1):
        """Every message that a read_committed reader gets, partition by partition."""
        consumer = confluent_kafka.Consumer({
            "bootstrap.servers": self.broker.address, "group.id": "reader",
            "enable.auto.commit": False, "isolation.level": "read_committed",
            "auto.offset.reset": "earliest", "enable.partition.eof": True})
        consumer.assign([confluent_kafka.TopicPartition(topic, number,
                                                        confluent_kafka.OFFSET_BEGINNING)
                         for number in range(partitions)])
        messages, unread = [], set(range(partitions))
        while unread:
            message = consumer.poll(PATIENCE_S)
            assert message is not None, (topic, unread)
            if not message.error():
                messages.append(message)
            elif message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                unread.discard(message.partition())
            else:
                raise AssertionError(message.error())
        consumer.close()
        return sorted(messages, key=lambda m: (m.partition(), m.offset()))

    def cleaned_records(self):
        return [cleaned_of(message) for message in self.read(self.cleaned, self.partitions)]

    def rejects(self):
        """(reason, partition, offset, value, headers) of each."""
        found = []
        for message in self.read(self.rejected):
            headers = dict(message.headers())
            assert headers.pop("source.topic").decode() in (self.input, self.keyed)
            found.append((headers.pop("reason").decode(), int(headers.pop("source.partition")),
                          int(headers.pop("source.offset")), message.value(), headers))
        return found


def cleaned_of(message):
    """The record of a message, held to the contract on the way."""
    value = json.loads(message.value())
    payload, headers = value["payload"], dict(message.headers())
    assert list(payload) == ["timestamp", "device_id", "event_type"]
    assert message.key().decode() == payload["device_id"]
    partition, rest = varint(headers.pop("source"))
    offset, rest = varint(rest)
    assert rest == b"" and partition == message.partition()
    record = Cleaned(headers.pop("op", b"insert").decode(), payload["device_id"],
                     payload["event_type"], payload["timestamp"], int(headers.pop("seq")),
                     int(headers.pop("rank")), (partition, offset))
    assert headers == {}
    return record
