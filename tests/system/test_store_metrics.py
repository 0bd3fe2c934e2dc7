"""`dwell store` says on /metrics what it has stored, as `dwell clean` says what it has committed."""

import time

from dwell_service import wait_until
from dwell_system import system
from test_database_stalls import STORE, STORED, lock, produce


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
            return (metrics.get('dwell_records_total{outcome="stored"}'),
                    metrics.get('dwell_records_total{outcome="not_cleaned"}'))

        wait_until(lambda: counted() == (4, 1))
        metrics = service.metrics()
        assert 1 <= metrics["dwell_batches_total"] <= 5
        assert metrics["dwell_commit_seconds_count"] == metrics["dwell_batches_total"]
        assert metrics["dwell_partitions"] == topics.partitions


def test_what_is_not_stored_yet_is_lag_also_while_the_database_hangs(topics, database, tmp_path):
    name = f'dwell_consumer_lag_records{{partition="0",topic="{topics.cleaned}"}}'
    with system(tmp_path, topics, database.url, *STORE) as service:
        produce(topics, 1)
        wait_until(lambda: database.query(STORED) == [(1,)])
        wait_until(lambda: service.metrics().get(name) == 0)
        with lock(database, "EXCLUSIVE"):
            produce(topics, 2, 3)
            wait_until(lambda: service.metrics().get(name) == 2)
            for _ in range(10):  # and stays so, however often nothing new is read
                time.sleep(0.1)
                assert service.metrics()[name] == 2
            produce(topics, 4, 5, 6)
            wait_until(lambda: service.metrics().get(name) == 5)
        wait_until(lambda: database.query(STORED) == [(6,)])
        wait_until(lambda: service.metrics().get(name) == 0)
        states = [key for key in service.metrics() if f'topic="{topics.state}"' in key]
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
