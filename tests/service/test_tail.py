"""`--from`: a file that grows, is rotated and cut, and standard input."""

import os
import subprocess

import pytest

from dwell_cli import assert_stored_as_modelled, event
from dwell_service import rfc3339, wait_until
from presence_model import Model, Rule

BASE = 1_751_932_800_000


def lines(start, count):
    return b"".join(event("cam", ("enter", "exit")[n % 2], BASE + n)
                    for n in range(start, start + count))


def listed(numbers):
    return [(("enter", "exit")[n % 2], rfc3339(BASE + n)) for n in numbers]


def append(path, data):
    with open(path, "ab") as file:
        file.write(data)


def assert_stored(service, numbers):
    """Exactly these and, after a moment for what must not come, no others."""
    expected = listed(numbers)
    wait_until(lambda: len(service.timeline("cam")) >= len(expected), 20,
               f"{len(expected)} rows expected")
    assert service.timeline("cam") == expected


def gaps(service):
    return service.metrics()["dwell_input_gaps_total"]


@pytest.fixture
def log(tmp_path):
    return tmp_path / "events.log"


@pytest.fixture
def following(serving, log):
    return lambda: serving("--from", "events.log")


def test_a_growing_file_is_followed(following, log):
    log.write_bytes(lines(0, 5))
    service = following()
    assert_stored(service, range(5))
    for n in range(5, 30, 5):
        append(log, lines(n, 5))
        assert_stored(service, range(n + 5))
    service.stop()
    append(log, lines(30, 5))
    service.start()
    assert_stored(service, range(35))
    assert_stored_as_modelled_so_far(service, log.read_bytes())


def assert_stored_as_modelled_so_far(service, content):
    service.stop()
    assert_stored_as_modelled(service.dwell, Model(Rule(now=BASE * 2)).fold_file(content))


def test_a_file_that_comes_later_is_found(following, log):
    service = following()
    assert service.get("/readyz").status == 200
    log.write_bytes(lines(0, 5))
    assert_stored(service, range(5))
    assert gaps(service) == 0
    service.stop()  # its position is found again, though it was named before it was there
    append(log, lines(5, 1))
    service.start()
    assert_stored(service, range(6))
    service.stop()
    assert service.dwell.totals()["accepted"] == 6 and not service.dwell.totals()["duplicate"]


def test_a_last_line_without_newline_waits(following, log):
    content = lines(0, 3)
    log.write_bytes(content[:-3])
    service = following()
    assert_stored(service, range(2))
    append(log, content[-3:-2])
    service.store(("other", "enter", BASE))  # the loop goes round: what could be read, was
    service.store(("other", "exit", BASE + 1))
    assert_stored(service, range(2))
    append(log, content[-2:])
    assert_stored(service, range(3))


def test_a_half_line_is_not_read_at_the_stop_either(following, log):
    log.write_bytes(lines(0, 3)[:-10])
    service = following()
    assert_stored(service, range(2))
    service.stop()
    assert len(service.dwell.rows()) == 2 and service.dwell.rejects() == []
    append(log, lines(0, 3)[-10:])
    service.start()
    assert_stored(service, range(3))


def test_rotation_while_running(following, log):
    """The old file is read to its end first, also what is written to it after the rename."""
    log.write_bytes(lines(0, 3))
    service = following()
    assert_stored(service, range(3))
    for turn in range(1, 4):
        first = turn * 10 - 7
        append(log, lines(first, 2))
        old = log.with_name(f"events.log.{turn}")
        log.rename(old)
        append(old, lines(first + 2, 3))  # the writer has not reopened yet
        assert_stored(service, range(first + 5))
        append(log, lines(first + 5, 5))
        assert_stored(service, range(first + 10))
    service.stop()
    service.start()
    assert gaps(service) == 0
    append(log, lines(33, 1))
    assert_stored(service, range(34))


def test_a_last_line_without_newline_is_complete_once_the_file_was_rotated(following, log):
    log.write_bytes(lines(0, 3)[:-1])
    service = following()
    assert_stored(service, range(2))
    log.rename(log.with_name("old"))
    log.write_bytes(lines(3, 2))
    assert_stored(service, range(5))


def test_rotation_while_down(following, log):
    log.write_bytes(lines(0, 3))
    service = following()
    assert_stored(service, range(3))
    service.stop()
    append(log, lines(3, 3))
    log.rename(log.with_name("events.log.1"))
    log.write_bytes(lines(6, 3))
    service.start()
    assert_stored(service, range(9))
    assert gaps(service) == 0
    service.stop()
    service.start()
    append(log, lines(9, 1))
    assert_stored(service, range(10))
    assert gaps(service) == 0


def test_rotation_while_down_and_no_new_file_yet(following, log):
    log.write_bytes(lines(0, 3))
    service = following()
    assert_stored(service, range(3))
    service.stop()
    append(log, lines(3, 3))
    log.rename(log.with_name("events.log.1"))
    service.start()
    assert_stored(service, range(6))
    log.write_bytes(lines(6, 3))
    assert_stored(service, range(9))
    assert gaps(service) == 0


def test_a_rotated_file_that_was_deleted_is_a_logged_and_counted_gap(following, log):
    log.write_bytes(lines(0, 3))
    service = following()
    assert_stored(service, range(3))
    service.stop()
    log.unlink()
    log.write_bytes(lines(51, 2))
    service.start()
    assert_stored(service, [0, 1, 2, 51, 52])
    assert gaps(service) == 1
    assert f"what it held after byte {len(lines(0, 3))} is lost" in service.log
    append(log, lines(53, 1))
    assert_stored(service, [0, 1, 2, 51, 52, 53])
    service.stop()
    service.start()
    assert gaps(service) == 0, "a gap is told once"


def test_two_rotations_while_down(following, log):
    """The file between the old one and the new one is not read, but that is told and counted."""
    log.write_bytes(lines(0, 3))
    service = following()
    assert_stored(service, range(3))
    service.stop()
    append(log, lines(3, 3))
    log.rename(log.with_name("events.log.2"))
    log.with_name("events.log.1").write_bytes(lines(6, 3))
    log.write_bytes(lines(9, 3))
    service.start()
    wait_until(lambda: listed([11])[0] in service.timeline("cam"))
    assert service.timeline("cam") == listed([*range(6), 10, 11])  # 9 repeats 5
    assert gaps(service) == 1 and "events.log.1: was written and rotated away" in service.log


def test_a_file_cut_in_place_is_a_logged_and_counted_gap(following, log):
    log.write_bytes(lines(0, 10))
    service = following()
    assert_stored(service, range(10))
    log.write_bytes(lines(50, 2))  # truncates, same inode
    assert_stored(service, [*range(10), 50, 51])
    assert gaps(service) == 1 and "cut in place" in service.log
    append(log, lines(52, 2))
    assert_stored(service, [*range(10), 50, 51, 52, 53])


def test_a_file_cut_while_down_is_a_gap(following, log):
    log.write_bytes(lines(0, 10))
    service = following()
    assert_stored(service, range(10))
    service.stop()
    log.write_bytes(lines(50, 2))
    service.start()
    assert_stored(service, [*range(10), 50, 51])
    assert gaps(service) == 1


def test_no_other_file_of_the_folder_is_mistaken_for_the_old_one(following, log):
    """An input of which nothing was read yet has no identity to look for."""
    log.write_bytes(lines(0, 3))
    service = following()
    assert_stored(service, range(3))
    log.rename(log.with_name("events.log.1"))
    log.write_bytes(b"{")  # begun, so the old one is finished with
    wait_until(lambda: service.dwell.query("SELECT next FROM input WHERE source LIKE '%events.log'")
               == [(0,)])
    service.stop()
    log.unlink()
    stranger = log.with_name("notes.txt")
    stranger.write_bytes(lines(71, 3))
    service.start()
    log.write_bytes(lines(3, 3))
    wait_until(lambda: listed([5])[0] in service.timeline("cam"))
    assert service.timeline("cam") == listed(range(6))


def test_killed_while_following_nothing_is_lost_or_doubled(following, log):
    log.write_bytes(b"")
    service = following()
    for turn in range(6):
        # What came before is read: two rotations while down are another matter, see above.
        wait_until(lambda: len(service.dwell.rows()) == turn * 2_000)
        append(log, lines(turn * 2_000, 2_000))
        if turn % 2:
            log.rename(log.with_name(f"events.log.{turn}"))
            log.write_bytes(b"")
        service.kill()
        service.start()
    assert_stored(service, range(12_000))
    assert gaps(service) == 0


def test_long_lines_and_binary_input_do_not_stop_what_follows(following, log):
    """A line of exactly the limit is a record, one above is too_large, neither fills memory."""
    pad = b" " * ((1 << 20) - len(lines(0, 1)) + 1)
    longest = lines(0, 1)[:-1] + pad + b"\n"
    assert len(longest) == (1 << 20) + 1
    log.write_bytes(longest + longest[:-1] + b" \n" + os.urandom(300_000) + b"\n\0\0\xff\n"
                    + b"x" * (5 << 20) + b"\n" + longest * 40 + lines(1, 3))
    service = following()
    assert_stored(service, range(4))
    assert service.memory() < 300 << 20
    assert_stored_as_modelled_so_far(service, log.read_bytes())


def test_a_line_without_end_is_bounded_memory(following, log):
    service = following()
    with open(log, "wb") as file:
        for _ in range(100):
            file.write(b"y" * (2 << 20))
    service.store(("other", "enter", BASE))
    before = service.memory()
    append(log, b"\n" + lines(0, 1))
    assert_stored(service, range(1))
    assert max(before, service.memory()) < 200 << 20
    assert [reason for reason, _, _ in service.dwell.rejects()] == ["too_large"]


def test_standard_input(serving):
    service = serving("--from", "-", stdin=subprocess.PIPE)
    pipe = service.process.stdin
    for n in range(5):
        pipe.write(lines(n, 1)[:-7])
        pipe.flush()
        service.store(("other", ("enter", "exit")[n % 2], BASE + n))  # HTTP at the same time
        pipe.write(lines(n, 1)[-7:])
        pipe.flush()
        assert_stored(service, range(n + 1))
    pipe.close()
    service.store(("after", "enter", BASE))  # the end of the input is not that of the service
    assert_stored(service, range(5))
    service.stop()


def test_standard_input_that_is_open_does_not_hold_up_the_stop(serving):
    service = serving("--from", "-", stdin=subprocess.PIPE)
    service.process.stdin.write(lines(0, 1) + b"half a line")
    service.process.stdin.flush()
    assert_stored(service, range(1))
    service.stop()


def test_the_last_line_of_standard_input_counts_at_its_end(serving):
    service = serving("--from", "-", stdin=subprocess.PIPE)
    service.process.stdin.write(lines(0, 2)[:-1])
    service.process.stdin.close()
    assert_stored(service, range(2))


def test_a_folder_is_no_input(dwell_in, tmp_path):
    answer = dwell_in.run("run", "--listen", "127.0.0.1:0", "--from", tmp_path, status=2)
    assert str(tmp_path) in answer.err and len(answer.err.splitlines()) == 1
