"""`dwell migrate` on real databases: there and back, adopted ones, two at once, and killed."""

import threading
import time

import psycopg2
import pytest

from dwell_cli import Dwell
from postgres_fixtures import database, postgres_url  # noqa: F401

STEPS = ["0001_timeline", "0002_hypertable", "0003_retention", "0004_device"]

# What the document that Dwell replaces makes, with the table of its own migrations.
OLD = """
CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL);
INSERT INTO schema_migrations VALUES (1, false);
CREATE TABLE device_events_cleaned (
  device_id varchar(255) NOT NULL, event_type varchar(64), timestamp bigint NOT NULL,
  PRIMARY KEY (device_id, timestamp));
INSERT INTO device_events_cleaned VALUES
  ('cam-1', 'device_enter', 1000), ('cam-1', 'device_exit', 2000), ('cam-2', 'heartbeat', 1500);
"""
ROWS = "SELECT device_id, event_type, timestamp FROM device_events_cleaned ORDER BY 1, 3"


@pytest.fixture
def migrate(database, tmp_path):  # noqa: F811
    """migrate(words...): the answer of `dwell migrate`, with the address in the environment."""
    dwell = Dwell(tmp_path, DWELL_DATABASE_URL=database.url)
    return lambda *words, **options: dwell.run("migrate", *words, **options)


def run_steps(answer):
    """The steps that an answer says were run."""
    lines = [line.split(None, 1) for line in answer.out.splitlines()]
    assert [name for name, _ in lines] == STEPS
    return [name for name, when in lines if when != "not run"]


def test_there_and_back(migrate, database):  # noqa: F811
    """Each step down leaves what was before its up, and up again gives the same."""
    empty = database.schema()
    migrate("up")
    full = database.schema()
    below = [full]
    for left in range(len(STEPS) - 1, -1, -1):
        assert run_steps(migrate("down")) == STEPS[:left]
        below.append(database.schema())
    assert below[-1] == empty
    assert run_steps(migrate("status")) == []
    assert run_steps(migrate("up")) == STEPS
    assert database.schema() == full
    assert run_steps(migrate("up")) == STEPS
    migrate("down", "--steps", "1000")
    assert database.schema() == empty


def test_an_old_database_is_adopted(migrate, database):  # noqa: F811
    database.query(OLD)
    before, rows = database.schema(), database.query(ROWS)
    migrate("up")
    assert database.query(ROWS) == rows
    assert database.query("SELECT DISTINCT rank, seq FROM device_events_cleaned") == [(0, None)]
    # The two of one millisecond that the old key kept apart.
    database.query("INSERT INTO device_events_cleaned VALUES ('cam-1', 'device_exit', 1000)")
    database.query("DELETE FROM device_events_cleaned WHERE timestamp = 1000 "
                   "AND event_type = 'device_exit'")
    assert database.query("SELECT value FROM dwell_fact WHERE name = 'adopted_rows'") == [("3",)]
    migrate("down", "--steps", str(len(STEPS)))
    assert database.query(ROWS) == rows
    assert database.schema() == before
    assert database.query("SELECT * FROM schema_migrations") == [(1, False)]


def test_two_at_once_take_turns(database, tmp_path):  # noqa: F811
    dwell = Dwell(tmp_path, DWELL_DATABASE_URL=database.url)
    processes = [dwell.start("migrate", "up") for _ in range(4)]
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, (out, err)
    assert database.query("SELECT name FROM dwell_migration ORDER BY step") == [
        (step,) for step in STEPS]


def test_killed_in_a_step_it_leaves_nothing_of_it(migrate, database, tmp_path):  # noqa: F811
    database.query(OLD)
    before = database.schema()
    holder = psycopg2.connect(database.url)
    holder.cursor().execute("LOCK TABLE device_events_cleaned IN ACCESS SHARE MODE")
    process = Dwell(tmp_path, DWELL_DATABASE_URL=database.url).start("migrate", "up")
    waits = ("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
             "AND datname = current_database()")
    deadline = time.monotonic() + 30
    while database.query(waits) == [(0,)]:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.communicate()
    holder.rollback()
    # The server notices that nobody waits for the answer once it has the lock.
    finished = threading.Event()
    while database.query("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dwell' "
                         "AND datname = current_database()") != [(0,)]:
        assert time.monotonic() < deadline
        finished.wait(0.02)
    assert database.schema() == before
    assert run_steps(migrate("up")) == STEPS
    holder.close()


def test_a_newer_database_is_refused(migrate, database):  # noqa: F811
    migrate("up")
    database.query("INSERT INTO dwell_migration (step, name) VALUES (99, '0099_later')")
    answer = migrate("up", status=2)
    assert "newer release" in answer.err and "layout 99" in answer.err


def test_an_address_where_nobody_is(tmp_path):
    answer = Dwell(tmp_path).run("migrate", "status", "--database-url",
                                 "postgresql://u:secret-word@127.0.0.1:1/x", status=1)
    assert "127.0.0.1" in answer.err and "secret-word" not in answer.err
