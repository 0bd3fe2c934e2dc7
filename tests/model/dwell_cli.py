"""Runs the binary named by DWELL_BIN as a user would, and reads what it stored."""

import base64
import collections
import dataclasses
import json
import os
import pathlib
import sqlite3
import subprocess

from presence_model import Row

REASONS = ("malformed", "invalid_device_id", "invalid_timestamp", "future_timestamp",
           "past_timestamp", "too_late", "too_large", "invalid_event_type")
TIMEOUT_S = 120
# Those with a log, which tests read as text; a test of the log itself sets another form.
SERVICES = ("run", "clean", "store", "serve")
# For tests that use small numbers as times, as the model does without settings.
SMALL_TIMES = {"DWELL_CLOCK_EARLIEST": "off", "DWELL_INPUT_TIME_UNIT": "ms"}


def binary():
    """The binary under test; there is no default, so that a run never tests the wrong one."""
    path = os.environ.get("DWELL_BIN")
    assert path and os.access(path, os.X_OK), f"DWELL_BIN must name the dwell binary, not {path!r}"
    return str(pathlib.Path(path).resolve())


def clean_environment(**extra):
    """The environment without settings, colours and sizes that would come from the developer."""
    dropped = ("DWELL_", "OTEL_", "NO_COLOR", "COLUMNS", "LC_", "LANG", "TERM")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
    # What AddressSanitizer keeps back of freed memory would hide how much is in use.
    return {**kept, "LC_ALL": "C.UTF-8", "TERM": "xterm", "ASAN_OPTIONS": "quarantine_size_mb=16",
            **extra}


@dataclasses.dataclass
class Answer:
    status: int
    raw: bytes
    err: str

    @property
    def out(self):
        return self.raw.decode("utf-8")

    @property
    def json(self):
        return json.loads(self.raw)

    @property
    def json_lines(self):
        return [json.loads(line) for line in self.raw.splitlines()]


class Dwell:
    """The binary in one folder: relative paths in arguments are relative to it."""

    def __init__(self, folder, **environment):
        self.folder, self.environment = pathlib.Path(folder), environment

    def command(self, *arguments):
        return [binary(), *map(os.fspath, arguments)]

    def environment_of(self, arguments, **more):
        log = {"DWELL_LOG_FORMAT": "text"} if arguments and arguments[0] in SERVICES else {}
        return clean_environment(**{**log, **self.environment, **more})

    def run(self, *arguments, stdin=b"", status=0, stdout=subprocess.PIPE, **environment):
        """The answer of one command; any other exit status than `status` fails the test. None
        leaves it to the caller."""
        done = subprocess.run(self.command(*arguments), cwd=self.folder, input=stdin,
                              stdout=stdout, stderr=subprocess.PIPE, timeout=TIMEOUT_S,
                              env=self.environment_of(arguments, **environment))
        answer = Answer(done.returncode, done.stdout or b"", done.stderr.decode("utf-8", "replace"))
        assert status is None or answer.status == status, (
            f"{arguments}: status {answer.status}, expected {status}\n"
            f"{answer.raw[-2000:]!r}\n{answer.err}")
        return answer

    def start(self, *arguments, **options):
        """A running command, for those that kill or feed it."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen(self.command(*arguments), cwd=self.folder,
                                env=self.environment_of(arguments), **options)

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def query(self, sql, *values, db="dwell.db"):
        connection = sqlite3.connect(self.folder / db)
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def query_and_commit(self, sql, db="dwell.db"):
        """For damage, and for time that passed: what no command does."""
        connection = sqlite3.connect(self.folder / db)
        with connection:
            connection.execute(sql)
        connection.close()

    def rows(self, db="dwell.db"):
        """The stored rows in row order."""
        found = self.query("SELECT device_id, timestamp, rank, event_type, seq "
                           "FROM device_events_cleaned", db=db)
        rows = [Row(device, timestamp, kind, rank, seq)
                for device, timestamp, rank, kind, seq in found]
        return sorted(rows, key=lambda r: (r.device.encode(), r.timestamp, r.rank, r.type))

    def totals(self, db="dwell.db"):
        """The committed totals; one that was never written is 0."""
        return collections.Counter(dict(self.query("SELECT name, count FROM total", db=db)))

    def now_of(self, path, db="dwell.db"):
        """The receive time that was committed with the position of `path`: the model's `now`."""
        (mark,), = self.query("SELECT mark FROM input WHERE source = ?",
                              str(pathlib.Path(path).resolve()), db=db)
        _, rest = varint(mark[1:])
        return varint(rest[16:])[0]

    def rejects(self, db="dwell.db"):
        """(reason, offset, bytes) as `dwell rejects --json` lists them."""
        answer = self.run("rejects", "--db", db, "--json", "--limit", "1000000")
        return [(line["reason"], line["offset"], base64.b64decode(line["bytes"], validate=True))
                for line in answer.json_lines]


def varint(data):
    """LEB128: the value and what follows it."""
    value = shift = 0
    for place, byte in enumerate(data):
        value |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            return value, data[place + 1:]
    raise ValueError("cut varint")


def event(device, kind, timestamp, **more):
    """One record as a line; `kind` is enter, exit or any other type in full."""
    kind = {"enter": "device_enter", "exit": "device_exit"}.get(kind, kind)
    text = json.dumps({"device_id": device, "event_type": kind, "timestamp": timestamp, **more},
                      ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass") + b"\n"


def assert_stored_as_modelled(dwell, model, db="dwell.db"):
    """The whole database against the model: rows, totals, ignored types, rejects, gapless seq."""
    stored, modelled = dwell.rows(db), model.rows
    assert stored == modelled, first_difference(stored, modelled)
    totals = dwell.totals(db)
    for name, count in {**model.outcomes, **model.totals}.items():
        assert totals[name] == count, (name, totals, model.outcomes, model.totals)
    assert sum(totals[name] for name in totals if name not in NOT_OUTCOMES) == (
        model.outcomes.total()), (totals, model.outcomes)
    assert totals["rows"] == len(modelled)
    assert dict(dwell.query("SELECT type, count FROM ignored_type", db=db)) == model.ignored
    assert dwell.rejects(db) == model.kept


NOT_OUTCOMES = ("rows", "absorbed", "faults", "promoted", "retracted", "reject_bytes",
                "rejects_dropped", "known_late", "late")


def first_difference(stored, modelled):
    """The rows that only one side has, few of them: the whole lists would fill the log."""
    return {"only stored": sorted(set(stored) - set(modelled))[:5],
            "only modelled": sorted(set(modelled) - set(stored))[:5],
            "counts": (len(stored), len(modelled))}
