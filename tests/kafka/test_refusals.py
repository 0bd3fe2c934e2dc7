"""Every reason for `dwell clean` not to go on from what it finds, brought about for real: the message
names the place, the offsets and the command, and the command gets it going again."""

import re
import signal
import uuid

import pytest

from dwell_cli import Dwell, varint

START = 1_000_000_000
RESET = "`dwell topics reset` forgets states and offsets"


class Stopped:
    """A cleaner that was stopped in good order behind two records."""

    END = 2

    def __init__(self, broker, admin, folder):
        from kafka_clean import Cleaner, Meddler
        from kafka_topics import Topics
        self.admin, self.dwell = admin, Dwell(folder)
        self.topics = Topics(broker, f"refused-{uuid.uuid4().hex[:8]}").create(admin)
        self.cleaner = Cleaner(self.dwell, self.topics, admin)
        self.meddler = Meddler(self.topics)
        self.produce("enter", "exit")
        self.cleaner.run_to(self.END)
        assert self.seqs() == [1, 2]

    def produce(self, *kinds, start=START):
        from kafka_clean import event
        self.topics.produce([(0, event("d1", kind, start + i), start + i)
                             for i, kind in enumerate(kinds)])

    def seqs(self):
        return [record.seq for record in self.topics.cleaned_records()]

    def reset(self, *flags):
        times = ["--clock-earliest", "off", "--input-time-unit", "ms"]
        return self.dwell.run("topics", "reset", "--yes", *self.topics.names(), *times, *flags).out

    def marker(self):
        """The last one."""
        return [message.value() for message in self.topics.read(self.topics.state)
                if message.key() == b"\0"][-1]

    def write_marker(self, value):
        self.meddler.write(self.topics.state, b"\0", value)

    def goes_on_after_reset(self, *flags, end=END):
        """From the input's beginning, the cleaned records a second time."""
        assert "deleted" in self.reset(*flags)
        self.cleaner.command += flags
        self.cleaner.run_to(end)
        assert self.seqs() == [1, 2, 1, 2]


@pytest.fixture
def stopped(broker, admin, tmp_path):
    return Stopped(broker, admin, tmp_path)


def test_an_offset_without_states(stopped):
    stopped.meddler.delete_states()
    said = stopped.cleaner.refused(1)
    assert (f"{stopped.topics.input}/0: group {stopped.topics.group} stands at offset 2, but topic "
            f"{stopped.topics.state} has no states for it") in said and RESET in said
    stopped.goes_on_after_reset()


def test_states_without_an_offset(stopped):
    stopped.meddler.delete_offsets()
    said = stopped.cleaner.refused(1)
    assert (f"{stopped.topics.input}/0: topic {stopped.topics.state} has states up to offset 2, but "
            f"group {stopped.topics.group} has no offset") in said and RESET in said
    stopped.goes_on_after_reset()


def test_the_input_lost_what_is_not_in_the_states(stopped):
    stopped.produce("enter", "exit", start=START + 10)
    stopped.meddler.delete_records(stopped.topics.input, before=3)
    said = stopped.cleaner.refused(1)
    assert (f"{stopped.topics.input}/0: records from offset 2 on are needed, the topic begins with "
            "3") in said and RESET in said
    stopped.reset()
    stopped.cleaner.run_to(4)
    assert [(one.seq, one.source) for one in stopped.topics.cleaned_records()] == [
        (1, (0, 0)), (2, (0, 1)), (1, (0, 3))]


def test_the_group_was_set_back(stopped):
    stopped.meddler.set_offset(1)
    said = stopped.cleaner.refused(1)
    assert (f"{stopped.topics.input}/0: group {stopped.topics.group} was set back to offset 1, the "
            "states stand at 2") in said and RESET in said
    stopped.goes_on_after_reset()


def test_another_order_set_back(stopped):
    said = stopped.cleaner.refused(2, "--order", "arrival")
    assert (f"order.mode: the states of {stopped.topics.input}/0 were made with event_time; set it "
            "back, or: ") in said and RESET in said
    stopped.produce("enter", start=START + 10)
    stopped.cleaner.run_to(3)
    assert stopped.seqs() == [1, 2, 3]


def test_another_order_from_the_beginning(stopped):
    stopped.cleaner.refused(2, "--order", "arrival")
    stopped.goes_on_after_reset("--order", "arrival")


def test_another_input_under_the_same_states(stopped, broker):
    from kafka_topics import Topics
    other = Topics(broker, f"{stopped.topics.name}-other").create(stopped.admin)
    was = stopped.topics.input
    stopped.topics.input = other.input
    stopped.produce("enter", "exit")
    stopped.meddler.set_offset(2)
    stopped.cleaner.command += ["--topics-input", other.input]
    said = stopped.cleaner.refused(1)
    assert f"{stopped.topics.state}/0: the states were made from topic {was} of cluster " in said
    assert f", this is topic {other.input} of cluster " in said and RESET in said
    stopped.goes_on_after_reset()


def test_states_of_another_cluster(stopped):
    marker = stopped.marker()
    cluster = re.search(rb"[\w-]{20,}", marker).group()
    stopped.write_marker(marker.replace(cluster, b"x" * len(cluster)))
    said = stopped.cleaner.refused(1)
    assert (f"made from topic {stopped.topics.input} of cluster {'x' * len(cluster)}, this is topic "
            f"{stopped.topics.input} of cluster {cluster.decode()}") in said and RESET in said
    stopped.goes_on_after_reset()


@pytest.mark.parametrize("change, message", [
    (lambda marker: b"\x07" + marker[1:],
     "the marker has version 7, this binary reads 1 to 2: use the release that wrote it"),
    (lambda marker: marker[:-1], "the marker is damaged"),
], ids=["marker-version", "damaged"])
def test_a_marker_that_this_release_does_not_read(stopped, change, message):
    stopped.write_marker(change(stopped.marker()))
    said = stopped.cleaner.refused(1)
    assert re.search(rf"{stopped.topics.state}/0 offset \d+: {message}", said), said
    stopped.goes_on_after_reset()


def of_rule_version_9(marker):
    """The rule version stands behind the marker's."""
    assert varint(marker[1:])[0] == 2
    return marker[:1] + b"\x09" + marker[2:]


def test_states_of_another_rule_version_go_on_when_all_is_folded(stopped):
    stopped.write_marker(of_rule_version_9(stopped.marker()))
    stopped.produce("enter", "exit", start=START + 10)
    stopped.cleaner.run_to(4)
    assert stopped.seqs() == [1, 2, 3, 4]
    assert varint(stopped.marker()[1:])[0] == 2


def test_records_of_another_rule_version_that_are_still_to_be_folded(stopped):
    stopped.produce("enter", "exit", start=START + 10)
    stopped.cleaner.run_to(4, signal.SIGKILL)  # before a checkpoint is due
    stopped.write_marker(of_rule_version_9(stopped.marker()))
    said = stopped.cleaner.refused(1)
    assert (f"{stopped.topics.state}/0: the states were folded with rule version 9, this binary has "
            "1 to 2, and offsets 2 to 4 are still to be folded with the former: run and stop the "
            "release that wrote them") in said and RESET in said


def test_fewer_states_than_the_marker_counts(stopped):
    marker = stopped.marker()
    assert marker[-1] == 1
    stopped.write_marker(marker[:-1] + b"\x05")
    said = stopped.cleaner.refused(1)
    assert f"{stopped.topics.state}/0: has 1 devices, its marker counts 5" in said and RESET in said
    stopped.goes_on_after_reset()


def test_a_record_that_is_no_state(stopped):
    stopped.meddler.write(stopped.topics.state, b"d1", b"hello")
    said = stopped.cleaner.refused(1)
    assert re.search(rf"{stopped.topics.state}/0 offset \d+: .*it is not a state of Dwell", said)
    assert RESET in said
    stopped.goes_on_after_reset()
