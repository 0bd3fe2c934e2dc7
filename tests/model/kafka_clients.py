"""Clients of kafka-python, as every test makes them."""

# A broker takes connections before it answers them, by seconds where the machine is busy. By
# default kafka-python waits 1.6 s, takes it for one too old to say its versions, and gives up.
PATIENT = {"api_version_auto_timeout_ms": 60_000}


def admin_client(broker):
    from kafka.admin import KafkaAdminClient
    return KafkaAdminClient(bootstrap_servers=broker.address, **PATIENT)
