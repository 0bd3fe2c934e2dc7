"""The facts of topics: what `dwell topics` writes down, who goes on with it, and how topics of the
first release get them."""

import json
import signal
import uuid

import pytest

from dwell_cli import Dwell, varint

START = 1_751_932_800_000
NUMERIC = {"device_id": 4711, "event_type": "device_enter", "timestamp": START}
FACTS = b"\x01"


class Site:
    """Topics with or without facts, and a cleaner at them."""

    def __init__(self, broker, admin, folder, facts):
        from kafka_clean import Cleaner
        from kafka_topics import Topics
        self.admin, self.dwell = admin, Dwell(folder)
        self.topics = Topics(broker, f"facts-{uuid.uuid4().hex[:8]}").create(admin, facts=facts)
        self.cleaner = Cleaner(self.dwell, self.topics, admin)
        self.end = 0

    def produce(self, *events):
        self.topics.produce([(0, json.dumps(event).encode(), START) for event in events])
        self.end += len(events)

    def clean(self, stop=signal.SIGTERM):
        return self.cleaner.run_to(self.end, stop)

    def command(self, name, *flags, status=0):
        return self.dwell.run("topics", name, *self.topics.names(), *flags, status=status)

    def states(self, key):
        return [message.value() for message in self.topics.read(self.topics.state)
                if message.key() == key]

    def marker(self):
        return self.states(b"\0")[-1]

    def changes(self):
        return [(one.device, one.type, one.seq) for one in self.topics.cleaned_records()]

    def reasons(self):
        return [reject[0] for reject in self.topics.rejects()]


@pytest.fixture
def make_site(broker, admin, tmp_path):
    return lambda facts=None: Site(broker, admin, tmp_path, facts)


def enter(device, at=START):
    return {"device_id": device, "event_type": "device_enter", "timestamp": at}


def leave(device, at=START):
    return {"device_id": device, "event_type": "device_exit", "timestamp": at}


def test_topics_of_the_first_release_go_on_as_they_were_until_they_are_upgraded(make_site):
    site = make_site()
    site.cleaner.command += ["--order", "event_time"]
    site.produce(enter("a"), NUMERIC, {"device_id": "a"}, {"deviceID": "b"})
    site.clean()
    assert site.marker()[0] == 1 and varint(site.marker()[1:])[0] == 1
    assert site.reasons() == ["invalid_device_id", "malformed", "malformed"]
    assert "`dwell topics upgrade`" in site.command("check").out
    assert "`dwell topics upgrade`" in site.command("create").out
    assert site.states(FACTS) == []

    said = site.command("upgrade").out
    assert f"topic {site.topics.state} is of rule 2 from now on" in said
    assert "order.mode = event_time" in said and "clock.earliest = off" in said
    assert "input.time_unit = ms" in said
    assert "already" in site.command("upgrade").out
    assert len(site.states(FACTS)) == 1

    # The order needs no setting any more, the states go on, and more is read.
    site.cleaner.command = site.cleaner.command[:-2]
    site.produce(leave("a", START + 1000), NUMERIC, {"device_id": "a"}, leave("a", 7))
    site.clean()
    assert site.marker()[0] == 2 and varint(site.marker()[1:])[0] == 2
    assert site.changes() == [("a", "device_enter", 1), ("a", "device_exit", 2),
                              ("4711", "device_enter", 1)]
    assert site.reasons()[3:] == ["invalid_event_type", "too_late"]
    assert "no record of facts" not in site.command("check").out
    assert "of event_time" in site.cleaner.refused(2, "--order", "arrival")


def test_records_that_were_cleaned_before_the_upgrade_are_folded_as_before(make_site):
    """A kill -9 leaves records behind the last marker: they were judged under rule 1."""
    site = make_site()
    site.produce(enter("a"))
    site.clean()
    site.produce(NUMERIC, {"device_id": "a"}, leave("a", START + 1))
    site.cleaner.command += ["--checkpoint-idle", "1h"]
    site.clean(signal.SIGKILL)
    assert site.marker()[0] == 1
    site.command("upgrade")
    site.produce(enter("a", START + 2))
    site.clean()
    assert [seq for _, _, seq in site.changes()] == [1, 2, 3]
    # The marker counts what became of each record: one malformed, and no invalid_event_type.
    from clean_judge import marker_of
    from presence_model import Rule
    marker = marker_of(site.marker(), Rule(now=START))
    assert marker.outcomes == {"accepted": 3, "invalid_device_id": 1, "malformed": 1}


def test_an_upgrade_keeps_the_order(make_site):
    site = make_site()
    site.produce(enter("a"))
    site.clean()
    refused = site.command("upgrade", "--order", "event_time", status=2)
    assert "the states in topic" in refused.err and "are of arrival" in refused.err
    assert site.states(FACTS) == []


def test_a_setting_that_the_first_release_does_not_know_is_refused(make_site):
    site = make_site()
    refused = site.cleaner.refused(2, "--input-time-unit", "s")
    assert "input.time_unit" in refused and "`dwell topics upgrade`" in refused


def test_topics_made_by_hand_get_their_facts_from_create(make_site):
    site = make_site()
    assert "is of order event_time from now on" in site.command("create").out
    assert "is of order event_time" in site.command("create").out
    assert "of event_time" in site.command("create", "--order", "arrival", status=2).err
    # Late, and put in its place.
    site.produce(enter("a", START / 1000), enter("a", START + 2), leave("a", START + 1))
    site.clean()
    assert site.changes() == [("a", "device_enter", 1), ("a", "device_exit", 2),
                              ("a", "device_enter", 3)]
    refused = site.cleaner.refused(2, "--order", "arrival")
    assert "the states in topic" in refused and "of event_time" in refused


def test_a_given_setting_wins_over_the_facts(make_site):
    site = make_site({"clock.earliest": "off", "input.time_unit": "ms"})
    site.cleaner.command += ["--input-time-unit", "s"]
    site.produce(enter("a", 1))
    site.clean()
    assert [(one.device, one.timestamp) for one in site.topics.cleaned_records()] == [("a", 1000)]


@pytest.mark.parametrize("order", ["arrival", "event_time"])
def test_a_reset_keeps_the_order_unless_another_is_given(make_site, order):
    site = make_site()
    site.cleaner.command += ["--order", order]
    site.produce(enter("a"))
    site.clean()
    other = "arrival" if order == "event_time" else "event_time"
    for flags, wanted in (((), order), ((), order), (("--order", other), other), ((), other)):
        site.command("reset", "--yes", *flags)
        (facts,) = site.states(FACTS)
        assert wanted.encode() in facts and b"off" in facts
        assert site.states(b"a") == []
        site.cleaner.command = site.cleaner.command[:-2] + ["--order", wanted]
        site.clean()


def test_a_reset_takes_another_making_of_ids(make_site):
    site = make_site()
    site.command("create")
    assert "input.device_id_case" in site.command("create", "--input-device-id-case", "lower",
                                                  status=2).err
    site.command("reset", "--yes", "--input-device-id-case", "lower")
    (facts,) = site.states(FACTS)
    assert b"lower" in facts


def test_facts_of_a_newer_release_are_refused(make_site):
    from kafka_clean import Meddler
    site = make_site()
    Meddler(site.topics).write(site.topics.state, FACTS, bytes([1, 3, 0]))
    assert "is of rule 3, this binary has 1 to 2" in site.cleaner.refused(1)


def test_damaged_facts_are_refused(make_site):
    from kafka_clean import Meddler
    site = make_site()
    Meddler(site.topics).write(site.topics.state, FACTS, bytes([1, 2, 9]))
    assert "the record of facts is damaged" in site.cleaner.refused(1)
