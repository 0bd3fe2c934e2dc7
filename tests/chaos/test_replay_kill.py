"""kill -9 of `dwell replay` at random points: nothing is lost, nothing is doubled.

DWELL_CHAOS_ROUNDS says how many rounds (30), DWELL_CHAOS_SEED repeats a run that failed; it
is printed with every failure.
"""

import os
import pathlib
import random
import shutil
import signal
import time

import pytest

from dwell_cli import Dwell, assert_stored_as_modelled, event
from presence_model import Model, Rule

ROUNDS = int(os.environ.get("DWELL_CHAOS_ROUNDS", "30"))
SEED = int(os.environ.get("DWELL_CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
BASE = 1_751_932_800_000  # 2025-07-08
POLL_S = 0.0001
GIVE_UP_S = 60


def history(rng, count):
    """Disordered, repeated, redelivered and unusable records of a few hundred devices."""
    devices = rng.choice([3, 50, 700])
    lines = []
    for n in range(count):
        share = rng.random()
        if share < 0.05 and lines:
            lines.append(rng.choice(lines[-50:]))
        elif share < 0.10:
            lines.append(rng.choice([b"garbage %d\n" % n, b'{"event_type":"device_exit"}\n',
                                     b"\xff\x00\n", event("", "enter", BASE),
                                     event("cam", "enter", "later")]))
        elif share < 0.13:
            lines.append(event(f"cam-{rng.randrange(devices)}", f"type-{rng.randrange(3)}", BASE))
        else:
            late = rng.choice([0, 0, 0, rng.randrange(60_000), rng.randrange(90_000_000)])
            kind = rng.choice(["enter", "exit"])
            lines.append(event(f"cam-{rng.randrange(devices)}", kind, BASE + n * 20_000 - late))
    return b"".join(lines)


def size_of(path):
    return path.stat().st_size if path.exists() else 0


class Replay:
    """One input in one folder, replayed in small batches, killed now and then, and its model."""

    def __init__(self, folder, order, content, *flags):
        self.dwell, self.order, self.content = Dwell(folder), order, content
        self.input = self.dwell.write("in.ndjson", content)
        self.arguments = ("replay", self.input, "--order", order, *flags)
        self.model, self.committed, self.kills, self.kills_in_the_middle = None, 0, 0, 0

    @property
    def log(self):
        return self.dwell.folder / "dwell.db-wal"

    def kill_after(self, is_due, delay_s=0.0):
        """Starts a replay and kills it once `is_due()`; False when it came to its end before."""
        process = self.dwell.start(*self.arguments)
        try:
            deadline = time.monotonic() + GIVE_UP_S
            while not is_due() and process.poll() is None:
                assert time.monotonic() < deadline, "the replay makes no progress"
                time.sleep(POLL_S)
            due = time.monotonic() + delay_s
            while time.monotonic() < due:
                pass  # shorter than a sleep can be
        finally:
            process.kill()
            _, err = process.communicate()
        was_killed = process.returncode == -signal.SIGKILL
        assert was_killed or process.returncode == 0, err
        self.kills += was_killed
        self.check_what_is_committed()
        return was_killed

    def log_changes(self, count):
        """A condition: the log was written to `count` times, as far as its times can tell."""
        seen = []

        def is_due():
            state = (size_of(self.log), self.log.stat().st_mtime_ns) if self.log.exists() else None
            if not seen or seen[-1] != state:
                seen.append(state)
            return len(seen) > count

        return is_due

    def check_what_is_committed(self):
        """Rows, state and position are of one moment: the model of the bytes read so far says all.

        Looks at a copy, so that the next replay finds exactly what the kill left.
        """
        copy = Dwell(pathlib.Path(self.dwell.folder) / "copy")
        shutil.rmtree(copy.folder, ignore_errors=True)
        copy.folder.mkdir()
        for name in ("dwell.db", "dwell.db-wal"):
            if (self.dwell.folder / name).exists():
                shutil.copy(self.dwell.folder / name, copy.folder / name)
        position = self.position_in(copy)
        assert position >= self.committed, "a committed position went back"
        self.kills_in_the_middle += 0 < position < len(self.content)
        if position == 0:
            return
        if self.model is None:
            self.model = Model(Rule(now=copy.now_of(self.input), order=self.order))
        self.model.fold_file(self.content[:position], self.committed)
        self.committed = position
        assert_stored_as_modelled(copy, self.model)

    @staticmethod
    def position_in(dwell):
        if size_of(dwell.folder / "dwell.db") + size_of(dwell.folder / "dwell.db-wal") == 0:
            return 0
        has_table = dwell.query("SELECT 1 FROM sqlite_schema WHERE name = 'input'")
        found = dwell.query("SELECT next FROM input") if has_table else []
        return found[0][0] if found else 0

    def finish(self):
        """Runs to the end: this run reads just what was not committed, and all adds up."""
        records_before = self.model.outcomes.total() if self.model else 0
        report = self.dwell.run(*self.arguments, "--json").json
        self.check_what_is_committed()
        assert self.committed == len(self.content)
        records = self.model.outcomes.total()
        assert report["run"]["records"] == records - records_before
        assert report["database"]["records"] == records
        assert report["database"]["rows"] == len(self.model.rows)
        assert report["database"]["rejectsKept"] == len(self.model.kept)
        again = self.dwell.run(*self.arguments, "--json").json
        assert again["run"]["records"] == 0 and again["database"] == report["database"]


@pytest.fixture(scope="module")
def tally():
    """Counts the kills; rounds that all ran to their end would have tested nothing."""
    rounds = []
    yield rounds
    killed = sum(kills > 0 for kills, _ in rounds)
    middle = sum(in_the_middle > 0 for _, in_the_middle in rounds)
    print(f"{len(rounds)} rounds: {killed} killed, {middle} of them between two commits of one file")
    assert killed >= 0.8 * len(rounds), rounds
    assert middle >= 0.6 * len(rounds), rounds


@pytest.mark.parametrize("number", range(ROUNDS))
def test_killed_at_random(tmp_path, tally, number):
    print(f"DWELL_CHAOS_SEED={SEED}, round {number}")
    rng = random.Random(f"{SEED}-{number}")
    order = ("arrival", "event_time")[number % 2]
    records, batch = rng.randrange(8_000, 20_000), rng.choice([40, 100, 300])
    replay = Replay(tmp_path, order, history(rng, records), "--batch-records", str(batch))
    kills = rng.choice([1, 1, 2, 4])
    for _ in range(kills):
        changes = rng.randrange(1, max(2, records // batch // (kills + 1)))
        if not replay.kill_after(replay.log_changes(changes), rng.uniform(0, 0.004)):
            break
    replay.finish()
    tally.append((replay.kills, replay.kills_in_the_middle))


@pytest.mark.parametrize("order", ["arrival", "event_time"])
def test_killed_in_the_very_first_commit(tmp_path, order):
    """One batch holds the file and the small cache spills it into the log long before COMMIT."""
    print(f"DWELL_CHAOS_SEED={SEED}")
    rng = random.Random(f"{SEED}-first-{order}")
    content = history(rng, 20_000)
    kills_inside = 0
    for attempt in range(6):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        replay = Replay(folder, order, content, "--db-cache", "1MiB")
        empty = replay.dwell.write("empty.ndjson", "")
        replay.dwell.run("replay", empty, "--order", order)  # the tables, so that the log is ours
        least = rng.randrange(1, 300_000)
        was_killed = replay.kill_after(lambda: size_of(replay.log) >= least)
        kills_inside += was_killed and replay.committed == 0
        replay.finish()
    assert kills_inside > 0


def test_killed_while_the_database_is_made(tmp_path):
    print(f"DWELL_CHAOS_SEED={SEED}")
    rng = random.Random(f"{SEED}-create")
    content = history(rng, 500)
    for attempt in range(6):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        replay = Replay(folder, "arrival", content)
        replay.kill_after((folder / "dwell.db").exists, rng.uniform(0, 0.006))
        replay.finish()


def assert_refused(replay, *words):
    """Status 2, a message with `words`, and a database that stays as it was."""
    before = replay.committed
    answer = replay.dwell.run(*replay.arguments, status=2)
    assert answer.raw == b"" and len(answer.err.splitlines()) == 1
    for word in ("in.ndjson", "another name", *words):
        assert word in answer.err
    replay.check_what_is_committed()
    assert replay.committed == before


@pytest.mark.parametrize("order", ["arrival", "event_time"])
def test_killed_then_the_input_was_changed(tmp_path, order):
    """A file that is not the one read before must not be joined to the committed half."""
    rng = random.Random(f"{SEED}-changed-{order}")
    content = history(rng, 10_000)
    replay = Replay(tmp_path, order, content, "--batch-records", "50")
    assert replay.kill_after(replay.log_changes(20))
    assert 0 < replay.committed < len(content)

    replay.input.write_bytes(content[:replay.committed - 1])
    assert_refused(replay, f"has {replay.committed - 1} bytes", str(replay.committed))
    replay.input.write_bytes(b"")
    assert_refused(replay, "has 0 bytes")
    changed = bytearray(content)
    changed[min(replay.committed, 4096) // 2] ^= 1
    replay.input.write_bytes(changed)
    assert_refused(replay, "differ")

    replay.input.write_bytes(content)
    replay.finish()
