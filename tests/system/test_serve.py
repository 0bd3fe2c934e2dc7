"""`dwell serve`: what is posted shows, what is away is told, and nobody waits for nothing."""

import json
import random
import socket
import time
import urllib.parse
import uuid

import pytest

from dwell_service import Service, path_of, post_event, rfc3339, wait_until

NOW = 1_700_000_000_000
SLOW = ["--serve-timeout", "60s"]


def post(service, *events):
    """The place that the answer tells."""
    reply = service.post([post_event(*event) for event in events])
    assert reply.status == 201, reply
    assert reply.json == {"position": reply.headers["Dwell-Position"]}
    return reply.headers["Dwell-Position"]


@pytest.mark.parametrize("partitions, by", [(1, "device"), (3, "device"), (3, "none")])
def test_what_is_posted_shows_when_asked_for(broker, admin, database, tmp_path, partitions, by):
    """Also on a topic where nothing else ever comes. Each device is asked for once more by somebody
    who does not wait: that answer may be older, and never newer than what was posted."""
    from dwell_system import system
    from kafka_topics import Topics
    topics = Topics(broker, f"posts-{uuid.uuid4().hex[:8]}", partitions)
    topics.create(admin, "LogAppendTime")
    with system(tmp_path, topics, database.url, "--input-partitioned-by", by) as service:
        for i in range(10):
            device = f"d{i}"
            place = post(service, (device, "enter", NOW), (f"{device}-too", "enter", NOW + 1))
            assert service.timeline(device, f"?after={place}") == [("enter", rfc3339(NOW))]
            place = post(service, (device, "exit", NOW + 5_000))
            reply = service.get(f"/presence?after={place}")
            assert device not in [one["deviceID"] for one in reply.json["devices"]]
            reply = service.get(path_of(device, resource="devices") + f"?after={place}")
            assert (reply.json["state"], reply.json["since"]) == ("outside", rfc3339(NOW + 5_000))
        place = post(service, *((f"many-{i}", "enter", NOW) for i in range(100)))
        assert len(place.split(",")) == partitions
        reply = service.get(f"/presence?limit=1000&after={place}")
        assert sum(one["deviceID"].startswith("many-") for one in reply.json["devices"]) == 100
        service.stop()


def crowd(seed):
    """Events that have every outcome, of devices and of one without any accepted."""
    rng = random.Random(seed)
    events = [(f"d{rng.randrange(4)}", rng.choice(["enter", "exit"]), NOW + 1_000 * i
               - 1_000 * rng.choice([0, 0, 0, 3, 8])) for i in range(200)]
    events += [events[i] for i in range(0, 200, 9)]
    return events + [("never-in", "exit", NOW + i) for i in range(3)]


@pytest.mark.parametrize("order", ["arrival", "event_time"])
def test_devices_are_told_as_by_the_embedded_service(topics, database, tmp_path, order):
    """What became of their events comes by the state topic, also once more from its start."""
    from dwell_system import system
    rule = ["--order", order, "--first-exit", "suppress"]
    events = crowd(order)
    devices = sorted({device for device, _, _ in events})
    (tmp_path / "embedded").mkdir()
    with Service(tmp_path / "embedded", *rule).start() as service:
        service.store(*events)
        expected = {device: service.get(path_of(device, resource="devices")).json
                    for device in devices}
    assert expected["never-in"]["outcomes"]["initial_exit"] == 1
    found = {}

    def are_told():
        for device in devices:
            reply = service.get(path_of(device, resource="devices"))
            found[device] = reply.json
        return found == expected

    flags = [*rule, "--checkpoint-idle", "10ms"]
    with system(tmp_path, topics, database.url, *flags) as service:
        for begin in range(0, len(events), 20):
            post(service, *events[begin:begin + 20])
        wait_until(are_told, what=(found, expected))
    for forget in ("UPDATE dwell_device_position SET cluster = 'another'",
                   "UPDATE dwell_device_position SET next = 1000000",
                   "DELETE FROM dwell_device_position"):
        database.query(forget)
        database.query("DELETE FROM dwell_device")
        with system(tmp_path, topics, database.url, *flags) as service:
            wait_until(are_told, what=(found, expected))


def test_a_state_that_is_none_is_passed_over(topics, database, tmp_path):
    import confluent_kafka
    from dwell_system import system
    producer = confluent_kafka.Producer({"bootstrap.servers": topics.broker.address})
    producer.produce(topics.state, "no state", "x", 0)
    producer.flush(30)
    flags = ["--roles", "store,serve"]
    with system(tmp_path, topics, database.url, *flags) as service:
        wait_until(lambda: database.query(
            "SELECT next FROM dwell_device_position WHERE topic = %s", topics.state) == [(2,)])
        ready = service.get("/readyz")
        assert ready.status == 200, ready  # it works on; the cleaner's next start will not
        told = " ".join(ready.json["warnings"])
        assert f"{topics.state}/0 offset 1" in told and "dwell topics reset" in told
        assert f"{topics.state}/0 offset 1" in service.log
        assert service.get("/devices/x").status == 404


def test_places_that_are_none(topics, database, tmp_path):
    from dwell_system import system
    with system(tmp_path, topics, database.url) as service:
        for text in ("", "1", "0:", "0:-1", "0:1,", "x:1", "0:1;0:2", "0:99999999999999999999"):
            reply = service.get("/timeline/a?after=" + urllib.parse.quote(text))
            assert reply.status == 400 and reply.json["parameter"] == "after", (text, reply)
        reply = service.get("/timeline/a?after=7:0")
        assert reply.status == 400 and "no partition 7" in reply.json["detail"], reply
        assert reply.json["type"] == "urn:dwell:invalid-parameter", reply
        assert reply.json["parameter"] == "after", reply


def test_a_place_that_nobody_cleans_is_not_waited_for_for_ever(topics, database, tmp_path):
    from dwell_system import system
    with system(tmp_path, topics, database.url, command="serve") as service:
        place = post(service, ("a", "enter", NOW))
        start = time.monotonic()
        reply = service.get(f"/timeline/a?after={place}")
        assert reply.status == 503 and reply.headers["Retry-After"], reply
        assert "will show" in reply.json["detail"]
        assert 4 < time.monotonic() - start < 20
        assert service.timeline("a") == []


def test_events_that_cannot_be_taken_refuse_the_request(topics, database, tmp_path):
    from dwell_system import system
    with system(tmp_path, topics, database.url) as service:
        events = [post_event("a", "enter", NOW), post_event("a", "exit", "noon")]
        reply = service.post(events)
        assert reply.status == 400 and reply.json["errors"][0]["index"] == 1, reply
        assert topics.read(topics.input) == []
        reply = service.post(events, "?partial=true")
        assert reply.status == 201 and reply.json["errors"][0]["index"] == 1, reply
        place = reply.headers["Dwell-Position"]
        assert service.timeline("a", f"?after={place}") == [("enter", rfc3339(NOW))]
        message, = topics.read(topics.input)
        assert message.key() == b"a"
        assert json.loads(message.value()) == {
            "device_id": "a", "event_type": "device_enter", "timestamp": NOW}


def test_a_database_that_is_away_is_told_and_comes_back(topics, tmp_path):
    from dwell_system import system
    from postgres_server import Database, PostgresServer
    server = PostgresServer()
    try:
        with system(tmp_path, topics, server.url()).start(is_ready=False) as service:
            reply = service.get("/timeline/a")
            assert reply.status == 503 and reply.headers["Retry-After"], reply
            assert "127.0.0.1" in service.get("/readyz").text
            place = post(service, ("a", "enter", NOW))  # the log takes it
            server.start()
            service.wait_ready()
            wait_until(lambda: service.get(f"/timeline/a?after={place}").status == 200)
            for stop in (server.kill, server.stop):
                stop()
                # A server that was killed has processes that answer a moment longer.
                reply = wait_until(lambda: (found := service.get("/timeline/a")).status == 503 and found)
                assert reply.headers["Retry-After"], reply
                wait_until(lambda: service.get("/readyz").status == 503)
                server.start()
                wait_until(lambda: service.get("/timeline/a").status == 200)
                service.wait_ready()
            assert service.timeline("a") == [("enter", rfc3339(NOW))]
            place = post(service, ("a", "exit", NOW + 1))
            wait_until(lambda: service.get(f"/timeline/a?after={place}").status == 200)
            assert [kind for kind, _ in service.timeline("a")] == ["enter", "exit"]
            assert Database(server.url()).query(
                "SELECT count(*) FROM device_events_cleaned") == [(2,)]
            service.stop()
    finally:
        server.remove()


def test_a_restart_of_the_database_between_two_questions_is_not_noticed(topics, tmp_path):
    from dwell_system import system
    from postgres_server import PostgresServer
    server = PostgresServer()
    try:
        server.start()
        with system(tmp_path, topics, server.url(), command="serve") as service:
            for _ in range(3):
                assert service.timeline("a") == []
                server.stop()
                server.start()
                assert service.timeline("a") == []
    finally:
        server.remove()


def test_brokers_that_are_away_are_told_and_come_back(own_broker, database, tmp_path):
    from dwell_system import system
    from kafka_clients import admin_client
    from kafka_topics import Topics
    broker = own_broker()
    admin = admin_client(broker)
    topics = Topics(broker, "away").create(admin, "LogAppendTime")
    admin.close()
    with system(tmp_path, topics, database.url) as service:
        place = post(service, ("a", "enter", NOW))
        assert service.timeline("a", f"?after={place}") == [("enter", rfc3339(NOW))]
        broker.kill()
        reply = service.post([post_event("a", "exit", NOW + 1)])
        assert reply.status == 503 and reply.headers["Retry-After"], reply
        reply = service.get(f"/timeline/a?after={place}")
        assert reply.status == 503, reply
        assert service.timeline("a") == [("enter", rfc3339(NOW))]
        broker.start()
        reply = wait_until(lambda: (reply := service.post([post_event("a", "exit", NOW + 1)]))
                           .status == 201 and reply)
        place = reply.headers["Dwell-Position"]
        wait_until(lambda: service.get(f"/timeline/a?after={place}").status == 200)
        assert [kind for kind, _ in service.timeline("a")] == ["enter", "exit"]
        service.stop()


def test_a_topic_that_is_missing_is_named(broker, admin, database, tmp_path):
    from dwell_system import system
    from kafka_topics import Topics
    topics = Topics(broker, f"none-{uuid.uuid4().hex[:8]}")
    with system(tmp_path, topics, database.url, command="serve").start(is_ready=False) as service:
        wait_until(lambda: f"topic {topics.input} is missing" in service.get("/readyz").text)
        reply = service.post([post_event("a", "enter", NOW)])
        assert reply.status == 503 and "dwell topics create" in reply.json["detail"], reply


class Lock:
    """Keeps every question about rows waiting, from inside the database."""

    def __init__(self, database):
        import psycopg2
        self.database = database
        self.connection = psycopg2.connect(database.url)
        self.connection.cursor().execute("LOCK TABLE device_events_cleaned")

    def waiting(self):
        return self.database.query(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND state = 'active' AND wait_event_type = 'Lock'")[0][0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()


def test_a_question_that_takes_too_long_is_given_up(topics, database, tmp_path):
    from dwell_system import system
    flags = ["--serve-timeout", "1s", "--serve-connections", "2"]
    with system(tmp_path, topics, database.url, *flags, command="serve") as service:
        with Lock(database) as lock:
            for _ in range(4):
                reply = service.get("/timeline/a")
                assert reply.status == 503 and reply.headers["Retry-After"], reply
            wait_until(lambda: lock.waiting() == 0)
            assert service.get("/health").text == "OK"
        assert service.timeline("a") == []


def test_a_question_is_given_up_when_its_client_leaves(topics, database, tmp_path):
    from dwell_system import system
    with system(tmp_path, topics, database.url, *SLOW, command="serve") as service:
        with Lock(database) as lock:
            clients = []
            for i in range(20):  # more than there are connections
                clients.append(socket.create_connection((service.host, service.port)))
                clients[-1].sendall(b"GET /timeline/d%d HTTP/1.1\r\nHost: a\r\n\r\n" % i)
            wait_until(lambda: lock.waiting() == 8)
            staying = service.wire()
            staying.send("GET /timeline/staying HTTP/1.1\r\nHost: a\r\n\r\n")
            for client in clients:
                client.close()
            wait_until(lambda: lock.waiting() == 1)
        assert staying.reply().json == {"events": []}
        staying.close()
        assert service.timeline("a") == []
        service.stop()


def test_it_stops_in_time_while_questions_wait(topics, database, tmp_path):
    from dwell_system import system
    with system(tmp_path, topics, database.url, *SLOW, command="serve") as service:
        with Lock(database) as lock:
            with service.wire() as wire:
                wire.send("GET /timeline/a HTTP/1.1\r\nHost: a\r\n\r\n")
                wait_until(lambda: lock.waiting() == 1)
                service.stop()
                assert wire.raw() == b""
            wait_until(lambda: lock.waiting() == 0)


def test_more_questions_than_connections_are_all_answered(topics, database, tmp_path):
    from dwell_system import system
    flags = ["--serve-connections", "2"]
    with system(tmp_path, topics, database.url, *flags) as service:
        place = post(service, *((f"d{i}", "enter", NOW + i) for i in range(50)))
        service.timeline("d0", f"?after={place}")
        wires = [service.wire() for _ in range(50)]
        for _ in range(5):
            for i, wire in enumerate(wires):
                wire.send(f"GET /timeline/d{i} HTTP/1.1\r\nHost: a\r\n\r\n")
            for i, wire in enumerate(wires):
                assert wire.reply().json["events"][0]["timestamp"] == rfc3339(NOW + i)
        for wire in wires:
            wire.close()
        connections = database.query("SELECT count(*) FROM pg_stat_activity "
                                     "WHERE datname = current_database()")[0][0]
        assert connections <= 2 + 2 + 1 + 1  # questions, store and devices, watch, this one


def test_rows_that_others_have_stored_are_listed_and_not_folded(topics, database, tmp_path):
    """A table as the first version of this service had it, with another type and times of all
    kinds."""
    from dwell_system import system
    database.query(
        "CREATE TABLE device_events_cleaned (device_id varchar(255), event_type varchar(50), "
        "timestamp bigint, PRIMARY KEY (device_id, timestamp))")
    database.query(
        "INSERT INTO device_events_cleaned VALUES ('a', 'device_enter', 1000), "
        "('a', 'device_heartbeat', 2000), ('a', 'device_exit', 3000), ('a', 'say \"x\"', 4000), "
        "('b', 'device_heartbeat', 500), ('c', 'device_heartbeat', 600), "
        "('c', 'device_enter', 700), ('c', 'device_enter', 800), ('c', 'z', 900), "
        "('d', 'device_enter', -5), ('d', 'device_enter', 9223372036854775807)")
    with system(tmp_path, topics, database.url, command="serve") as service:
        types = ["device_enter", "device_heartbeat", "device_exit", 'say "x"']
        events = service.get("/timeline/a").json["events"]
        assert [event["eventType"] for event in events] == types
        reply = service.get("/timeline/a", Accept="text/csv")
        assert '"a","say ""x""",1970-01-01T00:00:04Z\r\n' in reply.text
        for order in ("asc", "desc"):
            found, target = [], f"/timeline/a?limit=1&order={order}"
            while target:
                reply = service.get(target)
                found += [event["eventType"] for event in reply.json["events"]]
                target = "next" in reply.json and (
                    f"/timeline/a?limit=1&order={order}&cursor={reply.json['next']}")
            assert found == (types if order == "asc" else types[::-1])
        assert service.get("/presence").json["devices"] == [
            {"deviceID": "c", "since": "1970-01-01T00:00:00.700Z"}]
        assert service.get("/devices/a").json["since"] == "1970-01-01T00:00:03Z"
        reply = service.get("/devices/b")
        assert (reply.json["state"], reply.json["firstSeen"]) == (
            "unknown", "1970-01-01T00:00:00.500Z")
        reply = service.get("/devices/c")
        assert (reply.json["since"], reply.json["firstSeen"]) == (
            "1970-01-01T00:00:00.700Z", "1970-01-01T00:00:00.700Z")
        assert service.get("/devices/nobody").status == 404
        assert service.timeline("d") == []


def test_fewer_connections_than_it_may_open_answer_all(topics, database, tmp_path):
    """A role that gets three: nobody is refused, at once or later."""
    from dwell_system import system
    database.query("DROP ROLE IF EXISTS few")
    database.query("CREATE ROLE few LOGIN CONNECTION LIMIT 3")
    name = database.query("SELECT current_database()")[0][0]
    url = database.url.replace("//dwell@", "//few@")
    with system(tmp_path, topics, database.url, command="serve") as service:
        service.stop()  # it has made the tables
    database.query("GRANT SELECT ON ALL TABLES IN SCHEMA public TO few")
    flags = ["--database-migrate", "no", "--serve-connections", "8"]
    try:
        with system(tmp_path, topics, url, *flags, command="serve") as service:
            wires = [service.wire() for _ in range(30)]
            for _ in range(10):
                for wire in wires:
                    wire.send("GET /presence HTTP/1.1\r\nHost: a\r\n\r\n")
                assert {wire.reply().status for wire in wires} == {200}
            for wire in wires:
                wire.close()
            assert [service.get("/timeline/lobby").status for _ in range(20)] == [200] * 20
            assert service.get("/readyz").status == 200
            warned = wait_until(lambda: service.get("/readyz").json.get("warnings"))
            assert "3 of 8 connections" in warned[0] and "serve.connections" in warned[0]
            service.stop()
        # None at all: it is not ready, and says so until there is one.
        database.query("ALTER ROLE few CONNECTION LIMIT 0")
        with system(tmp_path, topics, url, *flags, command="serve").start(is_ready=False) as service:
            wait_until(lambda: "too many connections" in service.get("/readyz").text)
            assert service.get("/timeline/lobby").status == 503
            database.query("ALTER ROLE few CONNECTION LIMIT 1")
            service.wait_ready()
            assert service.get("/timeline/lobby").status == 200
    finally:
        database.query("DROP OWNED BY few; DROP ROLE few")
    assert name


HARMS = [
    ("REVOKE SELECT ON device_events_cleaned FROM reader",
     "GRANT SELECT ON device_events_cleaned TO reader"),
    ("ALTER TABLE device_events_cleaned RENAME TO elsewhere",
     "ALTER TABLE elsewhere RENAME TO device_events_cleaned"),
    ("ALTER TABLE device_events_cleaned ALTER rank TYPE integer",
     "ALTER TABLE device_events_cleaned ALTER rank TYPE bigint"),
    ("ALTER ROLE reader NOLOGIN; SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
     "WHERE usename = 'reader'", "ALTER ROLE reader LOGIN"),
]


def test_what_is_wrong_with_the_database_is_not_the_clients_fault(topics, database, tmp_path):
    """503 and not ready while it lasts; mended, it goes on by itself."""
    from dwell_system import system
    database.query("DROP ROLE IF EXISTS reader")
    database.query("CREATE ROLE reader LOGIN")
    with system(tmp_path, topics, database.url, command="serve") as service:
        service.stop()  # it has made the tables
    database.query("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    url = database.url.replace("//dwell@", "//reader@")
    flags = ["--database-migrate", "no"]
    try:
        with system(tmp_path, topics, url, *flags, command="serve") as service:
            for harm, mend in HARMS:
                assert service.timeline("a") == []
                database.query(harm)
                reply = service.get("/timeline/a")
                assert reply.status == 503, (harm, reply)
                assert reply.headers["Retry-After"]
                wait_until(lambda: service.get("/readyz").status == 503, what=harm)
                database.query(mend)
                service.wait_ready()
                wait_until(lambda: service.get("/timeline/a").status == 200, what=mend)
            service.stop()
    finally:
        database.query("DROP OWNED BY reader; DROP ROLE reader")
