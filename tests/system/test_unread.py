"""Records that are deleted before a role has read them: it never goes on as if there had been none."""

import json
import signal
import uuid

import pytest

from dwell_cli import Dwell
from dwell_service import wait_until
from dwell_system import system

NOW = 1_700_000_000_000
ENDS_S = 15  # a session that is over has to be joined again first


REFUSED = {"clean": "records from offset 1 on are needed, the topic begins with 4",
           "clean-hop": "was copied up to offset 1, but begins with 4: what is between was deleted",
           "store": "was stored up to offset 1, but begins with 4: what is between was deleted"}


class Behind:
    """A role that has read offset 0 of its topic and stands still while 1 to 3 come."""

    def __init__(self, broker, admin, database, folder, role):
        from kafka_clean import Meddler
        from kafka_topics import Topics
        self.topics = Topics(broker, f"unread-{uuid.uuid4().hex[:8]}")
        self.topics.create(admin, "LogAppendTime")
        self.admin, self.database, self.meddler = admin, database, Meddler(self.topics)
        command = role.removesuffix("-hop")
        self.is_store, is_hop = command == "store", command != role
        self.topic = self.topics.cleaned if self.is_store else self.topics.input
        self.group = self.topics.name + "-store" if self.is_store else self.topics.group
        more = [] if self.is_store else ["--checkpoint-idle", "100ms"]
        if is_hop:
            self.group += "-key"
            more += ["--input-partitioned-by", "none"]
        self.service = system(folder, self.topics, database.url, *more, command=command).start()
        self.fall_behind()

    def fall_behind(self):
        self.write("read")
        wait_until(lambda: self.has_read("read"), what=self.service.log)
        if not self.is_store:
            wait_until(lambda: self.topics.read(self.topics.state), what=self.service.log)
        self.service.process.send_signal(signal.SIGSTOP)
        # Nothing that it asked for is on its way any more.
        wait_until(lambda: not self.admin.describe_consumer_groups([self.group])[0].members)
        for number in range(3):
            self.write(f"unread-{number}")

    def write(self, device):
        payload = {"device_id": device, "event_type": "device_enter", "timestamp": NOW}
        value = {"payload": payload} if self.is_store else payload
        self.meddler.write(self.topic, device.encode(), json.dumps(value).encode())

    def has_read(self, device):
        if self.is_store:
            return self.database.query("SELECT 1 FROM device_events_cleaned WHERE device_id = %s",
                                       device)
        return device in {one.key().decode() for one in self.topics.read(self.topics.cleaned)}

    def go_on(self):
        self.service.process.send_signal(signal.SIGCONT)


@pytest.fixture
def behind(broker, admin, database, tmp_path):
    made = []

    def make(role):
        made.append(Behind(broker, admin, database, tmp_path, role))
        return made[-1]
    yield make
    for one in made:
        one.service.kill()


@pytest.mark.parametrize("role", REFUSED)
def test_a_role_whose_next_record_was_deleted_ends_and_says_so(behind, tmp_path, role):
    one = behind(role)
    one.meddler.delete_records(one.topic)
    one.go_on()
    one.service.wait(1, ENDS_S)
    assert f"{one.topic}/0: " in one.service.log and REFUSED[role] in one.service.log
    assert "reset" in one.service.log  # what goes on with what there is
    if role == "clean":
        Dwell(tmp_path).run("topics", "reset", "--yes", *one.topics.names())
        one.service.start()
        one.write("later")
        wait_until(lambda: one.has_read("later"), what=one.service.log)
        assert not one.has_read("unread-0")
        one.service.stop()


@pytest.mark.parametrize("role", REFUSED)
def test_a_role_goes_on_where_only_what_it_has_read_was_deleted(behind, role):
    one = behind(role)
    one.meddler.delete_records(one.topic, before=1)
    one.go_on()
    for number in range(3):
        wait_until(lambda: one.has_read(f"unread-{number}"), what=one.service.log)  # noqa: B023
    one.service.wait_ready()
    one.service.stop()
