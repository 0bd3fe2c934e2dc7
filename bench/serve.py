"""How `dwell serve` answers from PostgreSQL, next to pgbench asking the same, and how long an event
takes from the input topic to an answer over HTTP.

pgbench speaks the protocol of PostgreSQL and throws the rows away; what `dwell serve` adds is HTTP, JSON
and wrk as its client. Both sides have the machine and the server to themselves, in turns.
"""

import http.client
import json
import re
import statistics
import subprocess
import threading
import time

from kafka import start_broker
from kafka_runs import Bench, Failed, finish, say
from service import load, running
from store import start_server
from table import Row, output_of, span

DEVICES = 20_000
ROWS_EACH = 100
LIMIT = 50
SECONDS = 5
CLIENTS = (2, 4, 8, 16, 32)  # of pgbench; wrk has what was best for a service (32)
CONNECTIONS = 32

RATES = (1_000, 10_000)
LATENCY_DEVICES = 10_000
LATENCY_SECONDS = 10
PROBES_A_SECOND = 20
WARM_S = 5  # until the load is at its full rate

QUERY = """\\set number random(0, {last})
SELECT timestamp, rank, event_type, seq FROM device_events_cleaned
WHERE device_id = 'cam-' || lpad((:number)::text, 6, '0')
AND timestamp BETWEEN 0 AND 253402300799999
ORDER BY timestamp FETCH FIRST {limit} ROWS WITH TIES;
"""


def fill(database):
    say(f"making {DEVICES * ROWS_EACH:,} rows of {DEVICES:,} devices")
    database.query(
        "INSERT INTO device_events_cleaned (device_id, event_type, timestamp, rank, seq) "
        "SELECT 'cam-' || lpad(d::text, 6, '0'), "
        "CASE WHEN i %% 2 = 0 THEN 'device_enter' ELSE 'device_exit' END, "
        "1577836800000 + i * 1000, i + 1, i + 1 "
        "FROM generate_series(0, %s - 1) AS d, generate_series(0, %s - 1) AS i",
        DEVICES, ROWS_EACH)
    from postgres_fixtures import run_alone
    run_alone(database.url, "VACUUM ANALYZE device_events_cleaned")


def pgbench(database, script, clients):
    from postgres_server import programs
    done = subprocess.run(
        [programs() / "pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T",
         str(SECONDS), "-f", script, database.url], capture_output=True, text=True, check=True)
    return float(re.search(r"tps = ([0-9.]+)", done.stdout)[1])


def get_row(build, folder, database, rounds):
    fill(database)
    # One more than asked for, as a page does to know whether there is a next one.
    script = folder / "get.sql"
    script.write_text(QUERY.format(last=DEVICES - 1, limit=LIMIT + 1))
    rates = {clients: pgbench(database, script, clients) for clients in CLIENTS}
    best = max(rates, key=rates.get)
    say("pgbench: " + ", ".join(f"{c} clients {r:,.0f}/s" for c, r in rates.items()))
    ratios = []
    with running(build / "dwell", "serve", "--listen", "127.0.0.1:0", "--database-url", database.url,
                 "--brokers", "127.0.0.1:1") as server:
        server.wait_ready()
        load(server, CONNECTIONS, "get.lua", DEVICES, LIMIT)
        for _ in range(rounds):
            floor = pgbench(database, script, best)
            own = load(server, CONNECTIONS, "get.lua", DEVICES, LIMIT)
            say(f"pgbench {floor:,.0f}/s; dwell serve {own['rate']:,.0f}/s, "
                f"p99 {own['p99_us'] / 1e3:.2f} ms")
            ratios.append(own["rate"] / floor)
    return Row(f"`dwell serve`: GET of {LIMIT} events of {DEVICES:,} devices, a second",
               f"pgbench -M prepared, the same query, {best} clients", "at least 0.7", span(ratios),
               statistics.median(ratios) >= 0.7)


class Probes:
    """Events of devices of their own, sent beside the load, each asked for over HTTP until it shows."""

    def __init__(self, address, topic, server):
        import confluent_kafka
        self.producer = confluent_kafka.Producer({"bootstrap.servers": address, "linger.ms": 0})
        self.topic, self.server = topic, server
        self.taken_ms = []
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        connection = http.client.HTTPConnection(self.server.host, self.server.port, timeout=60)
        number = 0
        self.is_over.wait(WARM_S)
        while not self.is_over.wait(1 / PROBES_A_SECOND):
            device = f"{self.topic}-{number}"  # the database may know those of another run
            number += 1
            event = {"device_id": device, "event_type": "device_enter",
                     "timestamp": int(time.time() * 1000)}
            start = time.monotonic()
            self.producer.produce(self.topic, json.dumps(event), device)
            self.producer.poll(0)
            while True:
                connection.request("GET", f"/timeline/{device}")
                if json.loads(connection.getresponse().read())["events"]:
                    break
                time.sleep(0.001)
            self.taken_ms.append((time.monotonic() - start) * 1e3)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()


def latency_row(bench, build, database, rate):
    """From the moment an event is sent to the answer that shows it."""
    group = bench.name("system")
    names = [f"{group}-{role}:1" for role in ("events", "cleaned", "state", "rejected")]
    names[2] += ":compact"
    folder = bench.folder / group
    folder.mkdir()
    with bench.topics(*names) as made:
        flags = ["--brokers", bench.broker.address, "--topics-input", made[0], "--topics-cleaned",
                 made[1], "--topics-state", made[2], "--topics-rejected", made[3], "--clean-group",
                 group, "--store-group", group + "-store", "--instance-folder", folder,
                 "--database-url", database.url]
        with running(build / "dwell", "run", "--listen", "127.0.0.1:0", *flags) as server:
            server.wait_ready()
            watch = bench.started_tool("watch", "latency", *made[:2], LATENCY_DEVICES, rate,
                                       LATENCY_SECONDS)
            with Probes(bench.broker.address, made[0], server) as probes:
                finish(watch, [])
    taken = sorted(probes.taken_ms)
    p50, p99 = taken[len(taken) // 2], taken[len(taken) * 99 // 100]
    say(f"{rate:,}/s: {len(taken)} probes, p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    return Row(f"from the topic to an answer over HTTP at {rate:,} events a second, {len(taken)} probes",
               "", "reported", f"p50 {p50:.0f} ms, p99 {p99:.0f} ms", True)


def rows(build, folder, options):
    server = broker = None
    try:
        server = start_server()
        from postgres_server import Database
        database = Database(server.url())
        output_of(str(build / "dwell"), "migrate", "up", "--database-url", database.url)
        yield get_row(build, folder, database, options.rounds)
        database.query("TRUNCATE device_events_cleaned, dwell_position")
        broker = start_broker(folder)
        bench = Bench(build, folder, broker)
        for rate in RATES:
            yield latency_row(bench, build, database, rate)
    except (Failed, AssertionError, subprocess.SubprocessError, OSError, ImportError) as error:
        why = " ".join(str(error).replace("|", "/").split())[-300:]
        yield Row("`dwell serve`", "", "", f"not measured: {why}", False)
    finally:
        if broker:
            broker.stop()
        if server:
            server.remove()
