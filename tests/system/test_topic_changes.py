"""Topics that are deleted, made anew, grown or emptied under a running process: noticed in time, said
in the log and by /readyz, and never a reason not to end.

A few cases of the table by default, the whole table where DWELL_CHAOS_ROUNDS asks for 200 rounds or
more.
"""

import contextlib
import json
import os
import time
import uuid

import pytest

from dwell_cli import Dwell
from dwell_service import path_of, post_event, wait_until

NOW = 1_700_000_000_000
NOTICED_S = 10  # the promise
IS_WHOLE = int(os.environ.get("DWELL_CHAOS_ROUNDS", "0")) >= 200

CLEAN = ("input", "cleaned", "state", "rejected")
TABLE = [*(("clean", topic) for topic in CLEAN), ("clean-hop", "input"), ("clean-hop", "keyed"),
         ("store", "cleaned"), ("store", "state"), ("store", "rejected"), ("serve", "input"),
         *(("run", topic) for topic in CLEAN), ("run-hop", "keyed")]
EVENTS = ("deleted", "made anew", "grown", "emptied")

# What a process cannot go on from: how it ends, and what it names then.
REFUSED = {
    ("clean", "input", "made anew"): (1, "`dwell topics reset`"),
    ("clean", "state", "made anew"): (1, "`dwell topics reset`"),
    ("clean", "state", "emptied"): (1, "`dwell topics reset`"),
    ("clean", "cleaned", "grown"): (2, "`dwell topics check`"),
    ("clean", "state", "grown"): (2, "`dwell topics check`"),
    ("clean-hop", "keyed", "made anew"): (1, "`dwell topics reset`"),
    ("clean-hop", "keyed", "grown"): (2, "`dwell topics check`"),
    ("store", "cleaned", "made anew"): (1, "`dwell store reset`"),
    ("run", "cleaned", "made anew"): (1, "`dwell store reset`"),
    **{("run", topic, event): refused for topic, event, refused in (
        ("input", "made anew", (1, "`dwell topics reset`")),
        ("state", "made anew", (1, "`dwell topics reset`")),
        ("state", "emptied", (1, "`dwell topics reset`")),
        ("cleaned", "grown", (2, "`dwell topics check`")),
        ("state", "grown", (2, "`dwell topics check`")))},
    ("run-hop", "keyed", "made anew"): (1, "`dwell topics reset`"),
    ("run-hop", "keyed", "grown"): (2, "`dwell topics check`"),
}
# What a process waits for, told by /readyz.
WAITS = {("clean", "input", "grown"), ("run", "input", "grown")}  # for the keyed topic
ALWAYS = [("run", "cleaned", "deleted"), ("clean", "input", "made anew"), ("run", "input", "grown"),
          ("store", "state", "emptied"), ("store", "cleaned", "made anew"),
          ("serve", "input", "deleted")]
CASES = [(role, topic, event) for role, topic in TABLE for event in EVENTS
         if IS_WHOLE or (role, topic, event) in ALWAYS]


class Changed:
    """A role that is ready and has done some work, and what can be done to its topics."""

    def __init__(self, broker, admin, database, folder, role):
        from dwell_system import system
        from kafka_clean import Meddler
        from kafka_topics import Topics
        self.role, is_hop = role.removesuffix("-hop"), role.endswith("-hop")
        self.admin, self.database, self.folder = admin, database, folder
        self.topics = Topics(broker, f"changed-{uuid.uuid4().hex[:8]}")
        self.topics.create(admin, "LogAppendTime")
        if not is_hop:
            admin.delete_topics([self.topics.keyed])  # as where `dwell topics create` made them
        self.meddler = Meddler(self.topics)
        self.count = 0
        self.meddler.write(self.topics.rejected, b"d", b"no event")  # to tell it from another one
        more = ["--input-partitioned-by", "none"] if is_hop else []
        if self.role in ("clean", "run"):
            more += ["--checkpoint-idle", "100ms"]
        self.service = system(folder, self.topics, database.url, *more, command=self.role)
        self.beside = []  # what makes cleaned records for a store
        if self.role == "store":
            (folder / "beside").mkdir()
            self.beside.append(system(folder / "beside", self.topics, database.url,
                                      "--checkpoint-idle", "100ms", command="clean").start())
        self.service.start()
        self.work()
        if self.role != "serve":
            wait_until(lambda: self.topics.read(self.topics.state), what=self.service.log)
        for one in self.beside:  # nothing else is to meet the change
            one.stop()
        self.be_seen()

    def looks(self):
        return self.service.metrics()["dwell_topic_looks_total"]

    def be_seen(self):
        """What is filled less than a look before it is made anew is not told from another one."""
        before = self.looks()
        wait_until(lambda: self.looks() >= before + 2, what=self.service.log)

    def work(self):
        """One event goes all the way that the role has to do with."""
        self.count += 1
        device = f"d{self.count}"
        if self.role in ("run", "serve"):
            wait_until(lambda: self.post(device).status == 201, what=self.service.log)
        else:
            self.topics.produce([(0, json.dumps(post_event_of(device)).encode(), None)])
        if self.role == "run":
            wait_until(lambda: self.service.get(path_of(device)).status == 200)
        elif self.role == "clean":
            wait_until(lambda: device in self.devices())
        elif self.role == "store" and self.beside[0].process.poll() is None:
            wait_until(lambda: self.stored(device), what=self.service.log)

    def goes_on(self, name, event):
        if self.role != "store":
            self.work()
        elif name == "rejected" or event == "emptied" and name == "cleaned":
            self.beside[0].start()  # of other changes it says what `clean` says
            self.work()

    def post(self, device):
        return self.service.post([post_event(device, "enter", NOW)])

    def devices(self):
        return {message.key().decode() for message in self.topics.read(self.topics.cleaned)}

    def stored(self, device):
        return self.database.query("SELECT 1 FROM device_events_cleaned WHERE device_id = %s",
                                   device)

    def change(self, name, event):
        topic = getattr(self.topics, name)
        if event == "grown":
            from kafka.admin import NewPartitions
            self.admin.create_partitions({topic: NewPartitions(3)})
        elif event == "emptied":
            self.meddler.delete_states() if name == "state" else self.meddler.delete_records(topic)
        else:
            self.admin.delete_topics([topic])
        if event == "made anew":
            from kafka.admin import NewTopic
            from kafka.errors import TopicAlreadyExistsError

            def is_made():
                try:
                    self.admin.create_topics([NewTopic(topic, 1, 1)])
                except TopicAlreadyExistsError:
                    return False  # it is still on its way out
                return True
            wait_until(is_made)
        return topic

    def readiness(self):
        """(status, all that it says), or nothing where nobody listens any more."""
        with contextlib.suppress(OSError):
            reply = self.service.get("/readyz")
            return reply.status, reply.text
        return None, ""

    def is_over(self):
        return self.service.process.poll() is not None

    def close(self):
        for one in [self.service, *self.beside]:
            one.kill()


def post_event_of(device):
    return {"device_id": device, "event_type": "device_enter", "timestamp": NOW}


@pytest.fixture
def changed(broker, admin, database, tmp_path):
    made = []

    def make(role):
        made.append(Changed(broker, admin, database, tmp_path, role))
        return made[-1]
    yield make
    for one in made:
        one.close()


def said(readiness, status, *words):
    return readiness[0] == status and all(word in readiness[1] for word in words)


@pytest.mark.parametrize("role, name, event", CASES)
def test_change(changed, role, name, event):
    one = changed(role)
    topic = one.change(name, event)
    refused = REFUSED.get((role, name, event))
    waits = (role, name, event) in WAITS
    if refused:
        one.service.wait(refused[0], NOTICED_S + 5)
        assert topic in one.service.log and refused[1] in one.service.log
        return
    if event == "deleted" or waits:
        missing = one.topics.keyed if waits else topic
        words = [f"topic {missing} ", "`dwell topics create`"]
        wait_until(lambda: said(one.readiness(), 503, *words), NOTICED_S, one.service.log)
        assert topic in one.service.log
        if one.role in ("run", "serve") and name == "input" and event == "deleted":
            reply = one.post("nobody")
            assert reply.status == 503, reply
        time.sleep(1)  # it does not end by itself
        one.service.stop()
        return
    if event != "emptied" or (name == "state" and role == "store"):
        wait_until(lambda: topic in one.readiness()[1] and f"topic {topic} " in one.service.log,
                   NOTICED_S, one.service.log)
    wait_until(lambda: one.readiness()[0] == 200, what=one.service.log)
    one.goes_on(name, event)
    wait_until(lambda: one.readiness()[0] == 200, what=one.service.log)
    one.service.stop()


def test_a_deleted_topic_comes_back(changed):
    """What it was made of is made again by the command that is named, and the process goes on."""
    one = changed("clean")
    topic = one.change("cleaned", "deleted")
    wait_until(lambda: said(one.readiness(), 503, topic), NOTICED_S, one.service.log)
    Dwell(one.folder).run("topics", "create", *one.topics.names())
    wait_until(lambda: one.readiness()[0] == 200, NOTICED_S, one.service.log)
    one.work()
    assert f"topic {topic} was made anew" in one.readiness()[1]
    one.service.stop()


def test_a_grown_input_is_cleaned_after_the_commands_that_are_named(changed):
    """It is copied by device now; what was posted meanwhile is cleaned too."""
    one = changed("run")
    one.change("input", "grown")
    wait_until(lambda: said(one.readiness(), 503, f"topic {one.topics.keyed} ",
                            "`dwell topics create`"), NOTICED_S, one.service.log)
    assert one.post("meanwhile").status == 201
    names = one.topics.names()
    made = Dwell(one.folder).run("topics", "create", *names).out
    assert f"topic {one.topics.keyed} made, with 1 partition" in made
    one.service.wait(1, NOTICED_S + 5)
    assert "`dwell topics reset`" in one.service.log
    Dwell(one.folder).run("topics", "reset", "--yes", *names)
    one.service.start()
    wait_until(lambda: one.service.get(path_of("meanwhile")).status == 200)
    assert len(one.service.timeline("d1")) == 1
    one.work()
    one.service.stop()


def test_a_place_in_a_new_partition_is_waited_for(changed):
    """Nobody cleans here: that it takes too long is all that there is to say of it."""
    one = changed("serve")
    assert one.service.get(path_of("d1") + "?after=0:0").status == 503
    assert one.service.get(path_of("d1") + "?after=2:0").status == 400
    one.change("input", "grown")
    wait_until(lambda: "has grown from 1 to 3 partitions" in one.readiness()[1], NOTICED_S)
    reply = one.service.get(path_of("d1") + "?after=2:0")
    assert reply.status == 503, reply
