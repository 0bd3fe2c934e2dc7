"""What stands under a name that the user gives: a path is a path, and what is no file is refused or
read as the stream it is; nothing is waited for without end."""

import json
import os
import subprocess
import threading

import pytest

from dwell_cli import clean_environment, event

BASE = 1_751_932_800_000
TOML = "[db]\npath = \"x.db\"\n"


@pytest.mark.parametrize("name", ["file:t.db", "file:t.db?mode=memory", ":memory:", "file::memory:",
                                  "file:///t.db", "a?b#c.db", "%41.db"])
def test_a_path_is_a_path(dwell, name):
    """SQLite would take some of them for something else."""
    if "/" in name:
        (dwell.folder / "file:").mkdir()
    dwell.write("in.ndjson", event("cam", "enter", BASE))
    for _ in range(2):
        totals = dwell.run("replay", "in.ndjson", "--db", name, "--json").json
        assert totals["database"]["rows"] == 1
    assert "cam" in dwell.run("who", "--db", name).out
    assert "1 stay" in dwell.run("timeline", "cam", "--db", name).out
    assert (dwell.folder / name).stat().st_size > 0
    assert (dwell.folder / (name + ".lock")).exists()


@pytest.fixture
def fifo(dwell):
    os.mkfifo(dwell.folder / "fifo")
    return "fifo"


@pytest.mark.parametrize("command", [("timeline", "cam"), ("who",), ("rejects",),
                                     ("replay", "in.ndjson"), ("run", "--listen", "127.0.0.1:0")],
                         ids=lambda command: command[0])
def test_what_is_no_file_is_no_database(dwell, fifo, command):
    dwell.write("in.ndjson", event("cam", "enter", BASE))
    for path in (fifo, "/dev/null", "/dev/zero"):
        answer = dwell.run(*command, "--db", path, status=2)
        assert f"{path}: is no regular file; name another" in answer.err


def check(dwell, *command, stdin, status=0):
    done = subprocess.run(dwell.command(*command), cwd=dwell.folder, stdin=stdin, timeout=60,
                          capture_output=True, env=clean_environment())
    assert done.returncode == status, done
    return (done.stdout + done.stderr).decode()


COMMANDS = [("check", "/dev/stdin"), ("config", "--config", "/dev/stdin")]


@pytest.mark.parametrize("command", COMMANDS, ids=["check", "config"])
def test_settings_may_come_from_a_pipe(dwell, command):
    read, write = os.pipe()
    os.write(write, TOML.encode())
    os.close(write)
    said = check(dwell, *command, stdin=read)
    os.close(read)
    assert "/dev/stdin: ok" in said or 'db.path = "x.db"  # /dev/stdin:2' in said


def test_settings_may_come_from_a_fifo_in_pieces(dwell, fifo):
    def write():
        with open(dwell.folder / fifo, "wb", buffering=0) as file:
            for letter in TOML:
                file.write(letter.encode())
    writer = threading.Thread(target=write)
    writer.start()
    assert 'db.path = "x.db"  # fifo:2' in dwell.run("config", "--config", fifo).out
    writer.join()


def test_a_fifo_that_nobody_writes_is_not_waited_for_without_end(dwell, fifo):
    answer = dwell.run("check", fifo, status=2)
    assert "fifo: nothing came" in answer.err and len(answer.err.splitlines()) == 1


@pytest.mark.parametrize("command", [("check",), ("config", "--config")], ids=["check", "config"])
def test_what_is_no_text_holds_no_settings(dwell, command):
    dwell.write("nul.toml", b"# \0\n")
    dwell.write("large.toml", b"# a comment\n" * (2 << 20))
    for path, word in (("/dev/zero", "NUL"), ("nul.toml", "NUL"), ("large.toml", "16 MiB"),
                       ("missing.toml", "No such file"), (".", "is a folder")):
        answer = dwell.run(*command, path, status=2)
        assert f"{path}: " in answer.err and word in answer.err and len(answer.err) < 300


def test_a_stream_that_does_not_wait_is_waited_for(dwell):
    """As a standard input is that a shell or a supervisor made non-blocking."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    process = dwell.start("replay", "-", "--json", stdin=read)
    os.close(read)
    with open(write, "wb", buffering=0) as file:
        for n in range(5):
            file.write(event("cam", ("enter", "exit")[n % 2], BASE + n))
            while not (dwell.folder / "dwell.db-wal").exists() or len(dwell.rows()) <= n:
                assert process.poll() is None, process.communicate()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and json.loads(out)["database"]["rows"] == 5, err


def test_a_folder_that_is_gone_is_named(dwell):
    """Relative paths lead nowhere then; it is no lack of memory or threads."""
    gone = dwell.folder / "gone"
    gone.mkdir()
    database = dwell.folder / "dwell.db"
    done = subprocess.run(["sh", "-c", 'rmdir ../gone && exec "$@"', "sh",
                           *dwell.command("run", "--listen", "127.0.0.1:0", "--db", database,
                                          "--from", "events.log")],
                          cwd=gone, capture_output=True, text=True, timeout=60,
                          env=clean_environment())
    assert done.returncode == 2 and "events.log: " in done.stderr, done
    assert "limits" not in done.stderr
