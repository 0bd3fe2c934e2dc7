"""What a consumer group hands over that a role does not read: never taken, and no reason to end."""

import json
import threading
import uuid

import pytest

from dwell_service import wait_until
from dwell_system import system

START = 1_000_000_000


@pytest.fixture
def topics(broker, admin):
    from kafka_topics import Topics
    return Topics(broker, f"group-{uuid.uuid4().hex[:8]}").create(admin)


def event(device):
    return json.dumps({"device_id": device, "event_type": "device_enter",
                       "timestamp": START}).encode()


class Stranger:
    """Another program that leads the group: it keeps partition 0, and gives others what it likes."""

    def __init__(self, broker, topic, group, given):
        import kafka
        from kafka_clients import PATIENT
        from kafka.coordinator.assignors.range import RangePartitionAssignor
        from kafka.coordinator.protocol import ConsumerProtocolMemberAssignment

        class Assignor(RangePartitionAssignor):
            @classmethod
            def assign(cls, _cluster, members, *_):
                return {one: ConsumerProtocolMemberAssignment(
                    0, [(topic, [0])] if one.startswith("stranger") else given, b"")
                    for one in members}

        self.consumer = kafka.KafkaConsumer(
            topic, bootstrap_servers=broker.address, client_id="stranger", group_id=group,
            enable_auto_commit=False,
            partition_assignment_strategy=[Assignor], session_timeout_ms=6_000, **PATIENT)
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        wait_until(self.has_joined)

    def run(self):
        while not self.is_over.is_set():
            self.consumer.poll(timeout_ms=50)
        self.consumer.close()

    def has_joined(self):
        return self.consumer.assignment()

    def leave(self):
        self.is_over.set()
        self.thread.join()


def partitions(service):
    return service.metrics().get("dwell_partitions", 0)


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_an_instance_that_comes_back_for_another_topic(topics, admin, database, tmp_path, kill):
    from kafka_topics import Topics
    other = Topics(topics.broker, topics.name + "-other").create(admin)
    service = system(tmp_path, topics, database.url, command="clean").start()
    wait_until(lambda: partitions(service) == 1)  # what the brokers remember
    service.kill() if kill else service.stop()
    other.produce([(0, event("d1"), START)])
    service.start("--topics-input", other.input)
    wait_until(lambda: topics.read(topics.cleaned), seconds=5)
    service.stop()


def test_a_store_that_comes_back_for_another_topic(topics, admin, database, tmp_path):
    from kafka_clean import Meddler
    from kafka_topics import Topics
    other = Topics(topics.broker, topics.name + "-other").create(admin)
    service = system(tmp_path, topics, database.url, command="store").start()
    wait_until(lambda: owns(admin, topics))
    service.stop()
    Meddler(topics).write(other.cleaned, b"d1", b"no event")
    service.start("--topics-cleaned", other.cleaned)
    wait_until(lambda: topics.read(topics.rejected), seconds=5)
    service.stop()


@pytest.mark.parametrize("given", [("input", [7]), ("state", [0]), ("input", [0, 0])],
                         ids=["no such partition", "another topic", "twice"])
def test_a_stranger_that_leads_the_group(topics, database, tmp_path, given):
    topic, numbers = getattr(topics, given[0]), given[1]
    stranger = Stranger(topics.broker, topics.input, topics.group, [(topic, numbers)])
    service = system(tmp_path, topics, database.url, command="clean")
    try:
        service.start(is_ready=False)
        said = (f"group {topics.group} gives partition {numbers[0]} of topic {topic}"
                f"{' twice' if len(numbers) > 1 else ''}, but topic {topics.input} is read")
        wait_until(lambda: said in service.get("/readyz").text, what=service.log)
        assert said in service.log and partitions(service) == 0
    finally:
        stranger.leave()
    topics.produce([(0, event("d1"), START)])
    wait_until(lambda: topics.read(topics.cleaned))
    service.wait_ready()
    service.stop()


def owns(admin, topics):
    """Whether the store's group has given its partition."""
    group, = admin.describe_consumer_groups([topics.name + "-store"])
    return any(member.member_assignment and member.member_assignment.assignment
               for member in group.members)
