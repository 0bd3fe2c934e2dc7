from kafka_fixtures import admin, broker, own_broker  # noqa: F401
from postgres_fixtures import database, postgres_url  # noqa: F401
