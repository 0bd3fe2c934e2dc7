"""What the tests of the distributed runtime share."""
import uuid

import pytest

from kafka_fixtures import admin, broker, own_broker  # noqa: F401
from postgres_fixtures import database, postgres_url  # noqa: F401


@pytest.fixture
def topics(request, broker, admin):  # noqa: F811
    """Topics of this test alone, whose records carry the broker's time."""
    from kafka_topics import Topics
    name = request.module.__name__.removeprefix("test_").replace("_", "-")
    return Topics(broker, f"{name}-{uuid.uuid4().hex[:8]}").create(admin, "LogAppendTime")
