"""What every test with PostgreSQL needs."""

import os
import uuid

import pytest


@pytest.fixture(scope="session")
def postgres_url():
    """url(database) of a server; DWELL_TEST_POSTGRES names one that runs already."""
    from postgres_server import PostgresServer
    if url := os.environ.get("DWELL_TEST_POSTGRES"):
        yield lambda database: url.rsplit("/", 1)[0] + "/" + database
        return
    server = PostgresServer()
    try:
        server.start()
        yield server.url
    finally:
        server.remove()


@pytest.fixture
def database(postgres_url):
    """An empty one of the test's own."""
    yield from make_database(postgres_url)


def make_database(url):
    from postgres_server import Database
    name = f"dwell_{uuid.uuid4().hex[:12]}"
    run_alone(url("postgres"), f"CREATE DATABASE {name}")
    yield Database(url(name))
    run_alone(url("postgres"), f"DROP DATABASE {name} WITH (FORCE)")


def run_alone(url, sql):
    """A statement that may not be in a transaction."""
    import psycopg2
    connection = psycopg2.connect(url)
    connection.autocommit = True
    connection.cursor().execute(sql)
    connection.close()
