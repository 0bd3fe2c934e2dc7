"""`dwell rejects ls`, `show` and `redrive`: what was rejected is kept byte by byte, and goes back to
the input once, whatever happens meanwhile."""

import base64
import collections
import json
import os
import random
import re
import signal
import uuid

import pytest

from dwell_cli import REASONS, Dwell

TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
START = 1_751_932_800_000
EVENT = b'{"device_id":"cam","event_type":"device_enter","timestamp":%d}'
FUTURE = EVENT % (START + 3_600_000)
ENOUGH = 2_000  # records, for a kill in the middle
KILLS = 4
MANY = 200_000  # records, for a stop in the middle of a batch


@pytest.fixture
def partitions():
    return 1


@pytest.fixture
def topics(broker, admin, partitions):
    from kafka_topics import Topics
    return Topics(broker, f"rejects-{uuid.uuid4().hex[:8]}", partitions).create(admin)


@pytest.fixture
def dwell(tmp_path):
    return Dwell(tmp_path)


def produce(topics, topic, records, transactional_id=None):
    """Each record is (value, key, headers, partition); with an id, a transaction left open."""
    import confluent_kafka
    # The broker soon removes what is old; the input keeps it.
    time = START if topic == topics.input else 0
    more = {"transactional.id": transactional_id} if transactional_id else {}
    producer = confluent_kafka.Producer({"bootstrap.servers": topics.broker.address,
                                         "message.max.bytes": 4 << 20, "linger.ms": 5,
                                         "queue.buffering.max.messages": MANY, **more})
    if transactional_id:
        producer.init_transactions(30)
        producer.begin_transaction()
    for value, key, headers, partition in records:
        producer.produce(topic, value, key, partition, timestamp=time, headers=headers)
        producer.poll(0)
    assert producer.flush(60) == 0
    return producer


def rejected(topics, number, reason="malformed", **more):
    """One as `dwell clean` writes it, of partition 0 of the input unless told else."""
    headers = {"reason": reason, "source.topic": topics.input, "source.partition": "0",
               "source.offset": str(number), "received": str(START + number),
               **{name.replace("_", "."): str(value) for name, value in more.items()}}
    if "truncated.from" in headers:
        headers["truncated_from"] = headers.pop("truncated.from")
    return b"bad %d" % number, b"key %d" % number, list(headers.items()), 0


def clean_until(dwell, topics, condition, *flags):
    from kafka_clean import run_until
    run_until(dwell, ("clean", *topics.flags(), *flags), condition)


def flags(topics):
    """Those of all clients; the commands here have no instance."""
    return topics.flags()[:-2]


def redrive(dwell, topics, *more, status=0):
    answer = dwell.run("rejects", "redrive", *flags(topics), "--json", *more, status=status)
    return answer.json["reasons"] if status == 0 else answer


def sent(report):
    return {reason: counts["sent"] for reason, counts in report.items() if counts["sent"]}


def sum_of(report, name):
    return sum(counts[name] for counts in report.values())


def inputs(topics):
    return topics.read(topics.input, topics.partitions)


def redriven(topics):
    """What came back to the input so far: with a time of now."""
    return [m for m in inputs(topics) if m.timestamp()[1] != START]


def passed(topics, admin, reason):
    """The position of a redrive in records; a reader would run after a topic that is written to."""
    group = f"{topics.group}-redrive-{reason}"
    return sum(value.offset for value in admin.list_consumer_group_offsets(group).values())


def all_redriven(dwell, topics):
    """What came back when all is decided: one more redrive waits for the transactions of the others,
    and finds nothing left."""
    assert sent(redrive(dwell, topics)) == {}
    return redriven(topics)


def reject_by_clean(dwell, topics, records, *more):
    """What a real cleaner makes of the records: the messages of the rejected topic."""
    produce(topics, topics.input, records)
    clean_until(dwell, topics, lambda: len(topics.read(topics.rejected)) == len(records), *more)
    return topics.read(topics.rejected)


AWKWARD = [
    (b"\xff\x00\x01 \x1b[31m\"\\ binary\r\n", b"\x00key\xff", [("traceparent", TRACE), ("other", b"x")], 0),
    (b"", b"key", [], 0),
    (b"no key", None, [], 0),
    (bytes(range(256)), b"", [("traceparent", b"\x00\xff"), ("traceparent", TRACE)], 0),
    (FUTURE, b"cam", [("dwell.redriven", b"3")], 0),
    (b'{"device_id":"' + b"x" * 5_000, b"large", [("traceparent", TRACE)], 0),
]


def test_bytes_key_and_headers_are_kept(dwell, topics):
    found = reject_by_clean(dwell, topics, AWKWARD, "--input-max-record", "1KiB")
    by_offset = {int(dict(m.headers())["source.offset"]): m for m in found}
    for offset, (value, key, headers, _) in enumerate(AWKWARD):
        message = by_offset[offset]
        assert (message.value(), message.key()) == (value[:1024], key)
        passed = {name: text for name, text in headers if name != "other"}
        reason = {4: b"future_timestamp", 5: b"too_large"}.get(offset, b"malformed")
        wanted = {"reason": reason, "source.topic": topics.input.encode(),
                  "source.partition": b"0", "source.offset": b"%d" % offset,
                  "received": b"%d" % START, **passed}
        if len(value) > 1024:
            wanted["truncated_from"] = b"%d" % len(value)
        detail = dict(message.headers())["detail"]
        assert {4: b"max_ahead", 5: b"max_record"}.get(offset, b"no JSON object") in detail or (
            not value and b"empty" in detail), detail
        wanted["detail"] = detail
        assert len(message.headers()) == len(wanted) and dict(message.headers()) == wanted


def test_show_gives_the_bytes(dwell, topics):
    for message in reject_by_clean(dwell, topics, AWKWARD, "--input-max-record", "1KiB"):
        place = f"{message.partition()}:{message.offset()}"
        assert dwell.run("rejects", "show", place, *flags(topics)).raw == message.value()
        shown = dwell.run("rejects", "show", place, *flags(topics), "--json").json
        assert shown["id"] == place and base64.b64decode(shown["bytes"]) == message.value()
        key = shown["key"]
        assert (None if key is None else base64.b64decode(key)) == message.key()
        assert [(h["name"], base64.b64decode(h["bytes"])) for h in shown["headers"]] == (
            message.headers())
    last = topics.read(topics.rejected)[-1].offset()
    # Offset last + 1 is the end of the transaction.
    for place in (f"0:{last + 1}", f"0:{last + 1_000}", "7:0"):
        assert f"no rejected record {place}" in dwell.run("rejects", "show", place, *flags(topics),
                                                          status=1).err


def test_ls_counts_and_shows_the_newest(dwell, topics):
    records = [rejected(topics, n, REASONS[n % 3], **({"dwell_redriven": 1} if n < 30 else {}))
               for n in range(300)]
    # That without a time is as new as its message.
    records += [(b"\x1b[31m foreign", None, None, 0), rejected(topics, 300, "no_reason")]
    produce(topics, topics.rejected, records)
    found = dwell.run("rejects", "ls", *flags(topics), "--json").json
    by_reason = {line.pop("reason"): line for line in found["reasons"]}
    assert set(by_reason) == {*REASONS[:3], "unknown"}
    for place, reason in enumerate(REASONS[:3]):
        assert by_reason[reason] == {
            "count": 100, "redriven": 10, "oldest": f"2025-07-08T00:00:00.00{place}Z".replace(
                ".000Z", "Z"), "newest": f"2025-07-08T00:00:00.{297 + place}Z"}
    assert [record["id"] for record in found["records"]] == [
        "0:300", "0:301", *(f"0:{n}" for n in range(299, 281, -1))]
    newest = found["records"][2]
    assert (newest["reason"], newest["position"], newest["size"], newest["beginning"]) == (
        REASONS[2], f"{topics.input}/0:299", 7, "bad 299")
    some = dwell.run("rejects", "ls", *flags(topics), "--json", "--reason", REASONS[1], "--limit",
                     "2").json
    assert [line["count"] for line in some["reasons"]] == [100]
    assert [record["id"] for record in some["records"]] == ["0:298", "0:295"]
    text = dwell.run("rejects", "ls", *flags(topics), "--limit", "400").out
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text) and r"\x1b[31m foreign" in text
    assert "302 shown of 302" in text
    assert "0 shown of 302" in dwell.run("rejects", "ls", *flags(topics), "--limit", "0").out


def test_nothing_there(dwell, topics):
    assert "0 shown of 0" in dwell.run("rejects", "ls", *flags(topics)).out
    assert sent(redrive(dwell, topics)) == {}


@pytest.mark.parametrize("partitions", [3])
def test_redriven_records_are_the_original(dwell, topics):
    """Bytes, key, trace and partition."""
    records = [(value, key, headers, place % 3)
               for place, (value, key, headers, _) in enumerate(AWKWARD) if key]
    reject_by_clean(dwell, topics, records, "--input-max-record", "64KiB",
                    "--input-partitioned-by", "device")
    assert sum_of(redrive(dwell, topics, "--again"), "sent") == len(records)
    wanted = []
    for value, key, headers, partition in records:
        passed = dict(headers)
        passed.pop("other", None)
        passed["dwell.redriven"] = b"%d" % (1 + int(passed.get("dwell.redriven", 0)))
        wanted.append((value, key, sorted(passed.items()), partition))
    back = [(m.value(), m.key(), sorted(m.headers()), m.partition())
            for m in all_redriven(dwell, topics)]
    assert sorted(back) == sorted(wanted)


def test_rejected_again_is_held_back_until_asked_for(dwell, topics):
    records = [(b"bad %d" % n, None, [], 0) for n in range(5)]
    reject_by_clean(dwell, topics, records)
    assert sent(redrive(dwell, topics)) == {"malformed": 5}
    clean_until(dwell, topics, lambda: len(topics.read(topics.rejected)) == 10)
    produce(topics, topics.rejected, [rejected(topics, 99)])

    report = redrive(dwell, topics)
    assert (sent(report), sum_of(report, "redrivenBefore")) == ({"malformed": 1}, 5)
    assert sent(redrive(dwell, topics, "--again", "--reason", "too_late")) == {}
    assert sent(redrive(dwell, topics, "--again")) == {"malformed": 5}
    assert sent(redrive(dwell, topics, "--again")) == {}
    counts = collections.Counter((m.value(), dict(m.headers())["dwell.redriven"])
                                 for m in all_redriven(dwell, topics))
    assert counts == {(b"bad 99", b"1"): 1,
                      **{(b"bad %d" % n, times): 1 for n in range(5) for times in (b"1", b"2")}}


def test_loops_end(dwell, topics):
    """9 becomes 10, and no more; a number that is none counts as never redriven."""
    produce(topics, topics.rejected, [
        rejected(topics, n, dwell_redriven=times)
        for n, times in enumerate((9, 10, 11, 2**63, "x"))])
    plain = redrive(dwell, topics, "--dry-run")
    assert [sum_of(plain, name) for name in ("sent", "redrivenBefore", "tooOften")] == [1, 1, 3]
    report = redrive(dwell, topics, "--again")
    assert [sum_of(report, name) for name in ("sent", "redrivenBefore", "tooOften")] == [2, 0, 3]
    assert sorted(dict(m.headers())["dwell.redriven"]
                  for m in all_redriven(dwell, topics)) == [b"1", b"10"]
    assert sum_of(redrive(dwell, topics, "--again"), "tooOften") == 0


def test_cut_records_stay(dwell, topics):
    large = [(b"x" * 5_000, b"k", [], 0), (b"bad", b"k", [], 0)]
    reject_by_clean(dwell, topics, large, "--input-max-record", "1KiB")
    report = redrive(dwell, topics)
    assert (sent(report), report["too_large"]["cut"]) == ({"malformed": 1}, 1)
    assert [m.value() for m in all_redriven(dwell, topics)] == [b"bad"]


def test_dry_run_sends_nothing_and_moves_nothing(dwell, topics, admin):
    produce(topics, topics.rejected, [rejected(topics, n, REASONS[n % 2]) for n in range(20)])
    for _ in range(2):
        report = redrive(dwell, topics, "--dry-run")
        assert sent(report) == {REASONS[0]: 10, REASONS[1]: 10}
    assert inputs(topics) == []
    text = dwell.run("rejects", "redrive", *flags(topics), "--dry-run").out
    assert f"20 would be sent to {topics.input}" in text
    assert sent(redrive(dwell, topics)) == {REASONS[0]: 10, REASONS[1]: 10}
    assert sent(redrive(dwell, topics, "--dry-run")) == {}


def numbers(dwell, topics):
    """How often each number came back."""
    return collections.Counter(int(m.value().split()[1]) for m in all_redriven(dwell, topics))


def assert_each_once(dwell, topics, count):
    found = numbers(dwell, topics)
    missing = [n for n in range(count) if found[n] == 0]
    doubled = [n for n in found if found[n] > 1]
    assert (missing[:5], len(missing), doubled[:5], len(doubled)) == ([], 0, [], 0)


def test_filtered_then_all(dwell, topics, admin):
    produce(topics, topics.rejected, [rejected(topics, n, REASONS[n % 3]) for n in range(30)])
    first = redrive(dwell, topics, "--reason", REASONS[1])
    assert sent(first) == {REASONS[1]: 10}
    second = redrive(dwell, topics, "--reason", REASONS[1], "--reason", REASONS[2])
    assert sent(second) == {REASONS[2]: 10}
    produce(topics, topics.rejected, [rejected(topics, n, REASONS[n % 3]) for n in range(30, 60)])
    third = redrive(dwell, topics)
    assert sent(third) == {REASONS[0]: 20, REASONS[1]: 10, REASONS[2]: 10}
    assert numbers(dwell, topics) == dict.fromkeys(range(60), 1)
    groups = {f"{topics.group}-redrive-{reason}" for reason in REASONS}
    for group in groups:
        assert [value.offset for value in admin.list_consumer_group_offsets(group).values()] == [60]


def test_each_once_under_kill_9(dwell, topics, admin):
    """Killed again and again in the middle of small batches, and a filtered run between."""
    from kafka_topics import wait_until
    seed = int(os.environ.get("DWELL_CHAOS_SEED", "7"))
    chance = random.Random(seed)
    produce(topics, topics.rejected,
            [rejected(topics, n, REASONS[n % 3]) for n in range(ENOUGH)])
    command = ["rejects", "redrive", *flags(topics), "--batch-records", "1"]
    places = sorted(chance.sample(range(1, ENOUGH // 5), KILLS))
    print(f"seed {seed}, killed after {places}")
    for number, place in enumerate(places):
        chosen = ["--reason", REASONS[0]] if number == 0 else []
        process = dwell.start(*command, *chosen)
        try:
            wait_until(lambda: passed(topics, admin, REASONS[0]) >= place, process)
        finally:
            process.kill()
            process.wait()
    # The last run ends what the killed one left open.
    redrive(dwell, topics)
    assert_each_once(dwell, topics, ENOUGH)


def test_the_later_of_two_takes_over(dwell, topics, admin):
    from kafka_topics import wait_until
    produce(topics, topics.rejected, [rejected(topics, n) for n in range(ENOUGH)])
    first = dwell.start("rejects", "redrive", *flags(topics), "--batch-records", "1")
    try:
        wait_until(lambda: passed(topics, admin, "malformed"), first)
        first.send_signal(signal.SIGSTOP)
        second = redrive(dwell, topics)
        first.send_signal(signal.SIGCONT)
        _, err = first.communicate(timeout=60)
    finally:
        first.kill()
        first.wait()
    assert first.returncode == 1 and b"another redrive of group" in err, err
    assert 0 < second["malformed"]["sent"] < ENOUGH
    assert_each_once(dwell, topics, ENOUGH)


def test_taken_over_in_the_middle_of_a_batch(dwell, topics):
    """The brokers refuse what the earlier one still sends; that once was a `fatal error` alone."""
    import confluent_kafka
    from kafka_topics import wait_until
    produce(topics, topics.rejected, (rejected(topics, n) for n in range(MANY)))
    observer = confluent_kafka.Consumer({"bootstrap.servers": topics.broker.address,
                                         "group.id": "observer",
                                         "isolation.level": "read_uncommitted"})
    partition = confluent_kafka.TopicPartition(topics.input, 0)
    first = dwell.start("rejects", "redrive", *flags(topics), "--batch-records", "1000000",
                        "--batch-bytes", "1GiB")
    try:
        wait_until(lambda: observer.get_watermark_offsets(partition, 10)[1] > 0, first)
        first.send_signal(signal.SIGSTOP)
        redrive(dwell, topics, "--reason", "too_late")
        first.send_signal(signal.SIGCONT)
        _, err = first.communicate(timeout=60)
    finally:
        first.kill()
        first.wait()
        observer.close()
    assert first.returncode == 1 and b"another redrive of group" in err, err
    assert b"0 were sent before" in err
    assert sent(redrive(dwell, topics)) == {"malformed": MANY}
    assert_each_once(dwell, topics, MANY)


def test_what_is_not_committed_is_for_the_next_time(dwell, topics):
    produce(topics, topics.rejected, [rejected(topics, 0)])
    open_one = produce(topics, topics.rejected, [rejected(topics, 1)], f"{topics.name}-open")
    produce(topics, topics.rejected, [rejected(topics, 2)])
    assert sent(redrive(dwell, topics)) == {"malformed": 1}
    assert "1 shown of 1" in dwell.run("rejects", "ls", *flags(topics)).out
    open_one.abort_transaction(30)
    assert sent(redrive(dwell, topics)) == {"malformed": 1}
    assert numbers(dwell, topics) == {0: 1, 2: 1}


@pytest.mark.parametrize("partitions", [3])
def test_through_the_keyed_hop(dwell, topics):
    """The rejected record names the keyed topic; it goes back to the input by its key."""
    by_none = ("--input-partitioned-by", "none")
    records = [(b"bad %d" % n, b"key %d" % n, [("traceparent", TRACE)], n % 3) for n in range(6)]
    records.append((b"bad 6", None, [], 1))
    for message in reject_by_clean(dwell, topics, records, *by_none):
        assert dict(message.headers())["source.topic"] == topics.keyed.encode()
    assert sent(redrive(dwell, topics)) == {"malformed": 7}
    back = all_redriven(dwell, topics)
    assert {(m.value(), m.key(), dict(m.headers()).get("traceparent")) for m in back} == {
        (value, key, TRACE if key else None) for value, key, _, _ in records}
    assert numbers(dwell, topics) == dict.fromkeys(range(7), 1)
    assert len({m.partition() for m in back}) > 1
    clean_until(dwell, topics, lambda: len(topics.read(topics.rejected)) == 14, *by_none)
    again = [dict(m.headers()).get("dwell.redriven") for m in topics.read(topics.rejected)]
    assert collections.Counter(again) == {None: 7, b"1": 7}


@pytest.mark.parametrize("partitions", [3])
def test_partitions_that_the_input_has_not(dwell, topics):
    """By key then; foreign records without a reason are left alone."""
    records = [rejected(topics, 0, source_partition=9), rejected(topics, 1, source_partition="x"),
               rejected(topics, 2, source_partition=2), (b"foreign", None, None, 0)]
    produce(topics, topics.rejected, records)
    assert sent(redrive(dwell, topics)) == {"malformed": 3}
    assert [m.partition() for m in all_redriven(dwell, topics) if m.value() == b"bad 2"] == [2]
    assert numbers(dwell, topics) == {0: 1, 1: 1, 2: 1}


def test_a_position_behind_the_end_is_told(dwell, topics):
    """The topic was made anew under an old group: silence would leave out what it has now."""
    import confluent_kafka
    produce(topics, topics.rejected, [rejected(topics, 0)])
    group = f"{topics.group}-redrive-malformed"
    consumer = confluent_kafka.Consumer({"bootstrap.servers": topics.broker.address,
                                         "group.id": group})
    consumer.commit(offsets=[confluent_kafka.TopicPartition(topics.rejected, 0, 50)],
                    asynchronous=False)
    consumer.close()
    answer = redrive(dwell, topics, status=1)
    assert f"group {group} stands at offset 50" in answer.err and "made anew" in answer.err


def test_what_the_store_could_not_use_is_told_apart(dwell, topics):
    """It says what is wrong with it, and is for no redrive."""
    detail = "no JSON\nat 0 \u202e"
    produce(topics, topics.rejected, [
        (b"garbage", b"a", [("reason", b"not_cleaned"), ("detail", detail.encode())], 0),
        (b"other", b"b", [("reason", b"of another release")], 0),
        (b"{}", b"c", [("reason", b"malformed")], 0)])
    ls = dwell.run("rejects", "ls", *flags(topics), "--json").json
    assert [one["reason"] for one in ls["reasons"]] == ["malformed", "not_cleaned", "unknown"]
    (found,) = dwell.run("rejects", "ls", *flags(topics), "--json", "--reason",
                         "not_cleaned").json["records"]
    shown = r"no JSON\x0aat 0 \xe2\x80\xae"
    assert found["detail"] == shown and found["reason"] == "not_cleaned"
    assert shown in dwell.run("rejects", "ls", *flags(topics)).out
    assert "detail" not in dwell.run("rejects", "ls", *flags(topics), "--reason", "malformed").out
    one = dwell.run("rejects", "show", found["id"], *flags(topics), "--json").json
    assert one["detail"] == shown and one["reason"] == "not_cleaned"
    assert sent(redrive(dwell, topics)) == {"malformed": 1}
    refused = dwell.run("rejects", "redrive", *flags(topics), "--reason", "not_cleaned", status=2)
    assert "not_cleaned" in refused.err


def test_errors_say_what_to_do(dwell, topics):
    import dataclasses
    from free_ports import free_ports
    none = f"{topics.name}-none"
    for command in (["ls"], ["show", "0:0"], ["redrive"]):
        answer = dwell.run("rejects", *command, *flags(topics), "--topics-rejected", none, status=1)
        assert none in answer.err and "dwell topics create" in answer.err
    answer = dwell.run("rejects", "redrive", *flags(topics), "--topics-input", none, status=1)
    assert none in answer.err
    away = f"127.0.0.1:{free_ports(1)[0]}"
    answer = dwell.run("rejects", "ls", *flags(topics), "--brokers", away, status=1)
    assert f"no answer from brokers {away}" in answer.err
    for place in ("", "0", "0:", ":0", "0:-1", "a:b", "0:1:2", "4294967296:0"):
        assert "PARTITION:OFFSET" in dwell.run("rejects", "show", place, status=2).err
    assert "no_reason" in dwell.run("rejects", "redrive", "--reason", "no_reason", status=2).err
    assert "no_reason" in dwell.run("rejects", "ls", "--reason", "no_reason", status=2).err
    dwell.run("rejects", "ls", "--limit", "-1", status=2)
