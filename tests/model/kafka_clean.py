"""`dwell clean` as its operator handles it: run up to an offset, stopped, refused; and what can be
done to its topics behind its back."""

import json
import signal

import confluent_kafka.admin
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

from kafka_topics import PATIENCE_S, wait_until

# So that the brokers soon give up the member of a process that ended.
SHORT_SESSION = ["--kafka-extra", "session.timeout.ms=3000",
                 "--kafka-extra", "heartbeat.interval.ms=500"]


def event(device, kind, timestamp):
    return json.dumps({"device_id": device, "event_type": f"device_{kind}",
                       "timestamp": timestamp}).encode()


def run_until(dwell, command, condition):
    """Runs `dwell COMMAND` until the condition holds, and stops it."""
    process = dwell.start(*command)
    try:
        wait_until(condition, process)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    finally:
        process.kill()
        process.wait()


class Cleaner:
    """One instance of `dwell clean` at the topics."""

    def __init__(self, dwell, topics, admin, *flags):
        self.dwell, self.topics, self.admin = dwell, topics, admin
        self.command = ["clean", *topics.flags(), *SHORT_SESSION, *flags]

    def run_until(self, is_done, stop=signal.SIGTERM):
        """What it said until it was stopped."""
        process = self.dwell.start(*self.command)
        try:
            wait_until(is_done, process)
            process.send_signal(stop)
            _, err = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
            process.wait()
        if stop == signal.SIGTERM:
            assert process.returncode == 0, err
        return err.decode()

    def run_to(self, end, stop=signal.SIGTERM):
        """Up to this offset of partition 0 of the input."""
        return self.run_until(lambda: self.topics.committed(self.admin).get(0) == end, stop)

    def refused(self, status, *flags):
        """What it says when it does not start."""
        process = self.dwell.start(*self.command, *flags)
        try:
            _, err = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
            process.wait()
        assert process.returncode == status, err
        return err.decode()


class Meddler:
    """An administrator with other tools than `dwell topics`."""

    def __init__(self, topics):
        self.topics = topics
        self.client = confluent_kafka.admin.AdminClient(
            {"bootstrap.servers": topics.broker.address})

    @staticmethod
    def done(futures):
        for future in futures.values():
            future.result(PATIENCE_S)

    def set(self, topic, **settings):
        from confluent_kafka.admin import (AlterConfigOpType, ConfigEntry, ConfigResource,
                                           ResourceType)
        entries = [ConfigEntry(name.replace("_", "."), str(value),
                               incremental_operation=AlterConfigOpType.SET)
                   for name, value in settings.items()]
        self.done(self.client.incremental_alter_configs(
            [ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)]))

    def settings(self, topic):
        from confluent_kafka.admin import ConfigResource, ResourceType
        (future,) = self.client.describe_configs(
            [ConfigResource(ResourceType.TOPIC, topic)]).values()
        return {name: entry.value for name, entry in future.result(PATIENCE_S).items()}

    def delete_records(self, topic, before=confluent_kafka.OFFSET_END, partition=0):
        self.done(self.client.delete_records([TopicPartition(topic, partition, before)]))

    def delete_states(self):
        """As far as `dwell topics reset` gets when it is killed after the first of two steps."""
        state = self.topics.state
        self.set(state, cleanup_policy="compact,delete")
        wait_until(lambda: self.settings(state)["cleanup.policy"] == "compact,delete")
        wait_until(self.may_delete_states)
        self.set(state, cleanup_policy="compact")

    def may_delete_states(self):
        try:
            self.delete_records(self.topics.state)
            return True
        except confluent_kafka.KafkaException as error:
            if error.args[0].code() != confluent_kafka.KafkaError.POLICY_VIOLATION:
                raise
            return False  # the broker still learns of the new policy

    def delete_offsets(self):
        """With the group; it has no members any more, or soon has none."""
        def is_done():
            try:
                self.done(self.client.delete_consumer_groups([self.topics.group]))
                return True
            except confluent_kafka.KafkaException as error:
                if error.args[0].code() != confluent_kafka.KafkaError.NON_EMPTY_GROUP:
                    raise
                return False
        wait_until(is_done)

    def set_offset(self, offset, topic=None):
        """Refused while the group has members; those of ended processes soon are none any more."""
        where = TopicPartition(topic or self.topics.input, 0, offset)

        def is_done():
            (future,) = self.client.alter_consumer_group_offsets(
                [ConsumerGroupTopicPartitions(self.topics.group, [where])]).values()
            try:
                (found,) = future.result(PATIENCE_S).topic_partitions
                error = found.error
            except confluent_kafka.KafkaException as raised:
                error = raised.args[0]
            assert not error or error.code() == confluent_kafka.KafkaError.UNKNOWN_MEMBER_ID, error
            return not error
        wait_until(is_done)

    def write(self, topic, key, value):
        producer = confluent_kafka.Producer({"bootstrap.servers": self.topics.broker.address})
        producer.produce(topic, value, key, partition=0)
        assert producer.flush(PATIENCE_S) == 0
