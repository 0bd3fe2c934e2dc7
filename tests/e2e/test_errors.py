"""What goes wrong: a status, one clear line that names the thing, and nothing broken by it."""

import os
import re
import resource
import sqlite3
import subprocess

import pytest

from dwell_cli import TIMEOUT_S, clean_environment, event

BASE = 1_751_932_800_000  # 2025-07-08
READERS = [("timeline", "cam 1"), ("timeline", "cam 1", "--json"), ("timeline", "cam 1", "--csv"),
           ("who",), ("who", "--json"), ("who", "--csv"), ("rejects",), ("rejects", "--json"),
           ("rejects", "--id", "1")]
WRITERS = [("version",), ("config",), ("config", "--docs"), ("generate",), ("--help",),
           ("replay", "--help"), ("check", "ok.toml"), ("replay", "in.ndjson"),
           ("replay", "in.ndjson", "--json")]


def named(commands):
    return {"argvalues": commands, "ids": [" ".join(command) for command in commands]}


@pytest.fixture
def filled(dwell):
    """A folder with an input, settings and a database of some hundred pages."""
    lines = [event(f"cam {n % 100}", ("enter", "exit")[n // 100 % 2], BASE + n) for n in range(20_000)]
    dwell.write("in.ndjson", b"bad\n" + b"".join(lines))
    dwell.write("ok.toml", "")
    dwell.run("replay", "in.ndjson")
    return dwell


def one_line(answer, *words):
    """One line for people: no stack trace, no assertion, nothing on standard output."""
    assert answer.raw == b"" and len(answer.err.splitlines()) == 1, answer
    for word in ("dwell: ", *words):
        assert word in answer.err


def test_version(dwell):
    assert re.fullmatch(r"dwell \d+\.\d+\.\d+\nOTLP: (yes|no).*\n", dwell.run("version").out)


@pytest.mark.parametrize("arguments", [
    (), ("nope",), ("replay",), ("timeline",), ("check",), ("who", "extra"), ("who", "--nope"),
    ("timeline", "-x"), ("replay", "in", "--order"), ("version", "--db", "x")])
def test_usage_is_status_2(dwell, arguments):
    answer = dwell.run(*arguments, status=2)
    assert answer.raw == b"" and "--help" in answer.err


def test_help_is_status_0(dwell):
    for command in ("", "replay", "timeline", "who", "rejects", "generate", "check", "config", "version"):
        assert "Usage: dwell" in dwell.run(*command.split(), "--help").out


@pytest.mark.parametrize("command", **named(READERS))
def test_a_database_that_is_not_there(dwell, command):
    """Asking makes no file, and says how to make one."""
    one_line(dwell.run(*command, status=1), "dwell.db", "dwell replay")
    one_line(dwell.run(*command, "--db", "no/such.db", status=1), "no/such.db")
    assert list(dwell.folder.iterdir()) == []


def test_an_input_that_is_not_there(dwell):
    """Looked for before anything is done: no database is left behind, no file half of a job."""
    dwell.write("in.ndjson", event("cam", "enter", BASE))
    one_line(dwell.run("replay", "in.ndjson", "nope.ndjson", status=1), "nope.ndjson", "No such file")
    assert [path.name for path in dwell.folder.iterdir()] == ["in.ndjson"]


def test_folders_in_place_of_files(filled):
    (filled.folder / "folder").mkdir()
    answer = filled.run("replay", "folder", status=2)
    one_line(answer, "folder", "is a folder")
    one_line(filled.run("replay", "in.ndjson", "--db", "folder", status=2), "folder: is a folder")
    for command in READERS:
        one_line(filled.run(*command, "--db", "folder", status=2), "folder: is a folder")


@pytest.mark.parametrize("path", ["no/such/folder/x.db", "in.ndjson/x.db"])
def test_a_database_where_none_can_be_made(dwell, path):
    dwell.write("in.ndjson", event("cam", "enter", BASE))
    one_line(dwell.run("replay", "in.ndjson", "--db", path, status=2), path)
    assert {entry.name for entry in dwell.folder.iterdir()} == {"in.ndjson"}


def test_a_file_that_is_no_database(dwell):
    dwell.write("in.ndjson", event("cam", "enter", BASE))
    content = b"just text, long enough to be looked at " * 100
    path = dwell.write("text.db", content)
    for command in (("replay", "in.ndjson"), *READERS):
        one_line(dwell.run(*command, "--db", "text.db", status=2), "text.db", "not a database")
    assert path.read_bytes() == content


def test_another_programs_database_is_left_as_it_is(dwell):
    """Not one byte: a refused replay once switched it to a write-ahead log for good."""
    dwell.write("in.ndjson", event("cam", "enter", BASE))
    path = dwell.folder / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE event (a)")
    connection.commit()
    connection.close()
    content = path.read_bytes()
    for command in (("replay", "in.ndjson"), *READERS):
        one_line(dwell.run(*command, "--db", "other.db", status=2), "other.db", "another program")
    assert path.read_bytes() == content


def test_a_database_of_a_newer_release(filled):
    filled.query_and_commit("PRAGMA user_version = 99")
    for command in (("replay", "in.ndjson"), *READERS):
        one_line(filled.run(*command, status=2), "dwell.db", "newer release")


def test_a_database_that_cannot_be_written(filled):
    """A read-only bind would need a mount; a file in the log's place stops root as well."""
    filled.write("more.ndjson", event("cam", "enter", BASE))
    before = filled.rows()
    (filled.folder / "dwell.db.lock").unlink()
    (filled.folder / "dwell.db.lock").mkdir()
    one_line(filled.run("replay", "more.ndjson", status=2), "dwell.db.lock")
    (filled.folder / "dwell.db.lock").rmdir()
    assert filled.rows() == before


@pytest.mark.parametrize("size", [100, 4096, 8192, 30_000])
def test_a_database_cut_short(filled, size):
    os.truncate(filled.folder / "dwell.db", size)
    filled.write("more.ndjson", event("cam", "enter", BASE))
    for command in (("replay", "more.ndjson"), *READERS):
        answer = filled.run(*command, status=1)
        one_line(answer, "dwell.db", "backup")


def test_a_damaged_page_is_no_crash(filled):
    """Each command either works or says which file is damaged; it never dies of it."""
    filled.write("more.ndjson", event("cam", "enter", BASE) + event("cam 1", "enter", BASE * 2))
    whole = (filled.folder / "dwell.db").read_bytes()
    commands = [("replay", "more.ndjson"), *READERS]
    failed = 0
    for page in range(12):
        damaged = bytearray(whole)
        damaged[page * 8192 + 100:(page + 1) * 8192] = b"\xa5" * 8092
        for command in commands:
            filled.write("try.db", damaged)
            done = subprocess.run(filled.command(*command, "--db", "try.db"), cwd=filled.folder,
                                  env=clean_environment(), capture_output=True, timeout=TIMEOUT_S)
            assert done.returncode in (0, 1), (page, command, done)
            assert done.returncode == 0 or b"dwell: try.db: " in done.stderr
            failed += done.returncode
            for path in filled.folder.glob("try.db*"):
                path.unlink()
    assert failed > 2 * len(commands)


@pytest.mark.parametrize("damage, words", [
    ("UPDATE device SET state = x'00' WHERE id = 3", ["cam 2", "state record", "backup"]),
    ("UPDATE device SET state = x'' WHERE id = 3", ["cam 2", "state record", "backup"]),
    ("DELETE FROM device WHERE id = 3", ["gap", "backup"]),
    ("UPDATE input SET mark = x'00'", ["position is damaged"]),
    ("UPDATE meta SET value = 'x'", ["order is damaged", "backup"]),
    ("DROP TABLE event", ["event", "backup"]),
])
def test_damage_that_sqlite_cannot_see(filled, damage, words):
    filled.query_and_commit(damage)
    one_line(filled.run("replay", "in.ndjson", status=1), *words)


@pytest.mark.parametrize("command", **named(READERS + WRITERS))
def test_a_full_disk_is_an_error(filled, command):
    with open("/dev/full", "wb") as full:
        answer = filled.run(*command, status=1, stdout=full)
    assert "No space left on device" in answer.err


@pytest.mark.parametrize("command", **named(READERS + WRITERS))
def test_a_closed_pipe_is_an_error(filled, command):
    """The reader is gone: SIGPIPE or a status, never success. Nothing is stored twice for it."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(filled.command(*command), cwd=filled.folder, stdout=writer,
                              stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              env=clean_environment(), timeout=TIMEOUT_S)
    finally:
        os.close(writer)
    assert done.returncode != 0


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_closed_standard_stream_is_not_mixed_up_with_a_file(dwell, closed):
    """Its number once went to the lock file, which was read as input and written over."""
    content = event("cam", "enter", BASE)
    dwell.write("in.ndjson", content)
    source = "-" if closed == 0 else "in.ndjson"
    shell = ["sh", "-c", f'exec "$@" {closed}{"<" if closed == 0 else ">"}&-', "sh"]
    done = subprocess.run(shell + dwell.command("replay", source), cwd=dwell.folder, timeout=TIMEOUT_S,
                          env=clean_environment(), capture_output=True, input=content)
    assert done.returncode == {0: 1, 1: 1, 2: 0}[closed], done
    assert re.fullmatch(r"process \d+ .*\n", (dwell.folder / "dwell.db.lock").read_text())
    assert dwell.totals()["malformed"] == 0


@pytest.mark.parametrize("command", [("replay", "in.ndjson"), ("who", "--at", "x"), ("check", "no")])
def test_messages_that_cannot_be_written_stop_nothing(filled, command):
    """A log on a full disk once ended a replay with SIGABRT."""
    filled.write("in.ndjson", (filled.folder / "in.ndjson").read_bytes() + event("new", "enter", BASE))
    expected = filled.run(*command, "--db", "try.db", status=0 if command[0] == "replay" else 2).status
    with open("/dev/full", "wb") as full:
        done = subprocess.run(filled.command(*command), cwd=filled.folder, stderr=full, timeout=TIMEOUT_S,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=clean_environment())
    assert done.returncode == expected
    assert len(filled.rows()) == 20_000 + (command[0] == "replay")


def test_a_full_disk_under_the_database_is_waited_for(dwell):
    """A limit on file sizes stands in for the disk; SIGXFSZ is ignored, so that writes fail."""
    dwell.write("in.ndjson", b"".join(event(f"cam {n}", "enter", BASE + n) for n in range(20_000)))
    shell = ["bash", "-c", 'trap "" XFSZ; ulimit -S -f 600; exec "$@"', "bash"]
    process = subprocess.Popen(shell + dwell.command("replay", "in.ndjson", "--batch-records", "500"),
                               cwd=dwell.folder, env=clean_environment(), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        complaint = process.stderr.readline()
        assert b"dwell.db" in complaint and b"trying again" in complaint
        assert 0 < len(dwell.rows()) < 20_000  # what was committed can be read meanwhile
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE,
                         resource.prlimit(process.pid, resource.RLIMIT_FSIZE)[1:] * 2)
        _, err = process.communicate(timeout=TIMEOUT_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, err
    assert dwell.totals()["accepted"] == len(dwell.rows()) == 20_000
