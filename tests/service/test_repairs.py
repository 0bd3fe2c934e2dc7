"""docs/embedded.md, "Repairs": done as written, in both orders, they end as if nothing had gone
wrong."""

import json
import shlex
import subprocess

import pytest

from doc_page import examples, page, section
from dwell_cli import event
from dwell_service import post_event, rfc3339, wait_until

PAGE = page("docs/embedded.md")
BASE = 1_751_932_800_000
DAY = 86_400_000
ORDERS = ["arrival", "event_time"]


def repair(heading):
    """The commands of the section, as the page has them."""
    found = [example.command for example in examples(section(PAGE, f"### {heading}"))]
    assert found, heading
    return found


def follow(dwell, command, *more):
    """Runs one of the page's."""
    name, *arguments = shlex.split(command)
    assert name == "dwell"
    return dwell.run(*arguments, *more)


def lines(numbers):
    return b"".join(event("cam", ("enter", "exit")[n % 2], BASE + n * DAY) for n in numbers)


def listed(numbers):
    return [(("enter", "exit")[n % 2], rfc3339(BASE + n * DAY)) for n in numbers]


def gaps(service):
    return service.metrics()["dwell_input_gaps_total"]


def replace_database(service, anew, *flags):
    """Stops Dwell and starts it as the second command of the section says."""
    name, run, *arguments = shlex.split(repair("Corrections from before the horizon")[1])
    assert (name, run) == ("dwell", "run") and anew in arguments
    service.stop()
    service.flags = [*arguments, *flags]
    return service.start()


def goes_on(service, log, stored, more):
    """No line is read twice or left out."""
    assert service.timeline("cam") == listed(stored)
    before = service.metrics()['dwell_records_total{outcome="accepted"}']
    with open(log, "ab") as file:
        file.write(lines(more))
    wait_until(lambda: service.timeline("cam") == listed([*stored, *more]))
    after = service.metrics()['dwell_records_total{outcome="accepted"}']
    assert after - before == len(more) and gaps(service) == 0


def with_a_gap(serving, tmp_path, order, horizon):
    """What the log was when Dwell went down: 0 to 5; 6 to 8, rotated away unread; 9 to 11."""
    log = tmp_path / "events.log"
    log.write_bytes(lines(range(3)))
    service = serving("--from", "events.log", "--order", order, "--order-horizon", horizon)
    wait_until(lambda: len(service.timeline("cam")) == 3)
    service.stop()
    with open(log, "ab") as file:
        file.write(lines(range(3, 6)))
    log.rename(tmp_path / "events.log.2")
    (tmp_path / "events.log.1").write_bytes(lines(range(6, 9)))
    log.write_bytes(lines(range(9, 12)))
    service.start()
    wait_until(lambda: service.timeline("cam") == listed([*range(6), 10, 11]))
    assert gaps(service) == 1 and "events.log.1" in service.log
    return service, log


def test_a_gap_is_filled_in_event_time(serving, tmp_path):
    service, log = with_a_gap(serving, tmp_path, "event_time", "30d")
    service.stop()
    (command,) = repair("A gap")
    follow(service.dwell, command)
    service.start()
    goes_on(service, log, range(12), range(12, 14))


@pytest.mark.parametrize("order", ORDERS)
def test_a_gap_out_of_reach_is_filled_in_a_new_database(serving, tmp_path, order):
    service, log = with_a_gap(serving, tmp_path, order, "1d")
    (tmp_path / "corrections.ndjson").write_bytes((tmp_path / "events.log.2").read_bytes())
    follow(service.dwell, repair("Corrections from before the horizon")[0], "--order", order)
    replace_database(service, "anew.db")
    goes_on(service, log, range(12), range(12, 14))


@pytest.mark.parametrize("order, name", [("arrival", "corrections.ndjson"),
                                         ("event_time", "corrections.ndjson"),
                                         ("event_time", "events.log")])
def test_a_correction_from_before_the_horizon(serving, tmp_path, order, name):
    """The exit 5 comes last, by a file of its own or behind the others."""
    log = tmp_path / "events.log"
    (tmp_path / "events.log.1").write_bytes(lines([0, 1, 2, 3, 4]))
    log.write_bytes(lines([6, 7, 8, 9, 10, 11]))
    service = serving("--from", "events.log.1", "--order", order)
    as_told = listed([0, 1, 2, 3, 4, 7, 8, 9, 10, 11])
    wait_until(lambda: service.timeline("cam") == as_told[:5])
    service.stop()
    service.flags = ["--from", "events.log"]
    service.start()
    wait_until(lambda: service.timeline("cam") == as_told)
    service.stop()

    (tmp_path / "corrections.ndjson").touch()
    with open(tmp_path / name, "ab") as file:
        file.write(lines([5]))
    told = service.dwell.run("replay", name, "--json", status=None).json["run"]["outcomes"]
    assert told["too_late" if order == "event_time" else "repeated_exit"] == 1
    service.start()
    assert service.timeline("cam") == as_told

    follow(service.dwell, repair("Corrections from before the horizon")[0], "--order", order)
    replace_database(service, "anew.db")
    goes_on(service, log, range(12), range(12, 14))


@pytest.mark.parametrize("order", ORDERS)
def test_a_correction_of_what_was_posted(serving, tmp_path, order):
    """The rows stand for the posts; ids that JSON has to escape are the same again."""
    device = 'a "b"\\ü'
    service = serving("--order", order)
    for n in (0, 1, 2, 3, 4, 7, 8):
        service.store((device, ("enter", "exit")[n % 2], BASE + n * DAY))
    service.stop()
    rebuild, _, rows = repair("Corrections from before the horizon")
    subprocess.run(["sh", "-euc", rows], cwd=tmp_path, check=True, timeout=60)
    (tmp_path / "corrections.ndjson").write_bytes(
        event(device, "exit", BASE + 5 * DAY) + event(device, "enter", BASE + 6 * DAY))
    command = rebuild.replace("events.log.1 events.log", "rows.ndjson")
    assert command != rebuild
    follow(service.dwell, command, "--order", order)
    service.flags = ["--db", "anew.db"]
    service.start()
    assert service.timeline(device) == listed(range(9))


def answered(service, events):
    assert service.post(events).status == 201


def refused(service, events):
    """As long as its file is gone Dwell takes nothing."""
    database, aside = service.folder / "dwell.db", service.folder / "aside.db"
    database.rename(aside)
    assert service.post(events).status == 503
    aside.rename(database)
    service.wait_ready()


def leave_without_the_answer(service, events):
    body = json.dumps({"events": events})
    with service.wire() as wire:
        wire.send(f"POST /timeline HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                  f"Content-Length: {len(body)}\r\n\r\n{body}")


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("post_once", [answered, refused, leave_without_the_answer])
def test_a_post_is_sent_again(serving, order, post_once):
    """Stored or not, it is there once; in event time also behind newer events."""
    assert "send the same request again" in section(PAGE, "### A POST without a good answer")
    service = serving("--order", order, "--order-horizon", "30d")
    first, lost, newer = ([post_event("cam", ("enter", "exit")[n % 2], BASE + n * DAY)
                           for n in numbers] for numbers in (range(3), range(3, 5), range(5, 8)))
    answered(service, first)
    post_once(service, lost)
    for events in (newer, lost) if order == "event_time" else (lost, newer):
        answered(service, events)
    assert service.timeline("cam") == listed(range(8))
