import uuid

import pytest


@pytest.fixture(scope="session")
def timescale():
    """A server with TimescaleDB."""
    from kafka_fixtures import need
    from timescale_server import TimescaleServer
    need("install-timescale")
    server = TimescaleServer()
    try:
        yield server.start()
    finally:
        server.remove()


@pytest.fixture
def database(timescale):
    """An empty one of the test's own."""
    return make_database(timescale)


def make_database(timescale):
    from postgres_server import Database
    return Database(timescale.url(f"dwell_{uuid.uuid4().hex[:12]}"))
