"""A stock JDBC sink of Kafka Connect in the place of `dwell store`, in arrival order."""

import random
import urllib.parse
import uuid

import pytest

from connect_worker import ConnectWorker
from dwell_cli import Dwell
from dwell_service import rfc3339, wait_until
from kafka_clean import Cleaner, Meddler, event
from kafka_fixtures import ROOT, need
from postgres_fixtures import make_database
from presence_model import Model, Rule

SINK = ROOT / "deploy" / "connect" / "sink.properties"
NOW = 1_751_932_800_000
# With the transaction that made the row, or wrote it again.
ROWS = "SELECT device_id, timestamp, event_type, rank, seq, xmin::text FROM device_events_cleaned"
HAS_ROW = ("SELECT 1 FROM device_events_cleaned "
           "WHERE device_id = %s AND timestamp = %s AND event_type = %s")


class Sink:
    """The way from the events of one input to the rows of one table."""

    def __init__(self, folder, topics, admin, database):
        self.folder, self.topics, self.database = folder, topics, database
        dwell = Dwell(folder)
        dwell.run("migrate", "up", "--database-url", database.url)
        self.cleaner, self.sent = Cleaner(dwell, topics, admin), []
        self.group = topics.name + "-sink"
        url = urllib.parse.urlsplit(database.url)
        self.worker = ConnectWorker(folder / "connect", topics.broker.address, SINK, {
            "SINK_TOPIC": topics.cleaned, "SINK_GROUP": self.group,
            "SINK_DATABASE_URL": f"jdbc:postgresql://{url.hostname}:{url.port or 5432}{url.path}"
                                 "?reWriteBatchedInserts=true",
            "SINK_DATABASE_USER": url.username, "SINK_DATABASE_PASSWORD": url.password or ""})

    def clean(self, *records):
        """Has them in the cleaned topic."""
        self.topics.produce([(0, record, NOW) for record in records])
        self.sent += records
        self.cleaner.run_to(len(self.sent))

    def model(self):
        """The rule, on all that was sent; with rows as the sink stores them."""
        model = Model(Rule(now=NOW, order="arrival"))
        for record in self.sent:
            model.fold(record)
        model.stored = dict.fromkeys(model.stored, (0, None))  # headers alone tell rank and seq
        return model

    def wait_for(self, device, timestamp, kind):
        """What is behind all else in the topic."""
        wait_until(lambda: self.worker.is_running() and self.database.query(
            HAS_ROW, device, timestamp, f"device_{kind}"))

    def check_rows(self):
        found = self.database.query(ROWS)
        assert {row[:3]: row[3:5] for row in found} == self.model().stored


@pytest.fixture(scope="module")
def sink(broker, admin, postgres_url, tmp_path_factory):
    """One for all tests, since it starts slowly; each sends events of its own devices."""
    need("install-connect")
    from kafka_topics import FACTS, Topics
    topics = Topics(broker, f"sink-{uuid.uuid4().hex[:8]}").create(
        admin, facts={**FACTS, "order.mode": "arrival"})
    databases = make_database(postgres_url)
    one = Sink(tmp_path_factory.mktemp("sink"), topics, admin, next(databases))
    with one.worker:
        yield one
    next(databases, None)


@pytest.fixture
def service(sink):
    from dwell_system import system
    with system(sink.folder, sink.topics, sink.database.url, command="serve") as one:
        yield one


def history(rng, count):
    """Repeats, redeliveries, disorder and what is unusable, of devices with names of all kinds."""
    devices = [f"cam-{i}" for i in range(20)] + ["b\u20ac\"'\\", "<&>\u2028", "Z", "a b"]
    records = []
    for number in range(count):
        timestamp = NOW - count + number - rng.choice([0, 0, 0, rng.randrange(50)])
        records.append(rng.choice(records) if records and rng.random() < 0.05 else
                       b"garbage" if rng.random() < 0.02 else
                       event(rng.choice(devices), rng.choice(["enter", "exit"]), timestamp))
    return records


def test_its_rows_are_answered(sink, service):
    sink.clean(*history(random.Random(1), 3_000), event("last", "enter", NOW))
    sink.wait_for("last", NOW, "enter")
    sink.check_rows()
    model = sink.model()
    for device in model.devices:
        assert service.timeline(device) == [
            (row.type.removeprefix("device_"), rfc3339(row.timestamp))
            for row in model.rows if row.device == device]
    for at in (NOW - 2_000, NOW - 1_000, NOW):
        reply = service.get(f"/presence?at={rfc3339(at)}&limit=1000")
        assert {one["deviceID"]: one["since"] for one in reply.json["devices"]} == {
            device: rfc3339(since) for device, since in model.inside_at(at).items()}


def test_one_millisecond_is_in_the_order_of_types(sink, service):
    """The difference to `dwell store`, which knows by the rank that the enter came last."""
    sink.clean(event("at-once", "enter", NOW - 1), event("at-once", "exit", NOW),
               event("at-once", "enter", NOW))
    sink.wait_for("at-once", NOW, "enter")
    assert service.timeline("at-once") == [
        ("enter", rfc3339(NOW - 1)), ("enter", rfc3339(NOW)), ("exit", rfc3339(NOW))]
    present = service.get(f"/presence?at={rfc3339(NOW)}&limit=1000").json["devices"]
    assert "at-once" not in [one["deviceID"] for one in present]


def produce(topics, records, is_committed=True):
    """To the cleaned topic itself, in a transaction."""
    import confluent_kafka
    producer = confluent_kafka.Producer({"bootstrap.servers": topics.broker.address,
                                         "transactional.id": uuid.uuid4().hex})
    producer.init_transactions(30)
    producer.begin_transaction()
    for key, value in records:
        producer.produce(topics.cleaned, value, key, partition=0)
    assert producer.flush(30) == 0  # the broker has them, whatever becomes of them
    if is_committed:
        producer.commit_transaction(30)
    else:
        producer.abort_transaction(30)


def test_what_comes_again_changes_no_row(sink):
    """Twice in the topic, and once more with the sink's offsets lost."""
    sink.clean(event("again", "enter", NOW), event("again", "exit", NOW + 1))
    sink.wait_for("again", NOW + 1, "exit")
    before = set(sink.database.query(ROWS))
    messages = sink.topics.read(sink.topics.cleaned)
    produce(sink.topics, [(message.key(), message.value()) for message in messages * 2])
    sink.clean(event("behind", "enter", NOW))
    sink.wait_for("behind", NOW, "enter")
    sink.worker.stop()
    meddler = Meddler(sink.topics)
    meddler.done(meddler.client.delete_consumer_groups([sink.group]))
    sink.clean(event("behind", "exit", NOW + 1))
    sink.worker.start()
    sink.wait_for("behind", NOW + 1, "exit")
    assert {row for row in sink.database.query(ROWS) if row[0] != "behind"} == before
    sink.check_rows()


def test_what_was_aborted_is_not_stored(sink):
    sink.clean(event("given-up", "enter", NOW))
    message = sink.topics.read(sink.topics.cleaned)[-1]
    value = message.value().replace(b"device_enter", b"device_exit")
    assert message.key() == b"given-up" and value != message.value()
    produce(sink.topics, [(message.key(), value)] * 10, is_committed=False)
    sink.clean(event("carried-on", "enter", NOW))
    sink.wait_for("carried-on", NOW, "enter")
    sink.check_rows()


def test_a_connection_that_was_cut_is_made_anew(sink):
    """As by a server that restarts."""
    sink.clean(event("cut", "enter", NOW))
    sink.wait_for("cut", NOW, "enter")
    cut, = sink.database.query(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()")[0]
    assert cut >= 1
    sink.clean(event("cut", "exit", NOW + 1))
    sink.wait_for("cut", NOW + 1, "exit")
    sink.check_rows()
