"""`dwell store` between a real broker and a real database: the golden cases end as rows."""

import concurrent.futures
import json
import random
import signal
import time
import urllib.parse
import uuid

import pytest

import golden_case
from dwell_cli import Dwell
from kafka_fixtures import admin, broker, own_broker  # noqa: F401
from postgres_fixtures import database, make_database, postgres_url  # noqa: F401

WORKERS = 4
SUMS = ("SELECT sum(inserts), sum(retracts), sum(absorbed), sum(faults), sum(rejected), "
        "(SELECT count(*) FROM device_events_cleaned), "
        "(SELECT value::bigint FROM dwell_fact WHERE name = 'adopted_rows') FROM dwell_position")


def check_sums(database):  # noqa: F811
    inserts, retracts, absorbed, faults, _, rows, adopted = database.query(SUMS)[0]
    assert inserts - (retracts - faults) == rows - adopted + absorbed


def end_of(topics, partition=0):
    """The end of the cleaned topic. A transaction's mark may still come behind it, but a
    read_committed reader gets there only with the mark."""
    import confluent_kafka
    reader = confluent_kafka.Consumer({"bootstrap.servers": topics.broker.address,
                                       "group.id": "reader",
                                       "isolation.level": "read_uncommitted"})
    place = confluent_kafka.TopicPartition(topics.cleaned, partition)
    end = reader.get_watermark_offsets(place, timeout=30)[1]
    reader.close()
    return end


def store_flags(topics, database):  # noqa: F811
    return ["--brokers", topics.broker.address, "--topics-cleaned", topics.cleaned,
            "--topics-state", topics.state, "--topics-rejected", topics.rejected,
            "--store-group", topics.name + "-store",
            "--database-url", database.url, "--instance-id", "one"]


def store_to_end(folder, topics, database, stop=signal.SIGTERM, flags=None):  # noqa: F811
    """Runs a store until it has all of partition 0, and ends it."""
    from kafka_topics import wait_until
    end = end_of(topics)
    said = folder / "store.log"
    with open(said, "ab") as log:
        process = Dwell(folder).start("store", *(flags or store_flags(topics, database)),
                                      stdout=log, stderr=log)

    def is_there():
        try:
            found = database.query("SELECT next FROM dwell_position WHERE partition = 0")
        except Exception:  # no table yet
            return False
        return bool(found) and found[0][0] >= end and "stored up to" in said.read_text()

    try:
        wait_until(is_there, process)
        process.send_signal(stop)
        process.wait(60)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{said.read_text()}") from None
    finally:
        process.kill()
        process.wait()
    if stop == signal.SIGTERM:
        assert process.returncode == 0, said.read_text()
    return said.read_text()


def clean_to(folder, topics, admin, end, *flags):  # noqa: F811
    from kafka_topics import wait_until
    process = Dwell(folder).start("clean", *topics.flags(), *flags)
    try:
        wait_until(lambda: topics.committed(admin).get(0) == end, process)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, err


def run_case(broker, admin, url, folder, case):  # noqa: F811
    from kafka_topics import Topics
    topics = Topics(broker, f"{case.name}-{uuid.uuid4().hex[:8]}").create(admin)
    topics.produce([(0, step.value, step.now) for step in case.steps])
    clean_to(folder, topics, admin, len(case.steps), *golden_case.flags(case))
    databases = make_database(url)
    database = next(databases)  # noqa: F811
    store_to_end(folder, topics, database)
    found = {(device, timestamp, kind): (rank, seq) for device, timestamp, kind, rank, seq in
             database.query("SELECT device_id, timestamp, event_type, rank, seq "
                            "FROM device_events_cleaned")}
    assert found == case.rows()
    check_sums(database)
    next(databases, None)


CASES = [golden_case.read(name) for name in golden_case.names()]


@pytest.fixture(scope="module")
def outcomes(broker, admin, postgres_url, tmp_path_factory):  # noqa: F811
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        yield {case.name: pool.submit(run_case, broker, admin, postgres_url,
                                      tmp_path_factory.mktemp(case.name), case)
               for case in CASES}


@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_case(outcomes, name):
    outcomes[name].result()


@pytest.fixture
def topics(broker, admin):  # noqa: F811
    from kafka_topics import Topics
    return Topics(broker, f"store-{uuid.uuid4().hex[:8]}").create(admin)


def produce(topics, values):
    """To the cleaned topic itself, as another cleaner might."""
    import confluent_kafka
    producer = confluent_kafka.Producer({"bootstrap.servers": topics.broker.address})
    for key, value, headers in values:
        producer.produce(topics.cleaned, value, key, partition=0, headers=headers)
    assert producer.flush(30) == 0


def connect_json(device, kind, timestamp, **more):
    return json.dumps({"schema": {}, "payload": {"device_id": device, "event_type": kind,
                                                 "timestamp": timestamp, **more}}).encode()


def test_records_of_other_cleaners(topics, database, tmp_path):  # noqa: F811
    """Without headers they are inserts; what is no event goes to the rejected topic."""
    produce(topics, [
        (b"a", connect_json("a", "device_enter", 1000), []),
        (None, connect_json("b\u20ac\"", "device_exit", 2000, more=1), []),
        (b"c", b"garbage", []),
        (b"c", None, []),
        (b"c", connect_json("c", "heartbeat", 1), []),
        (b"c", connect_json("c\x00", "device_enter", 1), []),
        (b"c", connect_json("c", "device_enter", "1"), []),
        (b"c", connect_json("c", "device_enter", 1), [("op", b"upsert")]),
        (b"a", connect_json("a", "device_exit", 3000), [("seq", b"2"), ("rank", b"2")]),
    ])
    store_to_end(tmp_path, topics, database)
    assert database.query("SELECT device_id, event_type, timestamp, rank, seq "
                          "FROM device_events_cleaned ORDER BY timestamp") == [
        ("a", "device_enter", 1000, 0, None), ("b\u20ac\"", "device_exit", 2000, 0, None),
        ("a", "device_exit", 3000, 2, 2)]
    rejects = [(dict(message.headers()), message.value()) for message in
               topics.read(topics.rejected)]
    assert [int(headers["source.offset"]) for headers, _ in rejects] == [2, 3, 4, 5, 6, 7]
    assert {headers["reason"] for headers, _ in rejects} == {b"not_cleaned"}
    assert {headers["source.topic"].decode() for headers, _ in rejects} == {topics.cleaned}
    assert rejects[0][1] == b"garbage" and rejects[1][1] is None
    assert b"JSON" in rejects[0][0]["detail"]
    check_sums(database)
    assert database.query(SUMS)[0][4] == 6


def test_what_the_rejected_topic_refuses_is_not_passed(topics, admin, database, tmp_path):  # noqa: F811
    from kafka.admin import ConfigResource, ConfigResourceType
    from kafka_topics import wait_until

    def limit(size):
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topics.rejected,
                                            {"max.message.bytes": str(size)})])

    limit(600)
    # What is rejected first fits, and must not stand in for the one that does not.
    produce(topics, [(b"a", b"garbage", []), (b"b", random.Random(1).randbytes(5_000), []),
                     (b"c", connect_json("c", "device_enter", 1000), [])])
    said = tmp_path / "log"
    with open(said, "ab") as log:
        process = Dwell(tmp_path).start("store", *store_flags(topics, database), stdout=log,
                                        stderr=log)
    try:
        wait_until(lambda: f"{topics.rejected}: Broker: Message size too large" in said.read_text(),
                   process)
        assert database.query("SELECT next FROM dwell_position") in ([], [(0,)])
        assert database.query("SELECT count(*) FROM device_events_cleaned") == [(0,)]
        limit(1_000_000)
        wait_until(lambda: database.query("SELECT next FROM dwell_position WHERE next >= 3"),
                   process)
    finally:
        process.kill()
        process.wait()
    values = [message.value() for message in topics.read(topics.rejected)]
    assert {len(value) for value in values} == {7, 5_000}, values
    assert database.query("SELECT device_id FROM device_events_cleaned") == [("c",)]


def test_a_topic_that_was_made_anew_is_refused(topics, admin, database, tmp_path):  # noqa: F811
    from kafka.admin import NewTopic
    from kafka_topics import wait_until
    produce(topics, [(b"a", connect_json("a", "device_enter", 1000), [])])
    store_to_end(tmp_path, topics, database)
    admin.delete_topics([topics.cleaned])
    wait_until(lambda: topics.cleaned not in admin.list_topics())
    admin.create_topics([NewTopic(topics.cleaned, 1, 1)])
    flags = store_flags(topics, database)
    # Shorter, and as long with another record.
    for wanted in ("was made anew", "is not the one that was stored last"):
        said = Dwell(tmp_path).run("store", *flags, status=1).err
        assert wanted in said and "dwell store reset" in said
        produce(topics, [(b"b", connect_json("b", "device_enter", 5000), [])])
    # What was stored stays, and the new topic is stored behind it.
    flags = ["--topics-cleaned", topics.cleaned, "--database-url", database.url]
    told = Dwell(tmp_path).run("store", "reset", *flags, status=2)
    assert "would delete" in told.out and "--yes" in told.err
    Dwell(tmp_path).run("store", "reset", "--yes", *flags)
    store_to_end(tmp_path, topics, database)
    assert database.query("SELECT device_id, timestamp FROM device_events_cleaned "
                          "ORDER BY timestamp") == [("a", 1000), ("b", 5000)]
    check_sums(database)


def test_another_cluster_is_refused(topics, database, tmp_path):  # noqa: F811
    produce(topics, [(b"a", connect_json("a", "device_enter", 1000), [])])
    store_to_end(tmp_path, topics, database)
    database.query("UPDATE dwell_position SET cluster = 'another'")
    said = Dwell(tmp_path).run("store", *store_flags(topics, database), status=1).err
    assert "was stored from cluster another" in said


def test_what_was_deleted_before_it_was_stored_is_told(topics, admin, database, tmp_path):  # noqa: F811
    import confluent_kafka.admin
    produce(topics, [(b"a", connect_json("a", "device_enter", 1000), [])])
    store_to_end(tmp_path, topics, database)
    produce(topics, [(b"a", connect_json("a", "device_exit", 2000), [])] * 3)
    client = confluent_kafka.admin.AdminClient({"bootstrap.servers": topics.broker.address})
    place = confluent_kafka.TopicPartition(topics.cleaned, 0, 3)
    for future in client.delete_records([place]).values():
        future.result(30)
    said = Dwell(tmp_path).run("store", *store_flags(topics, database), status=1).err
    assert "was stored up to offset 1, but begins with 3" in said


def test_a_connection_cut_behind_a_refused_copy(topics, database, tmp_path):  # noqa: F811
    """The batch meets a row that is there, and the way to the server ends with that answer."""
    from tcp_gate import TcpGate
    produce(topics, [("a", connect_json("a", "device_enter", 1_000), [])])
    store_to_end(tmp_path, topics, database)
    produce(topics, [("a", connect_json("a", kind, timestamp), [])
                     for kind, timestamp in [("device_enter", 1_000), ("device_exit", 2_000)]])
    gate = TcpGate(urllib.parse.urlsplit(database.url).port)
    gate.cut_behind(b"C23505\0")
    direct = database.url
    database.url = direct.replace(str(gate.target), str(gate.port), 1)
    flags = store_flags(topics, database)
    database.url = direct
    said = store_to_end(tmp_path, topics, database, flags=flags)
    gate.close()
    assert gate.cuts == 1
    assert "trying again" in said
    assert database.query("SELECT timestamp FROM device_events_cleaned ORDER BY 1") == [
        (1_000,), (2_000,)]
    check_sums(database)


def test_retention_runs_beside_the_store(topics, database, tmp_path):  # noqa: F811
    from kafka_topics import wait_until
    now = int(time.time() * 1000)
    produce(topics, [("a", connect_json("a", "device_enter", age), []) for age in (
        1_000, now - 3 * 86_400_000, now - 3_600_000)])
    process = Dwell(tmp_path).start("store", *store_flags(topics, database), "--database-retention",
                                    "2d", "--database-upkeep-every", "100ms")
    facts = "SELECT value FROM dwell_fact WHERE name = 'dropped_rows'"
    try:
        wait_until(lambda: database.query(
            "SELECT 1 FROM pg_tables WHERE tablename = 'dwell_fact'"), process)
        wait_until(lambda: database.query(facts) == [("2",)], process)
        assert database.query("SELECT timestamp FROM device_events_cleaned") == [
            (now - 3_600_000,)]
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0 and b"rows dropped" in err


def test_killed_at_any_moment_it_stores_each_once(topics, database, tmp_path):  # noqa: F811
    count, kills = 3_000, 6
    from kafka_topics import wait_until
    produce(topics, [(b"d", connect_json(f"d{i % 50}", "device_enter", i), [("seq", b"1")])
                     for i in range(count)])
    flags = [*store_flags(topics, database), "--batch-records", "100"]
    stored = 0
    for kill in range(kills):
        process = Dwell(tmp_path).start("store", *flags, stdout=-3, stderr=-3)

        def has_gone_on():
            try:
                found = database.query("SELECT coalesce(sum(inserts), 0) FROM dwell_position")
            except Exception:  # no table yet
                return False
            return found[0][0] > stored or found[0][0] == count

        wait_until(has_gone_on, process)
        process.kill()
        process.wait()
        stored = database.query("SELECT sum(inserts) FROM dwell_position")[0][0]
    store_to_end(tmp_path, topics, database)
    assert database.query("SELECT count(*) FROM device_events_cleaned") == [(count,)]
    assert database.query(SUMS)[0][:5] == (count, 0, 0, 0, 0)


def test_a_row_that_the_database_refuses_goes_to_the_rejected_topic(topics, database, tmp_path):  # noqa: F811
    """Whoever added the constraint or the trigger; all others are stored, in batches of any size."""
    Dwell(tmp_path).run("migrate", "up", "--database-url", database.url)
    database.query("ALTER TABLE device_events_cleaned ADD CONSTRAINT no_z "
                   "CHECK (device_id NOT LIKE 'z%')")
    database.query("""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN IF NEW.device_id LIKE 'y%' THEN RAISE 'not %', NEW.device_id; END IF;
        RETURN NEW; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON device_events_cleaned
        FOR EACH ROW EXECUTE FUNCTION refuse()""")
    bad = {17: "z1", 18: "z2", 300: "y1", 511: "z3"}
    produce(topics, [(b"d", connect_json(bad.get(i, f"d{i % 50}"), "device_enter", i),
                      [("seq", b"1")]) for i in range(512)] + [(b"x", b"garbage", [])])
    said = store_to_end(tmp_path, topics, database)
    assert "refused" in said
    assert database.query("SELECT count(*) FROM device_events_cleaned") == [(508,)]
    rejects = [dict(message.headers()) for message in topics.read(topics.rejected)]
    by_offset = {int(headers["source.offset"]): headers for headers in rejects}
    assert sorted(by_offset) == [17, 18, 300, 511, 512]
    assert b"no_z" in by_offset[17]["detail"] and b"not y1" in by_offset[300]["detail"]
    assert {headers["reason"] for headers in rejects} == {b"not_cleaned"}
    assert database.query(SUMS)[0][:5] == (508, 0, 0, 0, 5)
    # A start behind it has nothing left to do.
    produce(topics, [(b"d", connect_json("d", "device_exit", 9_000), [])])
    store_to_end(tmp_path, topics, database)
    assert database.query(SUMS)[0][:5] == (509, 0, 0, 0, 5)
    check_sums(database)


def test_what_its_administrator_can_mend_does_not_end_a_store(topics, database, tmp_path):  # noqa: F811
    from dwell_service import wait_until as poll
    produce(topics, [(b"d", connect_json("d", "device_enter", 1), [])])
    name = database.query("SELECT current_database()")[0][0]
    said = tmp_path / "log"
    with open(said, "ab") as log:
        process = Dwell(tmp_path).start("store", *store_flags(topics, database), stdout=log,
                                        stderr=log)
    cut = ("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
           "current_database() AND pid <> pg_backend_pid()")
    harms = [
        (f"ALTER DATABASE {name} SET default_transaction_read_only = on; {cut}",
         "SET TRANSACTION READ WRITE; "
         f"ALTER DATABASE {name} RESET default_transaction_read_only; {cut}", "read-only"),
        ("ALTER TABLE device_events_cleaned RENAME TO elsewhere",
         "ALTER TABLE elsewhere RENAME TO device_events_cleaned", "does not exist"),
        ("ALTER TABLE device_events_cleaned ALTER rank TYPE integer",
         "ALTER TABLE device_events_cleaned ALTER rank TYPE bigint", "binary data format"),
        ("ALTER TABLE dwell_position RENAME TO elsewhere",
         "ALTER TABLE elsewhere RENAME TO dwell_position", "does not exist"),
    ]
    stored = "SELECT count(*) FROM device_events_cleaned"
    try:
        poll(lambda: "stored up to" in said.read_text(), what="it did not start")
        poll(lambda: database.query(stored) == [(1,)])
        for i, (harm, mend, words) in enumerate(harms, 2):
            database.query(harm)
            produce(topics, [(b"d", connect_json("d", "device_enter", i), [])])
            poll(lambda: words in said.read_text() or process.poll() is not None,
                 what=(harm, said.read_text()))
            assert process.poll() is None, said.read_text()
            database.query(mend)
            poll(lambda: database.query(stored) == [(i,)], what=(mend, said.read_text()))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, said.read_text()
    finally:
        process.kill()
        process.wait()
    assert topics.read(topics.rejected) == []
    check_sums(database)


def test_a_row_that_a_trigger_swallows_or_changes_goes_to_the_rejected_topic(topics, database, tmp_path):  # noqa: F811
    """Without a word of the database; also where rows are met that are there already."""
    Dwell(tmp_path).run("migrate", "up", "--database-url", database.url)
    produce(topics, [(b"d", connect_json("d0", "device_enter", 0), [])])
    store_to_end(tmp_path, topics, database)
    database.query("""
        CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN IF NEW.device_id LIKE 'gone%' THEN RETURN NULL; END IF;
        IF NEW.device_id LIKE 'other%' THEN NEW.timestamp = NEW.timestamp + 1000000; END IF;
        NEW.rank = 7; RETURN NEW; END $$;
        CREATE TRIGGER meddle BEFORE INSERT ON device_events_cleaned
        FOR EACH ROW EXECUTE FUNCTION meddle()""")
    bad = {17: "gone1", 18: "other1", 63: "gone2"}
    produce(topics, [(b"d", connect_json(bad.get(i, f"d{i}"), "device_enter", i), [])
                     for i in range(64)])
    said = store_to_end(tmp_path, topics, database)
    assert "refused" in said
    rejects = [dict(message.headers()) for message in topics.read(topics.rejected)]
    assert sorted(int(headers["source.offset"]) - 1 for headers in rejects) == sorted(bad)
    assert all(b"trigger swallows or changes" in headers["detail"] for headers in rejects)
    assert database.query(SUMS)[0][:6] == (62, 0, 1, 0, 3, 61)  # d0 came twice
    check_sums(database)
    # One that lets rows be is nobody's fault.
    assert database.query("SELECT count(*) FROM device_events_cleaned WHERE rank = 7") == [(60,)]
