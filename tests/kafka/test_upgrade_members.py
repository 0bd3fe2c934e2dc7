"""`dwell topics upgrade` beside processes that clean: those of this release take it over, older ones
are in its way."""

import collections
import contextlib
import json
import os
import signal
import subprocess
import threading
import time
import uuid

import pytest

from dwell_cli import Dwell, clean_environment, varint

START = 1_751_932_800_000
FACTS = b"\x01"
# Longer than it takes to give up a member, and short enough for a test.
PATIENCE = ["--clean-session-timeout", "2s"]


class Site:
    """Topics without facts, and processes that clean them."""

    def __init__(self, broker, admin, folder, partitions):
        import confluent_kafka
        from kafka_topics import Topics
        self.topics = Topics(broker, f"members-{uuid.uuid4().hex[:8]}", partitions)
        self.topics.create(admin, facts=None)
        self.admin, self.dwell, self.folder = admin, Dwell(folder), folder
        self.processes = contextlib.ExitStack()
        self.found = collections.defaultdict(list)
        # Goes on reading: while records come, a topic has no end.
        self.reader = confluent_kafka.Consumer({
            "bootstrap.servers": broker.address, "group.id": "reader",
            "enable.auto.commit": False, "isolation.level": "read_committed"})
        self.reader.assign([confluent_kafka.TopicPartition(self.topics.cleaned, number, 0)
                            for number in range(partitions)])
        self.processes.callback(self.reader.close)

    def start(self, instance, binary=None):
        """A process of this release, or of another binary."""
        from kafka_clean import SHORT_SESSION
        command = ["clean", *self.topics.flags(instance), *SHORT_SESSION]
        log = open(self.folder / f"{instance}.log", "ab")
        if binary:
            process = subprocess.Popen([binary, *command], cwd=self.folder, stdout=log, stderr=log,
                                       env=clean_environment())
        else:
            process = self.dwell.start(*command, stdout=log, stderr=log)
        self.processes.callback(self.end, process, signal.SIGKILL)
        return process

    @staticmethod
    def end(process, how=signal.SIGTERM):
        if process.poll() is None:
            process.send_signal(how)
            process.wait(30)

    def log(self, instance):
        return (self.folder / f"{instance}.log").read_text()

    def upgrade(self, status=0):
        return self.dwell.run("topics", "upgrade", *self.topics.names(), *PATIENCE, status=status)

    def states(self, key):
        return [message.value() for message in
                self.topics.read(self.topics.state, self.topics.partitions) if message.key() == key]

    def devices(self):
        """What has become of each device, in its own order: (type, seq)."""
        from kafka_topics import cleaned_of
        for message in self.reader.consume(1000, 0.1):
            if not message.error():
                one = cleaned_of(message)
                self.found[one.device].append((one.type, one.seq))
        return self.found


@pytest.fixture
def make_site(broker, admin, tmp_path):  # noqa: F811
    sites = []

    def make(partitions):
        sites.append(Site(broker, admin, tmp_path, partitions))
        return sites[-1]

    yield make
    for site in sites:
        site.processes.close()


def record(device, kind, at):
    return json.dumps({"device_id": device, "event_type": f"device_{kind}",
                       "timestamp": at}).encode()


class Load:
    """Devices that enter and exit in turns, on all partitions, until it is stopped."""

    def __init__(self, topics, devices=10):
        import confluent_kafka
        self.topics, self.devices, self.rounds = topics, devices, 0
        self.client = confluent_kafka.Producer({"bootstrap.servers": topics.broker.address})
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.stopping.is_set():
            kind = ("enter", "exit")[self.rounds % 2]
            for i in range(self.devices):
                self.client.produce(self.topics.input, record(f"d{i}", kind, START + self.rounds),
                                    f"d{i}", partition=i % self.topics.partitions)
            self.rounds += 1
            self.client.poll(0)
            time.sleep(0.2)
        assert self.client.flush(30) == 0

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()


def check_load(site, load):
    """Each event of each device once, in order."""
    from kafka_topics import wait_until

    def is_whole():
        found = site.devices()
        return all(len(found[f"d{i}"]) >= load.rounds for i in range(load.devices))

    wait_until(is_whole)
    expected = [(f"device_{('enter', 'exit')[n % 2]}", n + 1) for n in range(load.rounds)]
    found = site.devices()
    for i in range(load.devices):
        assert found[f"d{i}"] == expected, f"d{i}"


@pytest.mark.parametrize("partitions", [1, 3])
def test_members_of_this_release_take_it_over(make_site, partitions):
    from kafka_topics import wait_until
    site = make_site(partitions)
    site.start("one")
    site.start("two")
    numeric = json.dumps({"device_id": 4711, "event_type": "device_enter",
                          "timestamp": START}).encode()
    with Load(site.topics) as load:
        wait_until(lambda: len(site.devices()) == load.devices)
        assert "from now on" in site.upgrade().out
        third = site.start("three")  # partitions are given out anew
        wait_until(lambda: "was upgraded to rule 2" in site.log("one") + site.log("two"))
        site.topics.produce([(0, numeric, START)])
        wait_until(lambda: "4711" in site.devices())
        site.end(third)
    check_load(site, load)
    assert len(site.states(FACTS)) == 1


def test_each_partition_goes_over_to_the_new_rule(make_site):
    from kafka_topics import wait_until
    site = make_site(2)
    first = site.start("one")
    with Load(site.topics) as load:
        wait_until(lambda: len(site.devices()) == load.devices)
        site.upgrade()
        site.end(first)
        first = site.start("one")
        rounds = load.rounds
        wait_until(lambda: all(len(found) > rounds for found in site.devices().values()))
    check_load(site, load)
    site.end(first)
    markers = {message.partition(): message.value()
               for message in site.topics.read(site.topics.state, 2) if message.key() == b"\0"}
    assert {(marker[0], varint(marker[1:])[0]) for marker in markers.values()} == {(2, 2)}


@pytest.mark.parametrize("name", [None, "one-0", "one-0-rule1", "one-0-rule2x"])
def test_a_member_that_may_be_older_is_in_the_way(make_site, name):
    import confluent_kafka
    from kafka_topics import wait_until
    site = make_site(1)
    static = {"group.instance.id": name} if name else {}
    member = confluent_kafka.Consumer({
        "bootstrap.servers": site.topics.broker.address, "group.id": site.topics.group,
        "session.timeout.ms": 6000, **static})
    member.subscribe([site.topics.input])
    wait_until(lambda: member.poll(0.1) or member.assignment())
    refused = site.upgrade(status=1).err
    assert "has 1 live member" in refused and f"{name or 'rdkafka'} at" in refused
    assert "older release" in refused and "nothing was changed" in refused
    assert site.states(FACTS) == []
    member.close()
    wait_until(lambda: site.upgrade(status=None).status == 0)


OLD = os.environ.get("DWELL_OLD_BIN")


@pytest.mark.skipif(not OLD, reason="SKIP: DWELL_OLD_BIN names no binary of the first release")
@pytest.mark.parametrize("partitions", [1, 4])
def test_members_of_the_first_release_are_replaced_one_by_one(make_site, partitions):
    """Under load, with partitions given out anew at each step."""
    from kafka_topics import wait_until
    site = make_site(partitions)
    old = {name: site.start(name, OLD) for name in ("one", "two")}
    with Load(site.topics) as load:

        def go_on():
            rounds = load.rounds
            wait_until(lambda: all(len(found) > rounds for found in site.devices().values()))

        wait_until(lambda: len(site.devices()) == load.devices)
        for name, process in old.items():
            refused = site.upgrade(status=1).err
            assert "older release" in refused and "nothing was changed" in refused
            site.end(process)
            site.start(name)
            third = site.start("three")
            go_on()
            site.end(third)
            go_on()
        assert site.states(FACTS) == []
        assert "from now on" in site.upgrade().out
        site.start("three")
        go_on()
    check_load(site, load)
