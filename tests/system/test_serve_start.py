"""`dwell serve` at its start: its connections to PostgreSQL are open when it says that it is ready.
It needs no brokers for that."""

import pytest

from dwell_service import Service, wait_until
from postgres_server import Database, PostgresServer


def serve(folder, url, *flags):
    """Not started yet. Its connections are named serve_start."""
    return Service(folder, "--brokers", "127.0.0.1:1", "--database-url",
                   f"{url}?application_name=serve_start", *flags, command="serve")


def connections(database):
    return database.query("SELECT count(*) FROM pg_stat_activity WHERE application_name = "
                          "'serve_start'")[0][0]


@pytest.mark.parametrize("count", [1, 8, 20])
def test_its_connections_are_open_when_it_is_ready(database, tmp_path, count):
    with serve(tmp_path, database.url, "--serve-connections", str(count)) as service:
        assert connections(database) >= count  # the one that looked at the tables may be there yet
        warnings = service.get("/readyz").json.get("warnings", [])
        assert not any("serve.connections" in text for text in warnings), warnings
        wait_until(lambda: connections(database) == count)
        assert service.timeline("a") == []
        service.stop()


def test_it_is_ready_with_the_connections_that_it_gets(database, tmp_path):
    """It asks for eight, and the server gives its role two."""
    with serve(tmp_path, database.url) as service:
        service.stop()  # it has made the tables
    database.query("DROP ROLE IF EXISTS two")
    database.query("CREATE ROLE two LOGIN CONNECTION LIMIT 2")
    database.query("GRANT SELECT ON ALL TABLES IN SCHEMA public TO two")
    try:
        url = database.url.replace("//dwell@", "//two@")
        with serve(tmp_path, url, "--database-migrate", "no") as service:
            warnings = service.get("/readyz").json.get("warnings", [])
            assert any("2 of 8 connections" in text and "serve.connections" in text
                       for text in warnings), warnings
            assert [service.timeline(device) for device in "abc"] == [[], [], []]
            service.stop()
    finally:
        database.query("DROP OWNED BY two; DROP ROLE two")


def test_its_connections_are_open_again_when_a_database_that_was_away_is_back(tmp_path):
    server = PostgresServer()
    try:
        database = Database(server.url())
        with serve(tmp_path, server.url()).start(is_ready=False) as service:
            reply = service.get("/readyz")
            assert reply.status == 503 and "serve:" in reply.text, reply
            wait_until(lambda: "127.0.0.1" in service.get("/readyz").text)
            for _ in range(2):
                server.start()
                service.wait_ready()
                assert connections(database) >= 8
                server.stop()
                wait_until(lambda: service.get("/readyz").status == 503)
            service.stop()
    finally:
        server.remove()
