"""`dwell store` says on /metrics what it has stored, as `dwell clean` says what it has committed."""

import time

from dwell_service import wait_until
from dwell_system import system
from test_database_stalls import STORE, STORED, lock, produce


STORE_STAGE = 'stage="store"'


def test_what_is_stored_is_counted(topics, database, tmp_path):
    import confluent_kafka
    with system(tmp_path, topics, database.url, *STORE) as service:
        produce(topics, 1, 2, 3)
        producer = confluent_kafka.Producer({"bootstrap.servers": topics.broker.address})
        producer.produce(topics.cleaned, "no change", "d", 0)
        assert producer.flush(30) == 0
        produce(topics, 4)
        wait_until(lambda: database.query(STORED) == [(4,)])

        def counted():
            metrics = service.metrics()
            return (metrics.get(f'dwell_records_total{{outcome="stored",{STORE_STAGE}}}'),
                    metrics.get(f'dwell_records_total{{outcome="not_cleaned",{STORE_STAGE}}}'))

        wait_until(lambda: counted() == (4, 1))
        metrics = service.metrics()

        def of_store(name):
            return metrics[f"dwell_{name}{{{STORE_STAGE}}}"]

        assert 1 <= of_store("batches_total") <= 5
        assert of_store("commit_seconds_count") == of_store("batches_total")
        assert of_store("partitions") == topics.partitions
        assert of_store("store_inserts_total") == of_store("end_to_end_seconds_count") == 4
        assert of_store("rejects_kept_total") == 1 and of_store("store_absorbed_total") == 0
        assert of_store("restore_seconds_count") == of_store("rebalances_total") == 1


def described(service, topics, *flags):
    """What `dwell topics describe` says of the group of the store."""
    said = service.dwell.run("topics", "describe", "--json", *topics.names(),
                             "--store-group", topics.name + "-store", *flags)
    return said, [group for group in said.json["groups"] if group["group"] == topics.name + "-store"]


def test_topics_describe_knows_how_far_the_store_is(topics, database, tmp_path):
    def partition():
        (group,) = described(service, topics, "--database-url", database.url)[1]
        assert group["topic"] == topics.cleaned and group["members"] == 1
        (partition,) = group["partitions"]
        return partition

    with system(tmp_path, topics, database.url, *STORE) as service:
        produce(topics, 1, 2)
        wait_until(lambda: database.query(STORED) == [(2,)])
        assert partition() == {"partition": 0, "committed": 2, "end": 2, "lag": 0}
        with lock(database, "EXCLUSIVE"):
            produce(topics, 3)
            wait_until(lambda: partition()["lag"] == 1)
        said, groups = described(service, topics)
        assert not groups and not said.err  # no database is named
        said, groups = described(service, topics, "--database-url", "postgresql://127.0.0.1:1/none")
        assert not groups and "how far `dwell store` is: " in said.err


def test_what_is_not_stored_yet_is_lag_also_while_the_database_hangs(topics, database, tmp_path):
    name = f'dwell_consumer_lag_records{{partition="0",topic="{topics.cleaned}"}}'
    with system(tmp_path, topics, database.url, *STORE) as service:
        produce(topics, 1)
        wait_until(lambda: database.query(STORED) == [(1,)])
        wait_until(lambda: service.metrics().get(name) == 0)
        seconds = name.replace("records", "seconds")
        with lock(database, "EXCLUSIVE"):
            produce(topics, 2, 3)
            wait_until(lambda: service.metrics().get(name) == 2)
            for _ in range(10):  # and stays so, however often nothing new is read
                time.sleep(0.1)
                assert service.metrics()[name] == 2
            assert 1 <= service.metrics()[seconds] < 60
            produce(topics, 4, 5, 6)
            wait_until(lambda: service.metrics().get(name) == 5)
        wait_until(lambda: database.query(STORED) == [(6,)])
        wait_until(lambda: service.metrics().get(name) == 0)
        assert service.metrics()[seconds] == 0
        states = [key for key in service.metrics()
                  if key.startswith("dwell_consumer_lag_records") and f'topic="{topics.state}"' in key]
        assert len(states) == topics.partitions


def test_a_stage_that_gets_nothing_on_while_more_comes_is_not_ready(topics, database, tmp_path):
    flags = [*STORE, "--ready-stalled-after", "500ms"]
    with system(tmp_path, topics, database.url, *flags) as service:
        produce(topics, 1)
        wait_until(lambda: database.query(STORED) == [(1,)])
        time.sleep(1)  # nothing comes: that is no stall
        assert service.get("/readyz").status == 200

        def reasons():
            return " ".join(service.get("/readyz").json["reasons"])

        with lock(database, "EXCLUSIVE"):
            produce(topics, *range(2, 10))
            wait_until(lambda: f"nothing of topic {topics.cleaned} was committed for" in reasons(),
                       what=reasons)
            assert service.get("/readyz").status == 503
        wait_until(lambda: service.get("/readyz").status == 200)
