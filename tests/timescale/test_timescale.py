"""What Dwell does on a real TimescaleDB: its hypertable, those of others, and the questions."""

import itertools
import os
import pathlib
import subprocess

import pytest

from conftest import make_database
from dwell_cli import Dwell
from dwell_service import Service, rfc3339

HOUR = 3_600_000
DAY = 24 * HOUR
STEPS = ["0001_timeline", "0002_hypertable", "0003_retention", "0004_device"]

# What the document that Dwell replaces makes, with the table of its own migrations.
OLD = """
CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL);
INSERT INTO schema_migrations VALUES (1, false);
CREATE TABLE device_events_cleaned (
  device_id varchar(255), event_type varchar(50), timestamp bigint,
  PRIMARY KEY (device_id, timestamp));
"""
OLD_HYPERTABLE = """
CREATE EXTENSION timescaledb;
SELECT create_hypertable('device_events_cleaned', 'timestamp', chunk_time_interval => 3600000);
"""
# A row in each hour of two days, of five devices in turns.
OLD_ROWS = """
INSERT INTO device_events_cleaned
SELECT 'd' || i % 5, CASE i / 5 % 2 WHEN 0 THEN 'device_enter' ELSE 'device_exit' END, i * 3600000
FROM generate_series(0, 47) AS i
"""
ROWS = "SELECT device_id, event_type, timestamp FROM device_events_cleaned ORDER BY 1, 3, 2"

# What pg_dump would say of it: that of Debian refuses a newer server.
SCHEMA = {
    "tables": """SELECT relname, relkind::text FROM pg_class
        WHERE relnamespace = 'public'::regnamespace""",
    "columns": """SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod),
        attcollation::regcollation::text, attnotnull, pg_get_expr(adbin, adrelid)
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped""",
    "constraints": """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace""",
    "indexes": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "triggers": """SELECT tgrelid::regclass::text, pg_get_triggerdef(pg_trigger.oid)
        FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
        WHERE relnamespace = 'public'::regnamespace AND NOT tgisinternal""",
    "extensions": "SELECT extname, extversion FROM pg_extension",
}
DIMENSIONS = """SELECT hypertable_schema, hypertable_name, column_name, integer_interval
    FROM timescaledb_information.dimensions ORDER BY hypertable_name"""
HYPERTABLE = [("public", "device_events_cleaned", "timestamp", DAY)]
CHUNKS = """SELECT range_start_integer, range_end_integer FROM timescaledb_information.chunks
    WHERE hypertable_name = 'device_events_cleaned' ORDER BY 1"""


def schema(database):
    """Without the chunks, which are named anew each time."""
    found = {name: sorted(database.query(sql), key=repr) for name, sql in SCHEMA.items()}
    if any(name == "timescaledb" for name, _ in found["extensions"]):
        found["dimensions"] = database.query(DIMENSIONS)
    return found


@pytest.fixture
def migrate(database, tmp_path):
    """migrate(words...): the steps that stand when `dwell migrate` is done."""
    dwell = Dwell(tmp_path, DWELL_DATABASE_URL=database.url)

    def run(*words):
        lines = dwell.run("migrate", *words).out.splitlines()
        return [line.split()[0] for line in lines if not line.endswith("not run")]

    return run


def insert(database, *rows):
    for device, kind, timestamp in rows:
        database.query("INSERT INTO device_events_cleaned VALUES (%s, %s, %s)", device,
                       "device_" + kind, timestamp)


def test_there_and_back_with_rows(migrate, database):
    assert migrate("up") == STEPS
    assert database.query(DIMENSIONS) == HYPERTABLE
    insert(database, ("a", "enter", 0), ("a", "exit", DAY), ("b", "enter", DAY - 1),
           ("b", "exit", DAY - 1), ("c", "enter", 400 * DAY))
    assert database.query(CHUNKS) == [(0, DAY), (DAY, 2 * DAY), (400 * DAY, 401 * DAY)]
    assert migrate("down", "--steps", "2") == STEPS[:2]
    full, rows = schema(database), database.query(ROWS)
    assert migrate("down") == STEPS[:1]
    plain = schema(database)
    assert plain == {**full, "dimensions": [], "triggers": plain["triggers"]}
    assert database.query(ROWS) == rows
    assert migrate("up") == STEPS
    assert migrate("down", "--steps", "2") == STEPS[:2]
    assert schema(database) == full
    assert database.query(ROWS) == rows
    assert len(database.query(CHUNKS)) == 3
    # The way to nothing leaves the extension, which others may use by now.
    assert migrate("down", "--steps", str(len(STEPS))) == []
    assert [name for name, _ in schema(database)["tables"]] == []
    assert migrate("up") == STEPS
    assert migrate("down", "--steps", "2") == STEPS[:2]
    assert schema(database) == full


def test_a_plain_table_is_adopted(migrate, database):
    database.query(OLD)
    database.query(OLD_ROWS)
    database.query("CREATE EXTENSION timescaledb")
    before, rows = schema(database), database.query(ROWS)
    migrate("up")
    assert database.query(DIMENSIONS) == HYPERTABLE
    assert database.query(CHUNKS) == [(0, DAY), (DAY, 2 * DAY)]
    assert database.query(ROWS) == rows
    assert migrate("down", "--steps", str(len(STEPS))) == []
    assert database.query(ROWS) == rows
    assert schema(database) == before
    assert database.query("SELECT * FROM schema_migrations") == [(1, False)]


def test_a_hypertable_is_adopted(migrate, database):
    """Its chunks stay as they are; new ones get a day."""
    database.query(OLD)
    database.query(OLD_HYPERTABLE)
    database.query(OLD_ROWS)
    before, rows = schema(database), database.query(ROWS)
    hours = [(hour * HOUR, (hour + 1) * HOUR) for hour in range(48)]
    assert database.query(CHUNKS) == hours
    migrate("up")
    assert database.query(DIMENSIONS) == HYPERTABLE
    assert ("device_events_cleaned", "device_events_cleaned_pkey",
            'PRIMARY KEY (device_id, "timestamp", event_type)') in schema(database)["constraints"]
    assert database.query(ROWS) == rows
    insert(database, ("d0", "exit", 0), ("d0", "enter", 10 * DAY), ("d0", "exit", 11 * DAY - 1))
    assert database.query(CHUNKS) == [*hours, (10 * DAY, 11 * DAY)]
    database.query("DELETE FROM device_events_cleaned WHERE timestamp >= %s "
                   "OR (timestamp = 0 AND event_type = 'device_exit')", 10 * DAY)
    assert migrate("down", "--steps", str(len(STEPS))) == []
    assert database.query(ROWS) == rows
    assert schema(database) == before
    assert database.query(CHUNKS)[:48] == hours
    assert database.query("SELECT * FROM schema_migrations") == [(1, False)]


def test_the_store_keeps_its_contract(database):
    """COPY, retracts and conflicts into chunks. This server has one session behind all connections:
    none can be cut, a reader has one, and who writes would wait for the end of a view."""
    left_out = ["ACutConnection", "AServerThatTakesNoWrites", "AViewIsOneMoment"]
    done = subprocess.run(
        [os.environ["DWELL_POSTGRES_TESTS"],
         "--gtest_filter=-PgPoolTest.*:" + ":".join(f"*.{name}*" for name in left_out)],
        env={**os.environ, "DWELL_TEST_POSTGRES": database.url, "DWELL_TEST_CONNECTIONS": "1"},
        capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, (done.stdout + done.stderr)[-20_000:]
    assert "[  PASSED  ] 0 tests" not in done.stdout
    assert ("timescaledb",) in database.query("SELECT extname FROM pg_extension")


@pytest.fixture(scope="module")
def service(timescale, tmp_path_factory):
    """`dwell serve` on rows of twenty days: d0 to d8 enter and leave three times a day, and those
    of even numbers leave at last; d9 came and left on the first day alone, e0 repeats itself."""
    database, folder = make_database(timescale), tmp_path_factory.mktemp("serve")
    Dwell(folder).run("migrate", "up", "--database-url", database.url)
    database.query("""
        INSERT INTO device_events_cleaned (device_id, event_type, timestamp, rank, seq)
        SELECT 'd' || d, CASE i % 2 WHEN 0 THEN 'device_enter' ELSE 'device_exit' END,
               i * 14400000::bigint + d, i + 1, i + 1
        FROM generate_series(0, 8) AS d, generate_series(0, 119 - d % 2) AS i""")
    insert(database, ("d9", "enter", HOUR), ("d9", "exit", HOUR),  # of one millisecond
           ("e0", "enter", 0), ("e0", "exit", DAY), ("e0", "enter", 5 * DAY),
           ("e0", "enter", 9 * DAY), ("e0", "heartbeat", 19 * DAY))
    assert len(database.query(CHUNKS)) == 20
    # No question needs the broker.
    with Service(folder, "--brokers", "127.0.0.1:1", "--serve-connections", "1",
                 "--database-url", database.url, command="serve").start(is_ready=False) as one:
        yield one
        one.stop()


def pages(service, target, member):
    """What all pages of an answer hold."""
    found, cursor = [], ""
    while cursor is not None:
        reply = service.get(target + cursor)
        assert reply.status == 200, reply
        found += reply.json[member]
        cursor = f"&cursor={reply.json['next']}" if "next" in reply.json else None
    return found


def test_timelines_across_chunks(service):
    wanted = [(kind, rfc3339(i * 4 * HOUR + 3)) for i, kind in
              zip(range(119), itertools.cycle(["enter", "exit"]))]
    for limit, order in itertools.product((1_000, 7), ("asc", "desc")):
        events = pages(service, f"/timeline/d3?limit={limit}&order={order}", "events")
        assert [(event["eventType"].removeprefix("device_"), event["timestamp"])
                for event in events] == wanted[::1 if order == "asc" else -1]
    part = f"?start={rfc3339(DAY)}&end={rfc3339(3 * DAY)}"
    assert service.timeline("d3", part) == wanted[6:18]
    assert [kind for kind, _ in service.timeline("d9")] == ["enter", "exit"]


def test_presence_across_chunks(service):
    def inside(at, limit):
        devices = pages(service, f"/presence?at={rfc3339(at)}&limit={limit}", "devices")
        return [(one["deviceID"], one["since"]) for one in devices]

    since = 118 * 4 * HOUR
    now = [(f"d{d}", rfc3339(since + d)) for d in (1, 3, 5, 7)] + [("e0", rfc3339(5 * DAY))]
    for limit in (1_000, 2):
        assert inside(20 * DAY, limit) == now
        assert inside(0, limit) == [("d0", rfc3339(0)), ("e0", rfc3339(0))]
        assert inside(DAY + 8, limit) == [(f"d{d}", rfc3339(DAY + d)) for d in range(9)]


def test_devices_across_chunks(service):
    def device(name):
        reply = service.get(f"/devices/{name}")
        return [reply.json.get(member) for member in ("state", "since", "firstSeen")]

    assert device("d2") == ["outside", rfc3339(119 * 4 * HOUR + 2), rfc3339(2)]
    assert device("d3") == ["inside", rfc3339(118 * 4 * HOUR + 3), rfc3339(3)]
    assert device("e0") == ["inside", rfc3339(5 * DAY), rfc3339(0)]
    assert service.get("/devices/nobody").status == 404


def test_a_plain_table_becomes_a_hypertable_later(migrate, database, tmp_path):
    """As where TimescaleDB came after Dwell: with its rows, and once more changes nothing."""
    migrate("up")
    made = schema(database)
    root = pathlib.Path(__file__).resolve().parents[2]
    database.query((root / "db" / "postgres" / "0002_hypertable.down.sql").read_text())
    assert database.query(DIMENSIONS) == []
    database.query(OLD_ROWS.replace("device_events_cleaned", "device_events_cleaned "
                                    "(device_id, event_type, timestamp)"))
    rows = database.query(ROWS)
    dwell = Dwell(tmp_path, DWELL_DATABASE_URL=database.url)
    for _ in range(2):
        assert "is a hypertable" in dwell.run("migrate", "hypertable").out
        assert database.query(DIMENSIONS) == HYPERTABLE
        assert database.query(ROWS) == rows and len(rows) == 48
        assert schema(database) == made
