import uuid

import pytest

from kafka_fixtures import admin, broker, own_broker  # noqa: F401
from postgres_fixtures import database, postgres_url  # noqa: F401


@pytest.fixture
def topics(broker, admin):  # noqa: F811
    from kafka_topics import Topics
    return Topics(broker, f"observe-{uuid.uuid4().hex[:8]}").create(admin, "LogAppendTime")
