"""A broker that is killed and comes back takes no topic for another one: what a process said of its topics
would send somebody to make them anew."""

import uuid

import pytest

from dwell_service import path_of, post_event, wait_until
from dwell_system import system
from presence_model import Rule

NOW = 1_700_000_000_000
NOTICED_S = 10
SAID_OF_CHANGES = ("was deleted", "is missing", "there again", "was made", "was emptied", "has grown")


class Killable:
    """`dwell run` on a broker that may be killed."""

    def __init__(self, broker, database, folder):
        from kafka_clients import admin_client
        from kafka_topics import Topics
        self.broker = broker
        self.topics = Topics(broker, f"killed-{uuid.uuid4().hex[:8]}")
        admin = admin_client(broker)
        self.topics.create(admin, "LogAppendTime")
        admin.close()
        self.service = system(folder, self.topics, database.url, "--checkpoint-idle", "100ms")
        self.service.start()
        self.count = 0

    def work(self):
        """One event goes all the way."""
        self.count += 1
        device = f"d{self.count}"
        wait_until(lambda: self.service.post([post_event(device, "enter", NOW)]).status == 201)
        wait_until(lambda: self.service.get(path_of(device)).status == 200)

    def be_seen(self):
        def looks():
            return self.service.metrics()["dwell_topic_looks_total"]
        before = looks()
        wait_until(lambda: looks() >= before + 2, what=self.service.log)

    def saved(self):
        """The offset up to which the last checkpoint has the input."""
        from clean_judge import MARKER_KEY, marker_of
        markers = [message.value() for message in self.topics.read(self.topics.state)
                   if message.key() == MARKER_KEY]
        return marker_of(markers[-1], Rule(NOW)).next if markers else 0

    def tells_that_it_is_away(self):
        ready = self.service.get("/readyz")
        return ready.status == 503 and f"no answer from {self.broker.address}" in ready.text

    def restart_broker(self):
        self.broker.kill()
        wait_until(self.tells_that_it_is_away, NOTICED_S, self.service.log)
        self.broker.start()
        self.be_seen()
        self.work()
        self.service.wait_ready()

    def assert_nothing_changed(self):
        for told in (self.service.log, self.service.get("/readyz").text):
            said = [line for line in told.splitlines() if "kafka: " not in line]
            assert not [words for words in SAID_OF_CHANGES if words in told], said


@pytest.fixture
def killable(own_broker, database, tmp_path):
    one = Killable(own_broker(), database, tmp_path)
    yield one
    one.service.kill()


def test_topics_of_a_broker_that_was_killed_are_as_they_were(killable):
    """Also where it forgets that records were deleted: what begins further back again, and ends no sooner, is
    the same topic."""
    from kafka_clean import Meddler
    for are_deleted in (False, True):
        killable.work()
        if are_deleted:
            # What no checkpoint covers is still needed: a member that joins anew reads it again.
            wait_until(lambda: killable.saved() >= killable.count)
            Meddler(killable.topics).delete_records(killable.topics.input, killable.saved())
            killable.work()
        killable.be_seen()
        killable.restart_broker()
        killable.assert_nothing_changed()
    killable.service.stop()


def test_without_brokers_questions_are_answered_with_a_warning(killable, database, tmp_path):
    killable.work()
    killable.service.stop()
    (tmp_path / "serve").mkdir()
    with system(tmp_path / "serve", killable.topics, database.url, command="serve") as service:
        killable.broker.kill()
        away = f"brokers: no answer from {killable.broker.address}"
        wait_until(lambda: away in service.get("/readyz").text, NOTICED_S, service.log)
        ready = service.get("/readyz")
        assert ready.status == 200 and ready.json["warnings"] == [away], ready
        assert service.log.count(away) == 1
        assert service.get(path_of("d1")).status == 200
        killable.broker.start()
        wait_until(lambda: away not in service.get("/readyz").text)
        service.stop()
