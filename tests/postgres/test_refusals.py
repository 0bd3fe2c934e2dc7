"""What Dwell says of a database that it cannot use: at once or again and again, and no secrets."""

import os
import pathlib
import shutil

import pytest

from dwell_cli import Dwell
from postgres_fixtures import database, postgres_url, run_alone  # noqa: F401

SECRET = "SEKRIT"
NOT_UNDERSTOOD = [
    "postgresql://dwell:pa@SEKRIT@127.0.0.1/dwell", "postgresql://dwell:SEKRIT@[::1/dwell",
    "postgresql://dwell:SEKRIT%zz@h/d", "host=h password=my SEKRIT dbname=d",
    "postgresql://dwell:pa/SEKRIT@h/d", "postgresql://dwell:SEKRIT", "dwell:SEKRIT@h"]
COMMANDS = [("migrate", "up"), ("migrate", "status"), ("migrate", "hypertable"),
            ("store", "reset"), ("store",), ("serve", "--listen", "127.0.0.1:0")]


@pytest.mark.parametrize("url", NOT_UNDERSTOOD)
def test_an_address_that_is_none_is_refused_without_a_part_of_it(tmp_path, url):
    for command in COMMANDS:
        answer = Dwell(tmp_path, DWELL_DATABASE_URL=url, DWELL_BROKERS="127.0.0.1:1").run(
            *command, status=2)
        assert SECRET not in answer.err + answer.out, command
        assert "database.url: not an address" in answer.err


def test_the_password_for_a_server_that_is_away_is_not_told(tmp_path):
    """Of a password in the address, in the environment and in a file, where nothing answers."""
    passfile = tmp_path / "pass"
    passfile.write_text(f"*:*:*:*:{SECRET}\n")
    passfile.chmod(0o600)
    url = "postgresql://u@127.0.0.1:1/x"
    for address, more in [(url.replace("u@", f"u:{SECRET}@"), {}), (url, {"PGPASSWORD": SECRET}),
                          (url, {"PGPASSFILE": str(passfile)})]:
        answer = Dwell(tmp_path, **more).run("migrate", "up", "--database-url", address, status=1)
        assert SECRET not in answer.err and "127.0.0.1" in answer.err


def test_another_encoding_is_refused_at_the_start(postgres_url, tmp_path):  # noqa: F811
    run_alone(postgres_url("postgres"), "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' "
                                        "TEMPLATE template0")
    run_alone(postgres_url("postgres"), "CREATE DATABASE bytes ENCODING 'SQL_ASCII' LOCALE 'C' "
                                        "TEMPLATE template0")
    try:
        for command in (["migrate", "up"], ["store", "--brokers", "127.0.0.1:1"]):
            answer = Dwell(tmp_path).run(*command, "--database-url", postgres_url("latin"), status=2)
            assert "LATIN1" in answer.err and "ENCODING 'UTF8'" in answer.err
        Dwell(tmp_path).run("migrate", "up", "--database-url", postgres_url("bytes"))
    finally:
        for name in ("latin", "bytes"):
            run_alone(postgres_url("postgres"), f"DROP DATABASE {name}")


def with_extension(server, name, script):
    """A server with one extension more: its programs where a share folder of its own is beside."""
    from postgres_server import programs
    bin_folder = programs()
    root = server.folder / "usr"
    here = root / bin_folder.relative_to("/usr")
    here.mkdir(parents=True)
    shutil.copy(bin_folder / "postgres", here)
    (here.parent / "lib").symlink_to(bin_folder.parent / "lib")
    share = pathlib.Path("/usr/share/postgresql") / bin_folder.parent.name
    own = root / share.relative_to("/usr")
    (own / "extension").mkdir(parents=True)
    for one in share.iterdir():
        if one.name != "extension":
            (own / one.name).symlink_to(one)
    for one in (share / "extension").iterdir():
        (own / "extension" / one.name).symlink_to(one)
    (own / "extension" / f"{name}.control").write_text("default_version = '1'\ncomment = 'x'\n")
    (own / "extension" / f"{name}--1.sql").write_text(script)
    server.programs = here
    return server


def test_timescaledb_that_is_installed_and_not_loaded(tmp_path):
    """Making it an extension would end the connection, as the real one does."""
    from postgres_server import Database, PostgresServer
    server = PostgresServer()
    try:
        with_extension(server, "timescaledb", "SELECT pg_terminate_backend(pg_backend_pid());\n")
        os.chmod(server.folder, 0o755)
        server.start()
        database = Database(server.url())  # noqa: F811
        assert database.query("SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'")
        dwell = Dwell(tmp_path, DWELL_DATABASE_URL=server.url())
        answer = dwell.run("migrate", "up")
        assert "shared_preload_libraries" in answer.err
        assert "dwell migrate hypertable" in answer.err
        assert database.query("SELECT value FROM dwell_fact WHERE name = 'hypertable'") == []
        answer = dwell.run("migrate", "hypertable", status=2)
        assert "stays a plain one" in answer.err and "shared_preload_libraries" in answer.err
        # Who may not see what is loaded, either.
        database.query("CREATE ROLE plain LOGIN; CREATE SCHEMA own AUTHORIZATION plain; "
                       "ALTER ROLE plain SET search_path = own; "
                       "GRANT CREATE ON DATABASE postgres TO plain")
        url = server.url().replace("//dwell@", "//plain@")
        assert "shared_preload_libraries" in dwell.run("migrate", "up", "--database-url", url).err
    finally:
        server.remove()


def test_a_step_that_ends_the_connection_leaves_nothing_and_is_told(database, tmp_path):  # noqa: F811
    """As any FATAL of a server in the middle of a step would."""
    database.query("""
        CREATE FUNCTION cut() RETURNS event_trigger LANGUAGE plpgsql AS
        $$ BEGIN IF to_regclass('dwell_device') IS NOT NULL
           THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; END $$;
        CREATE EVENT TRIGGER cut ON ddl_command_end EXECUTE FUNCTION cut()""")
    dwell = Dwell(tmp_path, DWELL_DATABASE_URL=database.url)
    answer = dwell.run("migrate", "up", status=1)
    assert "0004_device" in answer.err and "terminating connection" in answer.err
    assert database.query("SELECT max(step) FROM dwell_migration") == [(3,)]
    database.query("DROP EVENT TRIGGER cut")
    dwell.run("migrate", "up")


@pytest.mark.parametrize("table", ["device_events_cleaned", "dwell_position", "dwell_fact",
                                   "dwell_device_position", "dwell_migration"])
def test_a_table_that_a_crash_would_empty_is_refused(database, tmp_path, table):  # noqa: F811
    dwell = Dwell(tmp_path, DWELL_DATABASE_URL=database.url)
    dwell.run("migrate", "up")
    database.query(f"ALTER TABLE {table} SET UNLOGGED")
    for command in (["migrate", "up"], ["store", "--brokers", "127.0.0.1:1"]):
        answer = dwell.run(*command, status=2)
        assert f"ALTER TABLE {table} SET LOGGED" in answer.err, command
    database.query(f"ALTER TABLE {table} SET LOGGED")
    dwell.run("migrate", "up")


def test_a_lock_on_the_steps_does_not_hold_up_their_status(database, tmp_path):  # noqa: F811
    import psycopg2
    dwell = Dwell(tmp_path, DWELL_DATABASE_URL=database.url)
    dwell.run("migrate", "up")
    holder = psycopg2.connect(database.url)
    holder.cursor().execute("LOCK TABLE dwell_migration")
    answer = dwell.run("migrate", "status", status=1)
    assert "lock timeout" in answer.err and "pg_stat_activity" in answer.err
    holder.close()
    dwell.run("migrate", "status")


ODD_LAYOUTS = [
    ("CREATE TABLE device_events_cleaned (device_id text, event_type text, timestamp bigint); "
     "INSERT INTO device_events_cleaned VALUES ('a', 'device_enter', 1), ('a', 'device_enter', 1)",
     "HAVING count(*) > 1"),
    ("CREATE TABLE dwell_fact (a int)", "not as Dwell's steps made them"),
    ("CREATE TABLE dwell_migration (a int)", "not as Dwell's steps made them"),
]


@pytest.mark.parametrize("layout, mend", ODD_LAYOUTS)
def test_a_layout_that_no_step_fits_is_told_with_its_mend(database, tmp_path, layout, mend):  # noqa: F811
    database.query(layout)
    answer = Dwell(tmp_path, DWELL_DATABASE_URL=database.url).run("migrate", "up", status=1)
    assert mend in answer.err
