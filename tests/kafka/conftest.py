from kafka_fixtures import admin, broker, own_broker  # noqa: F401
