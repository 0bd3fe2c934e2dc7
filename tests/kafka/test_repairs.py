"""docs/kafka.md: a redrive and a correction from before the horizon, done as written, end right in
both orders."""

import copy
import re
import tomllib
import uuid

import pytest

from doc_page import page, section
from dwell_cli import Dwell

PAGE = page("docs/kafka.md")
START = 1_751_932_800_000
DAY = 86_400_000
ORDERS = ["arrival", "event_time"]


@pytest.fixture
def topics(broker, admin):
    from kafka_topics import Topics
    return Topics(broker, f"repairs-{uuid.uuid4().hex[:8]}").create(admin)


@pytest.fixture
def dwell(tmp_path):
    return Dwell(tmp_path)


def send(topics, *numbers):
    """Days since START; an enter on even ones, an exit on odd ones."""
    from kafka_clean import event
    topics.produce([(0, event("cam", ("enter", "exit")[n % 2], START + n * DAY), START + 99 * DAY)
                    for n in numbers])


def rows(topics):
    """What a reader of the cleaned topic that takes rows back has."""
    found = {}
    for record in topics.cleaned_records():
        key = (record.device, record.timestamp, record.type)
        if record.op == "retract":
            del found[key]
        else:
            found[key] = record.rank
    return sorted((time - START) // DAY for _, time, _ in found)


def clean(dwell, topics, condition, *flags):
    from kafka_clean import run_until
    run_until(dwell, ("clean", *topics.flags(), *flags), condition)


def redrive(dwell, topics):
    report = dwell.run("rejects", "redrive", *topics.names(), "--json").json
    return report["reasons"]["past_timestamp"]["sent"]


# What is rejected at first: in arrival order all, since a redrive has to come before newer events
# of the device; in event time the older half.
@pytest.mark.parametrize("order, limit, newer_first", [("arrival", "10d", False),
                                                       ("event_time", "95d", True)])
def test_a_redrive_ends_right(dwell, topics, order, limit, newer_first):
    flags = ("--order", order, "--order-horizon", "90d")
    send(topics, *range(8))
    kept = [n for n in range(8) if order == "event_time" and n >= 4]
    clean(dwell, topics, lambda: len(topics.rejects()) + len(rows(topics)) == 8, *flags,
          "--clock-max-behind", limit)
    assert rows(topics) == kept

    mended = (*flags, "--clock-max-behind", "off")
    if newer_first:
        send(topics, 8, 9)
        clean(dwell, topics, lambda: rows(topics) == [*kept, 8, 9], *mended)
    assert redrive(dwell, topics) == 8 - len(kept)
    if not newer_first:
        clean(dwell, topics, lambda: rows(topics) == list(range(8)), *mended)
        send(topics, 8, 9)
    clean(dwell, topics, lambda: rows(topics) == list(range(10)), *mended)
    assert redrive(dwell, topics) == 0


def again(topics, folder):
    """again.toml of the page, with names that no other test has; and the topics that it names."""
    (text,) = re.findall(r"^```toml\n(.*?)^```$", section(
        PAGE, "## Corrections from before the horizon"), re.MULTILINE | re.DOTALL)
    text = re.sub(r'"(device_|dwell-)', rf'"{topics.name}-\1', text)
    settings = tomllib.loads(text)
    second = copy.copy(topics)
    for name, value in settings["topics"].items():
        setattr(second, name, value)
    second.group = settings["clean"]["group"]
    assert second.group != topics.group and second.input == topics.input
    (folder / "again.toml").write_text(
        f'brokers = "{topics.broker.address}"\n'
        + text.replace("[topics]", f'[topics]\ninput = "{topics.input}"'))
    return second


@pytest.mark.parametrize("order", ORDERS)
def test_a_correction_from_before_the_horizon(dwell, topics, admin, order, tmp_path):
    """The exit of day 5 comes last: in arrival order it is a repeat, in event time too late."""
    from kafka_clean import run_until
    sent = [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    send(topics, *sent, 5)
    as_told = [n for n in sent if n != 6]  # an enter of who was in
    clean(dwell, topics, lambda: topics.committed(admin).get(0) == 12, "--order", order)
    assert rows(topics) == as_told
    assert [reject[0] for reject in topics.rejects()] == ["too_late"] * (order == "event_time")

    second = again(topics, tmp_path)
    settings = ("--config", "again.toml")
    dwell.run("topics", "create", *settings)
    run_until(dwell, ("clean", *settings, "--instance-id", "two"),
              lambda: second.committed(admin).get(0) == 12)
    assert rows(second) == list(range(12))
    assert second.rejects() == [] and rows(topics) == as_told
    dwell.run("topics", "check", *settings)


@pytest.mark.parametrize("order", ORDERS)
def test_a_reset_gives_the_same_rows_again(dwell, topics, admin, order):
    """A reader of the cleaned topic that goes on through a reset has what it had before."""
    from kafka_clean import SHORT_SESSION
    from kafka_topics import FACTS
    topics.write_facts({**FACTS, "order.mode": order})
    flags = (*SHORT_SESSION, "--order-horizon", "90d")
    sent = [0, 1, 4, 3, 2, 5, 8, 7, 6]
    send(topics, *sent)
    clean(dwell, topics, lambda: topics.committed(admin).get(0) == len(sent), *flags)
    before, records = rows(topics), len(topics.cleaned_records())
    assert before == (list(range(9)) if order == "event_time" else sent_in_turn(sent))

    dwell.run("topics", "reset", *topics.names(), *SHORT_SESSION, "--yes")
    clean(dwell, topics, lambda: topics.committed(admin).get(0) == len(sent), *flags)
    assert len(topics.cleaned_records()) == 2 * records and rows(topics) == before


def sent_in_turn(numbers):
    """Those that change the presence in the order of receipt, sorted by time."""
    return sorted(n for n, before in zip(numbers, [-numbers[0] - 1, *numbers])
                  if n % 2 != before % 2)
