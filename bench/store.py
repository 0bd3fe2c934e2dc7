"""How fast `dwell store` gets the cleaned topic into PostgreSQL, next to a plain COPY of the same rows.

Both write into the same table with its key, emptied before each run, on one server that is the bench's
own. The COPY is one transaction of rows in the binary format from a file, in the order of time, as the
events came. The clock of the store runs from the first commit that is seen to the last, looked
for every 5 ms: rows stored in between, a second; joining the group is left out. The stock JDBC sink of Kafka Connect is
timed in the same way, by the rows that are seen, over fewer of them.
"""

import statistics
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

from kafka import start_broker
from kafka_runs import PATIENCE_S, Bench, Failed, dwell_command, finish, running, say
from table import Row, span

ROOT = Path(__file__).resolve().parents[1]
WORK = "`dwell store`"
SINK_SHARE = 5  # of the rows are enough for the sink's rate, and it takes long
COLUMNS = "device_id, event_type, timestamp, rank, seq"
TABLE = f"device_events_cleaned ({COLUMNS})"


def start_server():
    sys.path.append(str(ROOT / "tests" / "model"))
    sys.path += map(str, (ROOT / "build" / "python" / "lib").glob("python3*/site-packages"))
    from postgres_server import PostgresServer
    server = PostgresServer()
    try:
        return server.start()
    except BaseException:
        server.remove()
        raise


def fill_cleaned(bench, events, devices):
    """The names of a cleaned, a state and a rejected topic, the first with a record for each event."""
    names = [bench.name(what) for what in ("events", "cleaned", "state", "rejected")]
    bench.tool("load", "create", *(f"{name}:1" for name in names[:2]), f"{names[2]}:1:compact",
               f"{names[3]}:1")
    bench.generate(names[0], events, devices, 0)
    group = bench.name("clean")
    folder = bench.folder / group
    with running("dwell clean", dwell_command(bench, names, group, folder), folder) as program:
        finish(bench.started_tool("watch", "commits", group, names[0]), [program])
        program.end()
    return names[1:]


def empty(database):
    """As after `dwell migrate up`, so that each run meets the same."""
    database.query("TRUNCATE device_events_cleaned, dwell_position, dwell_device, "
                   "dwell_device_position")
    run_alone(database, "VACUUM ANALYZE device_events_cleaned")
    run_alone(database, "CHECKPOINT")


def run_alone(database, sql):
    from postgres_fixtures import run_alone as alone
    alone(database.url, sql)


def rows_come(database, counting, rows, pause_s, check):
    """Rows a second from the first that are seen to the last of `rows`; `check` fails where they
    cannot come any more."""
    import psycopg2
    connection = psycopg2.connect(database.url)
    connection.autocommit = True
    cursor = connection.cursor()
    deadline = time.monotonic() + PATIENCE_S
    first = None
    while True:
        cursor.execute(counting)
        stored, now = cursor.fetchone()[0], time.monotonic()
        if stored and not first:
            first = stored, now
        if stored >= rows:
            break
        check()
        if now > deadline:
            raise Failed(f"stored {stored} of {rows} rows in {PATIENCE_S} s")
        time.sleep(pause_s)
    connection.close()
    if first[0] >= rows:
        raise Failed("all was stored at once: too few rows to tell the rate")
    return (stored - first[0]) / (now - first[1])


def store_once(bench, database, topics, rows):
    """Rows a second, and CPU seconds of the process for each row."""
    group = bench.name("store")
    folder = bench.folder / group
    command = [bench.build / "dwell", "store", "--brokers", bench.broker.address,
               "--topics-cleaned", topics[0], "--topics-state", topics[1], "--topics-rejected", topics[2],
               "--store-group", group, "--instance-folder", folder, "--database-url", database.url]
    with running("dwell store", command, folder) as program:
        rate = rows_come(
            database, "SELECT coalesce(sum(inserts), 0)::bigint FROM dwell_position", rows, 0.005,
            program.check)
        memory = program.peak_mib()
        cpu = program.end()
    say(f"store: {rate:,.0f} rows/s, {cpu / rows * 1e6:.2f} CPU s per M, {memory:.0f} MiB")
    return {"rate": rate, "cpu": cpu / rows}


def copy_once(database, file, rows):
    start = time.monotonic()
    subprocess.run(["psql", "-q", "-X", database.url, "-c",
                    f"\\copy {TABLE} from '{file}' with (format binary)"], check=True)
    rate = rows / (time.monotonic() - start)
    say(f"COPY: {rate:,.0f} rows/s")
    return rate


def sink_once(bench, database, topics, rows):
    """The stock sink over the first `rows` of the topic; from the first that are seen."""
    from connect_worker import ConnectWorker
    group = bench.name("sink")
    address = urllib.parse.urlsplit(database.url)
    worker = ConnectWorker(
        bench.folder / group, bench.broker.address, ROOT / "deploy" / "connect" / "sink.properties",
        {"SINK_TOPIC": topics[0], "SINK_GROUP": group,
         "SINK_DATABASE_URL": f"jdbc:postgresql://{address.hostname}:{address.port}{address.path}"
                              "?reWriteBatchedInserts=true",
         "SINK_DATABASE_USER": address.username, "SINK_DATABASE_PASSWORD": ""},
        heap="1g", jvm=("-XX:+UseSerialGC",))
    with worker:
        rate = rows_come(database, "SELECT count(*) FROM device_events_cleaned", rows, 0.05,
                         worker.is_running)
    say(f"sink: {rate:,.0f} rows/s")
    return rate


def measure(bench, server, options):
    from postgres_server import Database
    database = Database(server.url())
    rows = options.store_rows
    topics = fill_cleaned(bench, rows, options.kafka_devices)
    subprocess.run([bench.build / "dwell", "migrate", "up", "--database-url", database.url],
                   check=True, stdout=subprocess.DEVNULL)
    file = bench.folder / "rows"
    store_once(bench, database, topics, rows)  # makes the file, and warms up
    subprocess.run(["psql", "-q", "-X", database.url, "-c",
                    f"\\copy (SELECT {COLUMNS} FROM device_events_cleaned ORDER BY timestamp, seq) "
                    f"to '{file}' with (format binary)"], check=True)
    subprocess.run([ROOT / "scripts" / "install-connect"], check=True)
    ratios, to_sink = [], []
    for _ in range(options.rounds):
        empty(database)
        stored = store_once(bench, database, topics, rows)["rate"]
        empty(database)
        ratios.append(stored / copy_once(database, file, rows))
        empty(database)
        to_sink.append(stored / sink_once(bench, database, topics, rows // SINK_SHARE))
    yield Row(f"{WORK}, 1 partition, {rows:,} rows of {options.kafka_devices:,} devices: rows a second",
              "binary COPY of the same rows from a file, one transaction", "at least 0.85",
              span(ratios), statistics.median(ratios) >= 0.85)
    yield Row(f"{WORK}, the same: rows a second",
              "Debezium's JDBC sink 3.4.0 in Kafka Connect 4.1.0, batches of 3,000", "at least 5",
              span(to_sink), statistics.median(to_sink) >= 5)


def rows(build, folder, options):
    def not_measured(error):
        why = " ".join(str(error).replace("|", "/").split())[-300:]
        return Row(WORK, "", "", f"not measured: {why}", False)

    broker = server = None
    try:
        broker = start_broker(folder)
        server = start_server()
        yield from measure(Bench(build, folder, broker), server, options)
    except (Failed, AssertionError, subprocess.SubprocessError, OSError, ImportError) as error:
        yield not_measured(error)
    finally:
        if server:
            server.remove()
        if broker:
            broker.stop()
