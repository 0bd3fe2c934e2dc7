from system_fixtures import (  # noqa: F401
    admin, broker, database, own_broker, postgres_url, topics)
