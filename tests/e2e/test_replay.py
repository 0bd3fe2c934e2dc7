"""`dwell replay`: going on, inputs of every kind, identity, order, the lock, report and progress."""

import os
import pty
import re
import select
import subprocess
import time

import pytest

from dwell_cli import Dwell, assert_stored_as_modelled, clean_environment, event
from presence_model import Model, Rule

BASE = 1_751_932_800_000  # 2025-07-08


def visits(count, device="cam", start=0):
    """Enter and exit in turn, a second apart."""
    return b"".join(event(device, ("enter", "exit")[n % 2], BASE + n * 1000)
                    for n in range(start, start + count))


def records_read(answer):
    return answer.json["run"]["records"]


def generated(dwell, *flags):
    return dwell.run("generate", "--garbage", "5", "--disorder", "5", "--redelivery", "5",
                     *flags).raw


@pytest.mark.parametrize("order", ["arrival", "event_time"])
def test_generated_input_is_stored_as_modelled_and_only_once(dwell, order):
    content = generated(dwell, "--events", "5000", "--seed", "7")
    path = dwell.write("in.ndjson", content)
    first = dwell.run("replay", path, "--order", order, "--json")
    model = Model(Rule(now=dwell.now_of(path), order=order)).fold_file(content)
    assert records_read(first) == model.outcomes.total()
    assert_stored_as_modelled(dwell, model)
    second = dwell.run("replay", path, "--json")
    assert records_read(second) == 0
    assert second.json["database"] == first.json["database"]
    assert "nothing new" in second.err
    assert_stored_as_modelled(dwell, model)


def test_goes_on_after_the_file_grew(dwell):
    path = dwell.write("in.ndjson", visits(10))
    dwell.run("replay", path)
    for batch in range(1, 4):
        dwell.write("in.ndjson", visits(10 * (batch + 1)))
        assert records_read(dwell.run("replay", path, "--json")) == 10
    assert_stored_as_modelled(dwell, Model(Rule(now=BASE)).fold_file(visits(40)))


def test_the_whole_beginning_identifies_a_file_that_was_short(dwell):
    """The hash covers what was there; later growth past 4096 bytes must not change the identity."""
    path = dwell.write("in.ndjson", visits(1))
    dwell.run("replay", path)
    dwell.write("in.ndjson", visits(200))
    assert records_read(dwell.run("replay", path, "--json")) == 199


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_an_unterminated_last_line_is_a_record(dwell, ending):
    content = visits(3).rstrip(b"\n") + ending
    path = dwell.write("in.ndjson", content)
    assert records_read(dwell.run("replay", path, "--json")) == 3
    assert records_read(dwell.run("replay", path, "--json")) == 0


def test_standard_input_has_no_position(dwell):
    """The same stream again is read again; the rule, not a position, makes it harmless."""
    content = visits(3)
    first = dwell.run("replay", "-", "--json", stdin=content)
    assert records_read(first) == 3 and first.json["run"]["outcomes"]["accepted"] == 3
    again = dwell.run("replay", "-", "--json", stdin=content)
    assert records_read(again) == 3 and again.json["run"]["outcomes"]["duplicate"] == 3
    assert dwell.query("SELECT count(*) FROM input WHERE next > 0 AND source != '-'") == [(0,)]
    assert records_read(dwell.run("replay", "-", "--json", stdin=b"")) == 0


def test_a_stream_in_pieces_is_committed_while_it_is_open(dwell):
    """A live pipe: what came is visible before the writer closes, lines cut anywhere."""
    process = dwell.start("replay", "-", "--json", stdin=subprocess.PIPE)
    try:
        content = visits(4)
        process.stdin.write(content[:-10])
        process.stdin.flush()
        wait_until(lambda: (dwell.folder / "dwell.db").exists() and three_rows(dwell))
        out, _ = process.communicate(content[-10:], timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0 and b'"records":4' in out
    assert len(dwell.rows()) == 4


def three_rows(dwell):
    """Asked as a user would while the replay runs."""
    answer = subprocess.run(dwell.command("timeline", "cam", "--csv"), cwd=dwell.folder,
                            env=clean_environment(), capture_output=True, timeout=60)
    return answer.stdout.count(b"device_e") == 3


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.01)


def test_several_files_are_read_in_the_order_named(dwell):
    dwell.write("b.ndjson", visits(4))
    dwell.write("a.ndjson", visits(4, start=4))
    answer = dwell.run("replay", "b.ndjson", "a.ndjson", "-", "b.ndjson", "--json", "--order",
                       "arrival", stdin=visits(2, start=8))
    assert records_read(answer) == 10
    assert_stored_as_modelled(dwell, Model(Rule(now=BASE, order="arrival")).fold_file(visits(10)))


def test_a_file_is_the_same_under_every_path_to_it(dwell):
    dwell.write("in.ndjson", visits(4))
    (dwell.folder / "link.ndjson").symlink_to("in.ndjson")
    assert records_read(dwell.run("replay", "in.ndjson", "--json")) == 4
    for path in ("./in.ndjson", dwell.folder / "in.ndjson", "link.ndjson"):
        assert records_read(dwell.run("replay", path, "--json")) == 0


def test_a_fifo_is_read_like_standard_input(dwell):
    fifo = dwell.folder / "fifo"
    os.mkfifo(fifo)
    process = dwell.start("replay", fifo, "--json")
    try:
        with open(fifo, "wb") as writer:
            writer.write(visits(5))
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0 and b'"records":5' in out


def test_nothing_in_is_nothing_stored(dwell):
    dwell.write("empty.ndjson", b"")
    dwell.write("blank.ndjson", b"\n\n  \n\t\r\n")
    answer = dwell.run("replay", "empty.ndjson", "blank.ndjson", "/dev/null", "--json")
    assert answer.json["database"]["records"] == 0
    assert dwell.run("who", "--json").json["devices"] == []


@pytest.mark.parametrize("change, word", [
    (lambda content: content[:-1], "bytes"),
    (lambda content: b"", "bytes"),
    (lambda content: b"{" + content, "differ"),
    (lambda content: content.replace(b"cam", b"cat", 1) + content, "differ"),
])
def test_another_file_under_the_same_name_is_refused(dwell, change, word):
    content = visits(6)
    path = dwell.write("in.ndjson", content)
    dwell.run("replay", path)
    before = dwell.rows(), dwell.totals()
    dwell.write("in.ndjson", change(content))
    answer = dwell.run("replay", path, status=2)
    assert str(path) in answer.err and word in answer.err and "another name" in answer.err
    assert (dwell.rows(), dwell.totals()) == before
    dwell.write("in.ndjson", content)
    assert records_read(dwell.run("replay", path, "--json")) == 0


@pytest.mark.parametrize("first, second", [("arrival", "event_time"), ("event_time", "arrival")])
def test_orders_are_not_mixed(dwell, first, second):
    dwell.write("a.ndjson", visits(2))
    dwell.run("replay", "a.ndjson", "--order", first)
    dwell.write("a.ndjson", visits(4))
    answer = dwell.run("replay", "a.ndjson", "--order", second, status=2)
    assert "dwell.db" in answer.err and first in answer.err and second in answer.err
    dwell.run("replay", "a.ndjson", status=2, DWELL_ORDER_MODE=second)
    assert len(dwell.rows()) == 2
    going_on = dwell.run("replay", "a.ndjson", "--json").json
    assert going_on["run"]["records"] == 2 and going_on["database"]["order"] == first


def test_a_second_process_is_told_who_holds_the_database(dwell):
    dwell.write("in.ndjson", visits(2))
    holder = dwell.start("replay", "-", stdin=subprocess.PIPE)
    try:
        wait_until(lambda: (dwell.folder / "dwell.db.lock").exists()
                   and str(holder.pid) in (dwell.folder / "dwell.db.lock").read_text())
        answer = dwell.run("replay", "in.ndjson", status=1)
        assert re.search(rf"\b{holder.pid}\b", answer.err) and "dwell.db" in answer.err
    finally:
        holder.kill()
        holder.communicate()
    dwell.run("replay", "in.ndjson")  # a lock left behind by kill -9 holds nobody up


def table_of(text):
    """{(outcome, reason): (this run, in all)} of the closing table."""
    lines = text.splitlines()
    assert lines[0].split() == ["outcome", "reason", "this", "run", "in", "all"]
    rows = {}
    for line in lines[1:lines.index("")]:
        match = re.fullmatch(r"(records read|\w+) +(\S+)? +([\d,]+) +([\d,]+)", line)
        assert match, line
        counts = tuple(int(match[i].replace(",", "")) for i in (3, 4))
        rows[match[1], match[2] or ""] = counts
    return rows


def test_the_closing_table_adds_up(dwell):
    """Both columns, after a second file, and the same numbers as --json."""
    for seed in ("1", "2"):
        dwell.write(f"{seed}.ndjson", generated(dwell, "--events", "3000", "--seed", seed))
    dwell.run("replay", "1.ndjson")
    table = table_of(dwell.run("replay", "2.ndjson").out)
    report = dwell.run("replay", "2.ndjson", "--json").json["database"]
    total = table.pop(("records read", ""))
    assert tuple(map(sum, zip(*table.values()))) == total
    assert total[0] == len((dwell.folder / "2.ndjson").read_bytes().splitlines())
    assert total[1] == report["records"] == sum(report["outcomes"].values())
    for (outcome, reason), (_, in_all) in table.items():
        where = report["ignoredTypes"] if outcome == "ignored" else report["outcomes"]
        assert where[reason or "accepted"] == in_all
    assert sum(report["ignoredTypes"].values()) == report["outcomes"]["ignored"]


@pytest.mark.parametrize("order", ["arrival", "event_time"])
def test_the_rows_are_accounted_for(dwell, order):
    """accepted + promoted - retracted - absorbed = rows, in the report and in its last line."""
    dwell.write("in.ndjson", generated(dwell, "--events", "3000", "--devices", "9"))
    text = dwell.run("replay", "in.ndjson", "--order", order).out.splitlines()[-1]
    report = dwell.run("replay", "in.ndjson", "--json").json["database"]
    assert report["rows"] == (report["outcomes"]["accepted"] + report["promoted"]
                              - report["retracted"] - report["absorbed"]) == len(dwell.rows())
    assert report["faults"] == 0
    assert text.startswith(f"{report['rows']:,} rows of 9 devices in dwell.db: ")
    assert f"(order = {order})" in text


def test_progress_is_plain_lines_when_nobody_watches(dwell):
    dwell.write("in.ndjson", visits(500))
    answer = dwell.run("replay", "in.ndjson")
    assert re.fullmatch(r"in\.ndjson  [\d.]+ (KiB|MiB|bytes)  100 %  [\d,]+ events/s\n", answer.err)


def run_on_terminal(dwell, *arguments, **environment):
    """Standard error is a terminal: everything written to it, and the exit status."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(dwell.command(*arguments), cwd=dwell.folder, stderr=follower,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               env=clean_environment(**environment))
    os.close(follower)
    seen = b""
    try:
        while select.select([leader], [], [], 60)[0]:
            try:
                piece = os.read(leader, 65_536)
            except OSError:  # EIO: the other end is closed
                break
            seen += piece
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(leader)
    return seen.decode()


@pytest.mark.parametrize("locale, full", [("C.UTF-8", "█"), ("C", "#")])
def test_progress_is_a_bar_on_a_terminal(dwell, locale, full):
    dwell.write("in.ndjson", generated(dwell, "--events", "20000"))
    seen = run_on_terminal(dwell, "replay", "in.ndjson", "--batch-records", "100", LC_ALL=locale)
    bars = re.findall(r"\r[^\r\n]*\[(.*?)\]  +(\d+) %", seen)
    assert bars and bars[-1] == (full * 24, "100")
    assert [int(share) for _, share in bars] == sorted(int(share) for _, share in bars)
    assert "events/s" in seen
    if locale == "C":
        assert seen.isascii()


def test_crlf_and_a_thousand_devices(dwell):
    content = b"".join(event(f"cam {n % 3000}", ("enter", "exit")[n // 3000], BASE + n)
                       for n in range(6000)).replace(b"\n", b"\r\n")
    path = dwell.write("in.ndjson", content)
    dwell.run("replay", path)
    model = Model(Rule(now=BASE)).fold_file(content)
    assert model.outcomes == {"accepted": 6000}
    assert_stored_as_modelled(dwell, model)


def test_two_databases_know_nothing_of_each_other(dwell, tmp_path_factory):
    dwell.write("in.ndjson", visits(2))
    other = Dwell(tmp_path_factory.mktemp("other"))
    dwell.run("replay", "in.ndjson")
    answer = other.run("replay", dwell.folder / "in.ndjson", "--db", "x.db", "--json")
    assert records_read(answer) == 2 and not (other.folder / "dwell.db").exists()
