"""Kills and cuts of `dwell store`, `dwell serve` and their database under load: the rows are those of the
topic, and so are the answers.

Each round is one scenario on a topic and a database of its own; rounds that kill the server take turns
on a server of theirs. DWELL_CHAOS_ROUNDS says how many rounds (30), DWELL_CHAOS_SEED repeats a run that
failed; it is printed with every failure.
"""

import collections
import concurrent.futures
import json
import os
import pathlib
import random
import re
import signal
import threading
import time
import urllib.parse
import uuid

import pytest

from dwell_cli import Dwell
from dwell_service import Service, path_of, rfc3339
from presence_model import parse_time as parsed
from kafka_fixtures import admin, broker, own_broker  # noqa: F401
from postgres_fixtures import make_database, postgres_url  # noqa: F401

ROUNDS = int(os.environ.get("DWELL_CHAOS_ROUNDS", "30"))
SEED = int(os.environ.get("DWELL_CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
PARTITIONS = 3
AT_A_TIME = 2  # rounds that leave the server alone
STEP_S = 0.02
PATIENCE_S = 90
COUNTS = ("inserts", "retracts", "absorbed", "faults", "rejected")
TYPES = ("device_enter", "device_exit")


def changes(rng):
    """(device, value, headers) for ever: inserts, copies, retracts of rows that are there and of
    others, and what is no event."""
    devices, seq = rng.choice([2, 40, 400]), collections.Counter()
    while True:
        device = f"d{rng.randrange(devices)}"
        if rng.random() < 0.02:
            yield device, b"garbage", []
            continue
        seq[device] += 1
        headers = [("seq", b"%d" % seq[device]), ("rank", b"%d" % rng.randrange(2))]
        if rng.random() < 0.25:
            headers.append(("op", b"retract"))
        payload = {"device_id": device, "event_type": rng.choice(TYPES),
                   "timestamp": rng.randrange(1, rng.choice([4, 100_000]))}
        yield device, json.dumps({"payload": payload}).encode(), headers


def judged(messages):
    """({(device, timestamp, type): (rank, seq)}, counts) of changes made one by one."""
    rows, counts = {}, collections.Counter()
    for message in messages:
        if message.value() == b"garbage":
            counts["rejected"] += 1
            continue
        payload, headers = json.loads(message.value())["payload"], dict(message.headers())
        key = payload["device_id"], payload["timestamp"], payload["event_type"]
        if "op" in headers:
            counts["retracts"] += 1
            counts["faults"] += rows.pop(key, None) is None
            continue
        counts["inserts"] += 1
        counts["absorbed"] += key in rows
        rows.setdefault(key, (int(headers["rank"]), int(headers["seq"])))
    return rows, [counts[name] for name in COUNTS]


def catches_sigterm(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    caught = int(re.search(r"^SigCgt:\s*([0-9a-f]+)$", status, re.MULTILINE)[1], 16)
    return caught >> (signal.SIGTERM - 1) & 1


class Load:
    """Changes at a bounded rate on a thread of its own, some of them in transactions."""

    def __init__(self, topics, rng):
        import confluent_kafka
        self.topics, self.rng, self.changes = topics, rng, changes(rng)
        self.rate, self.sent = rng.choice([200, 800]), 0
        self.is_over = threading.Event()
        self.error = None
        self.has_transactions = rng.random() < 0.5
        settings = {"bootstrap.servers": topics.broker.address, "linger.ms": 5,
                    "enable.idempotence": True}
        if self.has_transactions:
            settings["transactional.id"] = topics.name
        self.producer = confluent_kafka.Producer(settings)
        if self.has_transactions:
            self.producer.init_transactions(30)
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            self.produce()
        except Exception as error:  # told by what waits for progress
            self.error = error

    def produce(self):
        while not self.is_over.wait(STEP_S):
            if self.has_transactions:
                self.producer.begin_transaction()
            for _, (device, value, headers) in zip(range(max(1, int(self.rate * STEP_S))),
                                                   self.changes):
                self.producer.produce(self.topics.cleaned, value, device, headers=headers,
                                      partition=int(device[1:]) % PARTITIONS)
                self.sent += 1
            if not self.has_transactions:
                self.producer.poll(0)
            elif self.rng.random() < 0.1:
                self.producer.abort_transaction(30)
            else:
                self.producer.commit_transaction(30)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()

    def finish(self):
        self.__exit__()
        assert self.producer.flush(30) == 0


class Round:
    """What a scenario works with."""

    def __init__(self, number, broker, admin, server, url, folder):  # noqa: F811
        import confluent_kafka
        from kafka_topics import Topics
        from tcp_gate import TcpGate
        self.rng = random.Random(f"{SEED}-{number}")
        self.admin, self.server, self.folder = admin, server, folder
        self.topics = Topics(broker, f"store-{number}-{uuid.uuid4().hex[:8]}", PARTITIONS)
        self.topics.create(admin)
        self.databases = make_database(url)
        self.database = next(self.databases)
        self.gate = TcpGate(urllib.parse.urlsplit(self.database.url).port)
        self.url = self.database.url.replace(str(self.gate.target), str(self.gate.port), 1)
        self.processes = {}
        self.service = None
        self.reader = confluent_kafka.Consumer({
            "bootstrap.servers": broker.address, "group.id": "reader",
            "isolation.level": "read_uncommitted"})
        self.load = Load(self.topics, random.Random(f"{SEED}-{number}-load"))

    def start(self, name, group="store"):
        flags = ["--brokers", self.topics.broker.address, "--topics-cleaned", self.topics.cleaned,
                 "--topics-state", self.topics.state, "--topics-rejected", self.topics.rejected,
                 "--store-group", f"{self.topics.name}-{group}", "--database-url", self.url,
                 "--instance-id", name, "--clean-session-timeout", "6s",
                 "--batch-records", self.rng.choice(["50", "500", "100000"]),
                 "--store-threads", self.rng.choice(["1", "2"])]
        with open(self.folder / f"{name}.log", "ab") as log:
            self.processes[name] = Dwell(self.folder).start("store", *flags, stdout=log, stderr=log)

    def serve(self):
        """One `dwell serve`, asked on the way and in the end."""
        self.service = Service(self.folder, "--brokers", self.topics.broker.address,
                               "--topics-input", self.topics.input, "--topics-cleaned",
                               self.topics.cleaned, "--database-url", self.url, command="serve")
        return self.service.start()

    def ask(self):
        """What is answered is whole and in order, however much of it is there yet."""
        for _ in range(20):
            reply = self.service.get(path_of(f"d{self.rng.randrange(40)}"))
            if reply.status == 503:  # the way to the database is being cut
                continue
            assert reply.status == 200, reply
            times = [event["timestamp"] for event in reply.json["events"]]
            assert times == sorted(times, key=parsed)

    def kill(self, *names):
        for name in names:
            self.processes[name].kill()
        for name in names:
            self.processes.pop(name).wait()

    def pause(self):
        time.sleep(self.rng.random() * 0.6)

    def wait(self, condition, what):
        deadline = time.monotonic() + PATIENCE_S
        while True:
            assert self.load.error is None, (what, self.load.error)
            for name, process in self.processes.items():
                assert process.poll() is None, (what, name, process.returncode, self.said())
            try:
                if condition():
                    return
            except Exception as error:  # the server is away, or has no tables yet
                what = f"{what}: {error}"[:500]
            assert time.monotonic() < deadline, (what, self.said())
            time.sleep(0.05)

    def said(self):
        return "".join(f"\n== {path.name}\n{path.read_text()[-2_000:]}"
                       for path in self.folder.glob("*.log"))

    def stored(self):
        return int(self.database.query("SELECT coalesce(sum(inserts + retracts + rejected), 0) "
                                       "FROM dwell_position")[0][0])

    def wait_for_progress(self):
        before = []

        def has_grown():
            before.append(self.stored())
            return before[-1] > before[0]

        self.wait(has_grown, "no progress")

    def finish(self):
        self.load.finish()
        self.wait(self.is_all_stored, "does not reach the ends")
        # One that was started a moment ago may not even look out for signals.
        self.wait(lambda: all(map(catches_sigterm, self.processes.values())), "starts")
        for name, process in self.processes.items():
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_S) == 0, (name, self.said())
        self.processes = {}
        wanted, counts = judged(self.topics.read(self.topics.cleaned, PARTITIONS))
        found = {tuple(row[:3]): tuple(row[3:]) for row in self.database.query(
            "SELECT device_id, timestamp, event_type, rank, seq FROM device_events_cleaned")}
        assert found == wanted
        self.check_answers(wanted)
        sums = self.database.query(
            "SELECT " + ", ".join(f"sum({name})::bigint" for name in COUNTS) +
            " FROM dwell_position")[0]
        assert list(sums) == counts
        inserts, retracts, absorbed, faults, _ = sums
        assert inserts - (retracts - faults) == len(found) + absorbed
        # Each at least once, in the transaction's stead.
        assert len(self.topics.read(self.topics.rejected)) >= counts[-1]

    def check_answers(self, rows):
        if not self.service:
            return
        of_device = collections.defaultdict(list)
        for (device, ms, kind), (rank, _) in rows.items():
            of_device[device].append((ms, rank, kind))
        for device in list(of_device)[:50]:
            assert self.service.timeline(device) == [
                (kind.removeprefix("device_"), rfc3339(ms))
                for ms, _, kind in sorted(of_device[device])]
        self.service.stop()

    def is_all_stored(self):
        """Asks for the ends anew each time: the mark of a transaction may be written after its
        commit has returned."""
        import confluent_kafka
        ends = {number: self.reader.get_watermark_offsets(
            confluent_kafka.TopicPartition(self.topics.cleaned, number), timeout=30)[1]
            for number in range(PARTITIONS)}
        return dict(self.database.query("SELECT partition, next FROM dwell_position")) == ends

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill(*self.processes)
        if self.service:
            self.service.kill()
        self.gate.close()
        self.reader.close()
        next(self.databases, None)


def kill_store(chaos):
    chaos.start("one")
    for _ in range(chaos.rng.randrange(2, 6)):
        if chaos.rng.random() < 0.7:
            chaos.wait_for_progress()
        chaos.pause()
        chaos.kill("one")
        chaos.start("one")


def kill_serve(chaos):
    chaos.start("one")
    service = chaos.serve()
    for _ in range(chaos.rng.randrange(2, 6)):
        chaos.wait_for_progress()
        chaos.ask()
        service.kill()
        service.start()


def cut_connections(chaos):
    chaos.start("one")
    chaos.serve()
    for _ in range(chaos.rng.randrange(3, 10)):
        chaos.wait_for_progress()
        chaos.ask()
        chaos.gate.cut()
        chaos.ask()
    chaos.service.wait_ready()


def no_way_to_the_database(chaos):
    """From the start, and once more later."""
    chaos.gate.shut()
    chaos.start("one")
    chaos.wait(lambda: "trying again in" in chaos.said(), "says nothing")
    chaos.gate.open()
    chaos.wait_for_progress()
    chaos.gate.shut()
    chaos.pause()
    chaos.gate.open()


def two_that_both_want_all(chaos):
    """In groups of their own, so that each has every partition."""
    chaos.start("one", "a")
    chaos.wait_for_progress()
    chaos.start("two", "b")
    chaos.pause()
    for _ in range(chaos.rng.randrange(1, 4)):
        chaos.wait_for_progress()
        name, group = chaos.rng.choice([("one", "a"), ("two", "b")])
        chaos.kill(name)
        chaos.start(name, group)


def two_that_share(chaos):
    chaos.start("one")
    chaos.start("two")
    for _ in range(chaos.rng.randrange(1, 3)):
        chaos.wait_for_progress()
        name = chaos.rng.choice(["one", "two"])
        chaos.kill(name)
        chaos.pause()
        chaos.start(name)


def kill_server(chaos):
    chaos.start("one")
    for _ in range(chaos.rng.randrange(1, 4)):
        chaos.wait_for_progress()
        chaos.pause()
        if chaos.rng.random() < 0.5:
            chaos.server.kill()
        else:
            chaos.server.stop()
        chaos.pause()
        chaos.server.start()


def kill_all(chaos):
    chaos.start("one")
    chaos.start("two")
    service = chaos.serve()
    for _ in range(2):
        chaos.wait_for_progress()
        chaos.pause()
        chaos.server.kill()
        chaos.kill("one", "two")
        service.kill()
        chaos.server.start()
        service.start()
        chaos.start("one")
        chaos.start("two")


OF_THE_SERVER = (kill_server, kill_all)
SCENARIOS = (kill_store, kill_serve, kill_server, cut_connections, two_that_both_want_all, kill_all,
             two_that_share, no_way_to_the_database)


def scenario_of(number):
    return SCENARIOS[(SEED + number) % len(SCENARIOS)]


def run(number, broker, admin, server, url, folder):  # noqa: F811
    start = time.monotonic()
    with Round(number, broker, admin, server, url, folder) as chaos:
        with chaos.load:
            scenario_of(number)(chaos)
        chaos.finish()
    return time.monotonic() - start


@pytest.fixture(scope="module")
def outcomes(request, broker, admin, postgres_url, tmp_path_factory):  # noqa: F811
    """Every round that is asked for; a failure is told by its own test."""
    from postgres_server import PostgresServer
    numbers = [item.callspec.params["number"] for item in request.session.items
               if item.path == request.path and hasattr(item, "callspec")]
    killed = PostgresServer()
    try:
        killed.start()
        with (concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool,
              concurrent.futures.ThreadPoolExecutor(1) as alone):
            rounds = {}
            for number in numbers:
                is_alone = scenario_of(number) in OF_THE_SERVER
                server, url = (killed, killed.url) if is_alone else (None, postgres_url)
                rounds[number] = (alone if is_alone else pool).submit(
                    run, number, broker, admin, server, url,
                    tmp_path_factory.mktemp(f"round-{number}"))
            yield rounds
    finally:
        killed.remove()


@pytest.mark.parametrize("number", range(ROUNDS))
def test_round(outcomes, number):
    print(f"DWELL_CHAOS_SEED={SEED}, round {number}: {scenario_of(number).__name__}")
    print(f"{outcomes[number].result():.1f} s")
