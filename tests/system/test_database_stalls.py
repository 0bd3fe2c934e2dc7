"""A database that can be reached and does not do its work: /readyz says so while it lasts."""

import contextlib
import json
import urllib.parse

import psycopg2
from dwell_system import system
from dwell_service import wait_until

STORED = "SELECT count(*) FROM device_events_cleaned"
STORE = ["--roles", "store,serve"]


def produce(topics, *timestamps):
    """Changes, to the cleaned topic itself."""
    import confluent_kafka
    producer = confluent_kafka.Producer({"bootstrap.servers": topics.broker.address})
    for timestamp in timestamps:
        row = {"device_id": "d", "event_type": "device_enter", "timestamp": timestamp}
        producer.produce(topics.cleaned, json.dumps({"schema": {}, "payload": row}), "d", 0)
    assert producer.flush(30) == 0


@contextlib.contextmanager
def lock(database, mode):
    holder = psycopg2.connect(database.url)
    holder.cursor().execute(f"LOCK TABLE device_events_cleaned IN {mode} MODE")
    try:
        yield
    finally:
        holder.close()


def failures(service):
    """How many commits have failed."""
    return service.metrics()['dwell_commit_failures_total{stage="store"}']


def is_unready(service):
    return service.get("/readyz").status == 503


def set_lock_timeout(database):
    name = database.query("SELECT current_database()")[0][0]
    database.query(f"ALTER DATABASE {name} SET lock_timeout = '700ms'")


@contextlib.contextmanager
def a_row_that_cannot_be_stored(topics, database, service):
    """The second one, for the time of the block: the table is locked, and the service says so."""
    produce(topics, 1)
    wait_until(lambda: database.query(STORED) == [(1,)])
    with lock(database, "SHARE ROW EXCLUSIVE"):
        produce(topics, 2)
        wait_until(lambda: is_unready(service))
        yield


def test_a_store_is_ready_again_when_it_has_stored(topics, database, tmp_path):
    """And not when it has joined anew, with the same rows to store."""
    set_lock_timeout(database)
    with system(tmp_path, topics, database.url, *STORE) as service:
        with a_row_that_cannot_be_stored(topics, database, service):
            reached = failures(service) + 3
            while failures(service) < reached:
                assert is_unready(service)
            assert "lock timeout" in service.get("/readyz").text
        service.wait_ready()
        assert database.query(STORED) == [(2,)]
        service.stop()


def test_a_store_with_nothing_left_to_store_is_ready(topics, database, tmp_path):
    """As where another one has stored meanwhile what this one could not."""
    set_lock_timeout(database)
    with system(tmp_path, topics, database.url, *STORE) as service:
        with a_row_that_cannot_be_stored(topics, database, service):
            database.query("UPDATE dwell_position SET next = 2")
            service.wait_ready()
        service.stop()


def test_a_silent_database_is_told(topics, database, tmp_path):
    """Nothing is cut: what is sent stays on its way."""
    from tcp_gate import TcpGate
    gate = TcpGate(urllib.parse.urlsplit(database.url).port)
    url = database.url.replace(str(gate.target), str(gate.port), 1)
    try:
        with system(tmp_path, topics, url, command="store") as service:
            produce(topics, 1)
            wait_until(lambda: database.query(STORED) == [(1,)])
            gate.hold()
            produce(topics, 2)
            wait_until(lambda: "has not answered for 5s" in service.get("/readyz").text)
            assert is_unready(service)
            assert service.log.count("has not answered for 5s") == 1
            gate.let_go()
            service.wait_ready()
            assert database.query(STORED) == [(2,)]
            service.stop()
    finally:
        gate.close()


def test_rows_that_nobody_may_read_are_told(topics, database, tmp_path):
    with system(tmp_path, topics, database.url, command="serve") as service:
        with lock(database, "ACCESS EXCLUSIVE"):
            wait_until(lambda: is_unready(service))
            assert service.get("/timeline/a").status == 503
            assert is_unready(service)
        service.wait_ready()
        assert service.timeline("a") == []
        service.stop()


def test_another_schema_is_not_filled_by_who_connects_again(topics, database, tmp_path):
    name = database.query("SELECT current_database()")[0][0]
    with system(tmp_path, topics, database.url, *STORE) as service:
        database.query("CREATE SCHEMA other")
        database.query(f"ALTER DATABASE {name} SET search_path = other")
        database.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                       "WHERE datname = current_database() AND pid <> pg_backend_pid()")
        wait_until(lambda: "schema other" in service.get("/readyz").text)
        produce(topics, 1)
        assert database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'other'") == []
        database.query(f"ALTER DATABASE {name} RESET search_path")
        service.wait_ready()
        wait_until(lambda: database.query(
            "SELECT count(*) FROM public.device_events_cleaned") == [(1,)])
        service.stop()
