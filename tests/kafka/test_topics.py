"""`dwell topics`: the topics that `dwell clean` needs are made, checked, described and reset, on a
real broker."""

import pathlib
import signal
import subprocess
import uuid

import pytest

from dwell_cli import SMALL_TIMES, Dwell

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.ndjson"))
START = 1_000_000_000
LIMIT = (1 << 20) + (64 << 10)  # input.max_record, and what key and headers may add


@pytest.fixture
def topics(broker):
    from kafka_topics import Topics
    return Topics(broker, f"topics-{uuid.uuid4().hex[:8]}")


@pytest.fixture
def meddler(topics):
    from kafka_clean import Meddler
    return Meddler(topics)


@pytest.fixture
def run(topics, tmp_path):
    """Runs `dwell topics`."""
    dwell = Dwell(tmp_path, **SMALL_TIMES)

    def run(command, *flags, status=0):
        return dwell.run("topics", command, *topics.names(), *flags, status=status)
    return run


@pytest.fixture
def cleaner(topics, admin, tmp_path):
    from kafka_clean import Cleaner
    return Cleaner(Dwell(tmp_path), topics, admin)


def layout(topics, admin):
    """{topic: partitions} of those that exist."""
    ours = [name for name in admin.list_topics() if name.startswith(topics.name)]
    if not ours:
        return {}  # asked about none, the brokers tell of all
    return {one["topic"]: len(one["partitions"]) for one in admin.describe_topics(ours)}


def make(admin, name, partitions):
    from kafka.admin import NewTopic
    from kafka_topics import wait_until
    admin.create_topics([NewTopic(name, partitions, 1)])
    wait_until(lambda: name in admin.list_topics())


def events(count):
    from kafka_clean import event
    return [(0, event("d1", ("enter", "exit")[i % 2], START + i), START + i) for i in range(count)]


# create

def test_what_is_missing_is_made_as_it_should_be(run, topics, admin, meddler):
    said = run("create", "--partitions", "3").out
    assert layout(topics, admin) == {topics.input: 3, topics.keyed: 3, topics.cleaned: 3,
                                     topics.state: 3, topics.rejected: 1}
    assert said.count(" made, with 3 partitions") == 4 and said.count("1 partition,") == 1
    wanted = {
        topics.input: {"message.timestamp.type": "LogAppendTime", "cleanup.policy": "delete",
                       "max.message.bytes": LIMIT},
        topics.keyed: {"message.timestamp.type": "CreateTime", "cleanup.policy": "delete",
                       "max.message.bytes": LIMIT + (64 << 10)},
        topics.cleaned: {"cleanup.policy": "delete"},
        topics.state: {"cleanup.policy": "compact", "segment.bytes": 64 << 20,
                       "min.cleanable.dirty.ratio": "0.1"},
        topics.rejected: {"cleanup.policy": "delete", "max.message.bytes": LIMIT}}
    for topic, settings in wanted.items():
        found = meddler.settings(topic)
        assert {name: found[name] for name in settings} == {
            name: str(value) for name, value in settings.items()}, topic
    assert run("check").out.endswith("ok: `dwell clean` can work with these 5 topics\n")


def test_again_nothing_is_made(run, topics, admin):
    run("create", "--partitions", "2")
    for flags in ([], ["--partitions", "2"]):
        said = run("create", *flags).out
        assert said.count(" was there, with 2 partitions\n") == 4 and " made" not in said


def test_long_records_fit(run, topics, meddler):
    run("create", "--input-max-record", "8MiB")
    for topic in (topics.input, topics.rejected):
        assert meddler.settings(topic)["max.message.bytes"] == str((8 << 20) + (64 << 10))


@pytest.mark.parametrize("partitions, partitioned_by, is_keyed", [
    (1, "auto", False), (2, "auto", True), (2, "device", False), (1, "none", True)])
def test_the_keyed_topic_is_made_where_it_is_needed(run, topics, admin, partitions, partitioned_by,
                                                    is_keyed):
    run("create", "--partitions", str(partitions), "--input-partitioned-by", partitioned_by)
    assert (topics.keyed in layout(topics, admin)) == is_keyed


@pytest.mark.parametrize("wanted, reason", [
    (5, "cannot grow to 5: states and records belong to the partition of their input, and a device "
        "whose records changed partition would start anew; a later release"),
    (1, "cannot shrink to 1: Kafka cannot take partitions away")])
def test_an_input_keeps_its_partitions(run, topics, admin, wanted, reason):
    make(admin, topics.input, 2)
    said = run("create", "--partitions", str(wanted), status=2).err
    assert f"topic {topics.input} has 2 partitions and {reason}" in said
    assert layout(topics, admin) == {topics.input: 2}
    run("create")
    assert layout(topics, admin)[topics.cleaned] == 2


def test_topics_with_another_number_of_partitions_are_refused(run, topics, admin):
    make(admin, topics.input, 1)
    make(admin, topics.state, 3)
    said = run("create", status=2).err
    assert f"topic {topics.state} has 3 partitions, topic {topics.input} has 1: " in said
    assert layout(topics, admin) == {topics.input: 1, topics.state: 3}


def test_what_the_brokers_refuse_is_told(run, topics, broker):
    said = run("create", "--replication", "3", status=1).err
    assert f"brokers {broker.address}: topic {topics.input}: " in said and "replicat" in said


def test_no_brokers(tmp_path):
    said = Dwell(tmp_path).run("topics", "check", "--brokers", "127.0.0.1:1", status=1).err
    assert "dwell: brokers 127.0.0.1:1: topic device-events: " in said


def test_create_waits_for_a_controller(broker, tmp_path):
    """For longer than one request waits: brokers that elect one take a while. Here they stand still:
    how long some take to start is nothing that the command waits for."""
    from kafka_broker import Broker
    if not isinstance(broker, Broker):
        pytest.skip("SKIP: DWELL_TEST_KAFKA names one that is not to be stopped")
    own, dwell = Broker(tmp_path / "broker"), Dwell(tmp_path)
    own.start()
    own.process.send_signal(signal.SIGSTOP)
    process = dwell.start("topics", "create", "--brokers", own.address)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(11)  # two requests; what is behind is another try
        own.process.send_signal(signal.SIGCONT)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert out.decode().count(" made, with 1 partition,") == 4
    finally:
        process.kill()
        own.process.send_signal(signal.SIGCONT)
        own.stop()


def test_what_the_brokers_do_not_allow_is_told(broker, tmp_path):
    import kafka.admin as kafka
    from kafka_broker import Broker
    from kafka_clients import admin_client
    if not isinstance(broker, Broker):
        pytest.skip("SKIP: DWELL_TEST_KAFKA names one without an authorizer of the tests' own")
    own, dwell = Broker(tmp_path / "broker"), Dwell(tmp_path)
    with own.properties.open("a") as file:
        file.write("authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n"
                   "allow.everyone.if.no.acl.found=true\n")
    try:
        own.start()
        dwell.run("topics", "create", "--brokers", own.address)
        admin = admin_client(own)
        admin.create_acls([kafka.ACL(
            "User:other", "*", kafka.ACLOperation.READ, kafka.ACLPermissionType.ALLOW,
            kafka.ResourcePattern(kafka.ResourceType.TOPIC, "device-events"))])
        admin.close()
        for command in (["check"], ["create"], ["describe"], ["reset", "--yes"]):
            said = dwell.run("topics", *command, "--brokers", own.address, status=1).err
            assert f"brokers {own.address}: topic device-events: Broker: Topic author" in said
    finally:
        own.stop()


# check

def test_missing_topics_are_named(run, topics, admin):
    said = run("check", status=1)
    for topic in (topics.input, topics.cleaned, topics.state, topics.rejected):
        assert f"wrong: topic {topic} is missing: `dwell topics create` makes it\n" in said.out
    assert "4 reasons" in said.err
    assert layout(topics, admin) == {}  # asking made none
    run("create")
    run("check")


def test_keys_that_are_not_the_device_are_wrong_where_producers_partition_by_it(run, topics):
    from kafka_clean import event
    by_device = ["--input-partitioned-by", "device", "--input-device-id-case", "lower",
                 "--input-keys", "mapped"]
    run("create", "--partitions", "2", *by_device)
    topics.wait_for_leaders()
    assert f"topic {topics.input}: looked at the keys of the newest 0 records\n" in (
        run("check", *by_device).out)
    topics.produce([(i % 2, event("AB", "enter", START + i), START, b"ab") for i in range(700)])
    topics.produce([(0, b"no event", START)])
    assert f"topic {topics.input}: looked at the keys of the newest 500 records\n" in (
        run("check", *by_device).out)
    topics.produce([(1, event("AB", "exit", START), START, b"AB"),
                    (1, event("AB", "exit", START), START)])
    said = run("check", *by_device, status=1)
    assert (f"wrong: topic {topics.input}: 2 of the newest 500 records have a key that is not their "
            f"device id, such as {topics.input}/1 offset 350: its key is AB, its device id is ab: "
            "key them by device, or set input.partitioned_by = none") in said.out
    assert "1 reason above" in said.err
    topics.produce([(1, event("AB", "exit", START), START, b"ab") for _ in range(250)])
    run("check", *by_device)  # what is behind them is history


@pytest.mark.parametrize("topic, setting, value, wanted, is_wrong", [
    ("input", "cleanup.policy", "compact", "delete", True),
    ("input", "message.timestamp.type", "CreateTime", "LogAppendTime", False),
    ("keyed", "message.timestamp.type", "LogAppendTime", "CreateTime", True),
    ("keyed", "max.message.bytes", LIMIT, f"at least {LIMIT + (64 << 10)}", True),
    ("cleaned", "cleanup.policy", "compact", "delete", True),
    ("cleaned", "max.message.bytes", 1000, "at least 1048588", True),
    ("state", "cleanup.policy", "delete", "compact", True),
    ("state", "cleanup.policy", "compact,delete", "compact", True),
    ("state", "max.message.bytes", 1000, "at least 1048588", True),
    ("state", "segment.bytes", 1 << 30, f"at most {64 << 20}", False),
    ("state", "min.cleanable.dirty.ratio", "0.5", "at most 0.1", False),
    ("rejected", "max.message.bytes", 1 << 20, f"at least {LIMIT}", True)])
def test_a_setting_is_named_with_its_mend(run, topics, meddler, topic, setting, value, wanted,
                                          is_wrong):
    from kafka_topics import wait_until
    name = getattr(topics, topic)
    run("create", "--input-partitioned-by", "none")
    meddler.set(name, **{setting.replace(".", "_"): value})
    wait_until(lambda: meddler.settings(name)[setting] == str(value))
    said = run("check", "--input-partitioned-by", "none", status=1 if is_wrong else 0).out
    (line,) = [line for line in said.splitlines() if setting in line]
    assert line.startswith(f"{'wrong' if is_wrong else 'WARNING'}: topic {name}: {setting} is "
                           f"{value}, should be {wanted}: ")
    mend = (f"kafka-configs.sh --bootstrap-server {topics.broker.address} --alter --entity-type "
            f"topics --entity-name {name} --add-config {setting}=")
    assert mend in line
    meddler.set(name, **{setting.replace(".", "_"): line.partition(mend)[2]})
    wait_until(lambda: meddler.settings(name)[setting] != str(value))
    assert setting not in run("check", "--input-partitioned-by", "none").out


def test_an_empty_topic_with_another_number_of_partitions(run, topics, admin):
    from kafka_topics import wait_until
    make(admin, topics.cleaned, 3)
    make(admin, topics.input, 1)
    said = run("check", status=1).out
    assert f"wrong: topic {topics.cleaned} has 3 partitions, topic {topics.input} has 1: " in said
    assert f"--delete --topic {topics.cleaned}, then `dwell topics create`\n" in said
    admin.delete_topics([topics.cleaned])
    wait_until(lambda: topics.cleaned not in admin.list_topics())
    run("create")
    run("check")


def test_a_filled_topic_with_another_number_of_partitions(run, topics, admin, meddler):
    make(admin, topics.cleaned, 3)
    make(admin, topics.input, 1)
    meddler.write(topics.cleaned, b"d1", b"{}")
    said = run("check", status=1).out
    assert "give topics.cleaned, topics.state and clean.group new names, then `dwell topics " in said
    topics.cleaned += "-2"
    topics.state += "-2"
    topics.group += "-2"
    run("create")
    run("check")


def test_a_hop_may_read_another_number_of_partitions_than_it_writes(run, topics, admin):
    make(admin, topics.input, 3)
    make(admin, topics.keyed, 2)
    run("create")
    assert layout(topics, admin)[topics.state] == 2
    said = run("check", status=1).out  # the settings of a topic made by others
    assert "partitions" not in said and said.count("wrong: ") == 1


def test_the_stock_sink_is_spoken_of(run, topics):
    run("create", "--order", "arrival")
    said = run("check").out
    assert f"the stock Kafka Connect JDBC sink may be used behind topic {topics.cleaned}" in said
    assert "equal milliseconds then come in type order" in said
    refused = run("check", "--order", "event_time", status=1)
    assert "are of arrival" in refused.out and "topics reset --order event_time" in refused.out
    run("reset", "--yes", "--order", "event_time")
    said = run("check").out
    assert "sink cannot be used" in said and "it ignores headers (retracts, rank)" in said


def test_other_readers_of_the_cleaned_topic_are_named_in_event_time(run, topics):
    import confluent_kafka

    def read_as(group, topic):
        consumer = confluent_kafka.Consumer({"bootstrap.servers": topics.broker.address,
                                             "group.id": group})
        consumer.commit(offsets=[confluent_kafka.TopicPartition(topic, 0, 0)], asynchronous=False)
        consumer.close()

    run("create", "--order", "arrival")
    mine = topics.name + "-store"
    for group, topic in ((mine, topics.cleaned), (topics.name + "-dashboard", topics.cleaned),
                         (topics.name + "-other", topics.rejected)):
        read_as(group, topic)
    assert "WARNING" not in run("check", "--store-group", mine).out
    run("reset", "--yes", "--order", "event_time")
    said = run("check", "--store-group", mine).out
    assert said.count("WARNING") == 1 and f"group {topics.name}-dashboard reads topic" in said
    assert "header op is retract" in said


# describe

def test_offsets_settings_and_lag(run, topics, cleaner):
    run("create")
    assert run("describe", "--json").json["groups"] == [
        {"group": topics.group, "members": 0, "topic": topics.input,
         "partitions": [{"partition": 0, "committed": None, "end": 0, "lag": 0}]}]
    topics.produce(events(4))
    cleaner.run_to(4)
    topics.produce(events(3))
    found = run("describe", "--json").json
    of_role = {topic["role"]: topic for topic in found["topics"]}
    assert of_role["input"]["partitions"] == [{"partition": 0, "first": 0, "end": 7}]
    assert of_role["cleaned"]["partitions"][0]["end"] == 5  # the end of a transaction has one too
    assert of_role["state"]["settings"]["cleanup.policy"] == "compact"
    assert of_role["state"]["replicas"] == 1
    assert found["groups"][0]["partitions"] == [
        {"partition": 0, "committed": 4, "end": 7, "lag": 3}]
    table = run("describe").out
    assert [line.split()[2:] for line in table.splitlines() if line.startswith(topics.group)] == [
        [topics.input, "0", "4", "7", "3"]]


def test_both_groups_of_a_hop(run, topics):
    assert [topic["partitions"] for topic in run("describe", "--json").json["topics"]] == [[]] * 4
    run("create", "--partitions", "2")
    groups = run("describe", "--json").json["groups"]
    assert [(group["group"], group["topic"], len(group["partitions"])) for group in groups] == [
        (f"{topics.group}-key", topics.input, 2), (topics.group, topics.keyed, 2)]


# reset

def ends(run):
    topics = run("describe", "--json").json["topics"]
    return {topic["role"]: topic["partitions"] for topic in topics}


def test_a_reset_starts_at_the_beginning_again(run, topics, cleaner, meddler):
    run("create")
    topics.produce(events(4) + [(0, b"no event", START)])
    cleaner.run_to(5)
    before, states = ends(run), topics.read(topics.state)
    settings = meddler.settings(topics.state)

    asked = run("reset", status=2)
    assert f"would delete: the states in topic {topics.state}" in asked.out
    assert f"the offsets of group {topics.group} in topic {topics.input} (1 partition)" in asked.out
    assert "with seq from 1" in asked.out and "absorbs them" in asked.out
    assert "`dwell topics reset --yes`" in asked.err
    assert ends(run) == before and len(topics.read(topics.state)) == len(states)

    assert "deleted: " in run("reset", "--yes").out
    after = ends(run)
    (facts,) = topics.read(topics.state)
    assert facts.key() == b"\x01" and topics.committed(cleaner.admin) == {}
    for role in ("input", "cleaned", "rejected"):
        assert after[role] == before[role], role
    assert meddler.settings(topics.state) == settings
    cleaner.run_to(5)
    assert [record.seq for record in topics.cleaned_records()] == [1, 2, 3, 4] * 2
    assert [offset for _, _, offset, _, _ in topics.rejects()] == [4, 4]
    topics.produce(events(1))
    cleaner.run_to(6)


def test_a_reset_is_refused_while_a_cleaner_lives(run, topics, cleaner, admin):
    run("create")
    topics.produce(events(2))
    process = cleaner.dwell.start(*cleaner.command)
    from kafka_topics import wait_until
    try:
        wait_until(lambda: topics.committed(admin) == {0: 2}, process)
        said = run("reset", "--yes", status=1).err
        assert f"group {topics.group} has 1 live member, such as one-0-rule2 at " in said
        assert "stop every `dwell clean` of the group first; nothing was changed" in said
        assert topics.committed(admin) == {0: 2}
    finally:
        process.kill()
        process.wait()
    assert "deleted: " in run("reset", "--yes").out  # waits until the dead one is given up
    cleaner.run_to(2)


def test_a_reset_with_a_hop(run, topics, cleaner, admin):
    from kafka_topics import wait_until
    run("create", "--input-partitioned-by", "none")
    topics.produce(events(4))
    cleaner.command += ["--input-partitioned-by", "none"]

    def cleaned(count):
        return lambda: len(topics.read(topics.cleaned)) == count
    cleaner.run_until(cleaned(4))
    hop = admin.list_consumer_group_offsets(f"{topics.group}-key")
    keyed = topics.read(topics.keyed)
    said = run("reset", "--yes", "--input-partitioned-by", "none").out
    assert f"starts again at the beginning of topic {topics.keyed}" in said
    assert admin.list_consumer_group_offsets(f"{topics.group}-key") == hop
    cleaner.run_until(cleaned(8))
    assert [record.seq for record in topics.cleaned_records()] == [1, 2, 3, 4] * 2
    assert len(topics.read(topics.keyed)) == len(keyed)


def test_a_reset_before_there_is_anything(run):
    run("create")
    run("reset", "--yes")
    run("check")


@pytest.mark.parametrize("command", [["reset", "--yes"], ["describe"]])
def test_brokers_that_have_no_groups_yet(broker, tmp_path, command):
    from kafka_broker import Broker
    if not isinstance(broker, Broker):
        pytest.skip("SKIP: DWELL_TEST_KAFKA names one that has groups")
    own, dwell = Broker(tmp_path / "broker"), Dwell(tmp_path)
    try:
        own.start()
        dwell.run("topics", "create", "--brokers", own.address)
        dwell.run("topics", *command, "--brokers", own.address)
    finally:
        own.stop()


# the examples

def test_the_examples_played_to_a_topic(run, topics, cleaner):
    run("create")
    python = ROOT / "build" / "python" / "bin" / "python"
    done = subprocess.run([python, ROOT / "scripts" / "produce-examples", "--seconds", "2",
                           topics.broker.address, topics.input, *EXAMPLES],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    lines = [line for path in EXAMPLES for line in path.read_text().splitlines() if line.strip()]
    assert done.stdout.endswith(f"{len(lines)} sent in all\n")
    cleaner.run_to(len(lines))
    sent = topics.read(topics.input)
    assert all(message.key() is None for message in sent)
    assert {"lobby", "dock-2"} <= {record.device for record in topics.cleaned_records()}
    times = [record.timestamp for record in topics.cleaned_records()]
    arrived = [message.timestamp()[1] for message in sent]
    assert max(times) <= max(arrived) + 60_000 and min(arrived) - 86_400_000 < sorted(times)[9]


def test_no_topic_to_play_to(topics):
    python = ROOT / "build" / "python" / "bin" / "python"
    done = subprocess.run([python, ROOT / "scripts" / "produce-examples", topics.broker.address,
                           topics.input, *EXAMPLES], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "`dwell topics create` makes it" in done.stderr


def test_the_keyed_topic_takes_the_times_of_the_input(broker, admin, tmp_path):
    from kafka.admin import NewTopic
    from kafka_clean import Meddler
    from kafka_topics import Topics
    topics = Topics(broker, f"times-{uuid.uuid4().hex[:8]}", 2)
    widest, setting = str((1 << 63) - 1), "message.timestamp.after.max.ms"
    admin.create_topics([NewTopic(topics.input, 2, 1, topic_configs={setting: widest})])
    dwell = Dwell(tmp_path)
    dwell.run("topics", "create", *topics.names())
    assert Meddler(topics).settings(topics.keyed)[setting] == widest
    Meddler(topics).set(topics.keyed, message_timestamp_after_max_ms=1_000)
    said = dwell.run("topics", "check", *topics.names(), status=1)
    assert setting in said.out + said.err
