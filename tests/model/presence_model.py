"""A second model of the rule, written from docs/design (sections 2 and 3) and not from src/.

It is slow and short on purpose: one record at a time, plain lists, no batches. Tests run the
binary and this side by side and compare everything that is stored.
"""

import bisect
import collections
import dataclasses
import datetime
import json
import re

TYPES = ("device_enter", "device_exit")
LATEST = 253_402_300_799_999
RFC3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?"
                     r"(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII)
EPOCH = datetime.datetime(1970, 1, 1)

Row = collections.namedtuple("Row", "device timestamp type rank seq")
Change = collections.namedtuple("Change", "op device type timestamp seq rank")


class Rejected(Exception):
    """The record is unusable; the message is the reason."""


@dataclasses.dataclass
class Rule:
    now: int
    order: str = "arrival"
    duplicate_window: int = 4
    first_exit: str = "accept"
    window_max: int = 1024
    horizon: int = 86_400_000
    max_ahead: int | None = 300_000
    max_behind: int | None = None
    max_record: int = 1 << 20


def parse_time(value):
    """Milliseconds since the epoch of a JSON value, or Rejected."""
    if isinstance(value, str) and (match := RFC3339.fullmatch(value)):
        *date, fraction, sign, hours, minutes = match.groups()
        try:
            moment = datetime.datetime(*map(int, date)) - EPOCH
        except ValueError:
            raise Rejected("invalid_timestamp") from None
        if int(hours or 0) > 23 or int(minutes or 0) > 59:
            raise Rejected("invalid_timestamp")
        offset = (int(hours or 0) * 60 + int(minutes or 0)) * (-1 if sign == "-" else 1)
        value = (moment // datetime.timedelta(milliseconds=1) - offset * 60_000
                 + int(((fraction or "") + "000")[:3]))
    if type(value) is not int or not 0 <= value <= LATEST:
        raise Rejected("invalid_timestamp")
    return value


def refuse_constant(text):
    """NaN and Infinity are Python's idea of JSON, not the format's."""
    raise ValueError(text)


def decode(record):
    """(device, type, timestamp) of the raw bytes; the type alone decides what is ignored."""
    try:
        event = json.loads(record.decode("utf-8"), parse_constant=refuse_constant)
        kind = event["event_type"] if isinstance(event, dict) else None
    except (ValueError, KeyError):
        kind = None
    if not isinstance(kind, str):
        raise Rejected("malformed")
    if kind not in TYPES:
        return None, kind, None
    device = event.get("device_id")
    if not isinstance(device, str) or re.search("[\x00-\x1f\x7f-\x9f\ud800-\udfff]", device):
        raise Rejected("invalid_device_id")
    if not 1 <= len(device.encode()) <= 256:
        raise Rejected("invalid_device_id")
    return device, kind, parse_time(event.get("timestamp"))


class Device:
    """What the rule remembers of one device, in either order."""

    def __init__(self, rule):
        self.rule, self.seq = rule, 0
        self.accepted = []  # arrival: (timestamp, type), oldest first
        self.was_seen = False  # arrival
        self.window = []  # event_time: (timestamp, tie, type), sorted
        self.base = "device_exit" if rule.first_exit == "suppress" else None
        self.is_base_initial = rule.first_exit == "suppress"
        self.newest, self.evicted = None, -1

    def suppressed(self, kind, is_initial):
        return "initial_exit" if is_initial else kind.replace("device", "repeated")

    def arrive(self, timestamp, kind):
        """(outcome, changes); a change is (operation, timestamp, type, rank)."""
        window = self.rule.duplicate_window
        if window and (timestamp, kind) in self.accepted[-window:]:
            return "duplicate", []
        last = self.accepted[-1][1] if self.accepted else self.base
        if kind == last:
            is_initial, self.was_seen = not self.was_seen, True
            return self.suppressed(kind, is_initial), []
        self.accepted.append((timestamp, kind))
        self.was_seen = True
        return "accepted", [("insert", timestamp, kind, None)]

    def sort_in(self, timestamp, kind):
        horizon = self.rule.horizon
        if self.newest is not None and timestamp <= max(self.evicted, self.newest - horizon - 1):
            raise Rejected("too_late")
        same = [entry for entry in self.window if entry[0] == timestamp]
        if kind in (entry[2] for entry in same):
            return "duplicate", []
        at = bisect.bisect(self.window, (timestamp, 2, ""))
        before = self.window[at - 1][2] if at else self.base
        after = self.window[at] if at < len(self.window) else None
        is_initial = at == 0 and self.is_base_initial
        self.window.insert(at, (timestamp, len(same), kind))
        changes = []
        if kind != before:
            changes = [("insert", timestamp, kind, len(same))]
            was_row, is_row = (bool(after) and after[2] != t for t in (before, kind))
            if was_row != is_row:
                operation = "insert" if is_row else "retract"
                changes.append((operation, after[0], after[2], after[1]))
        self.evict(timestamp)
        return ("accepted", changes) if changes else (self.suppressed(kind, is_initial), [])

    def evict(self, timestamp):
        capped = min(timestamp, self.rule.now)
        self.newest = capped if self.newest is None else max(self.newest, capped)
        while self.window[0][0] != self.window[-1][0] and (
                len(self.window) > self.rule.window_max
                or self.window[0][0] < self.newest - self.rule.horizon):
            self.evicted = self.window[0][0]
            while self.window[0][0] == self.evicted:
                self.base, self.is_base_initial = self.window.pop(0)[2], False


class Model:
    """Folds records; `rows`, `changes`, `outcomes`, `ignored`, `rejects` and `totals` are the
    answers."""

    def __init__(self, rule):
        self.rule, self.devices, self.stored = rule, {}, {}
        self.outcomes, self.ignored, self.totals = (collections.Counter() for _ in range(3))
        self.rejects = []  # (reason, offset, bytes)
        self.changes = []  # of the timelines, as they were made

    def fold_file(self, content, start=0):
        """Every line of `content` from byte `start` on; a blank line is not a record."""
        offset = start
        for line in content[start:].split(b"\n"):
            if line.strip(b" \t\r"):
                self.fold(line, offset)
            offset += len(line) + 1
        return self

    def fold(self, record, offset=0):
        try:
            outcome = self.judge(record)
        except Rejected as rejected:
            outcome = str(rejected)
            self.rejects.append((outcome, offset, record[:self.rule.max_record]))
        self.outcomes[outcome] += 1

    def judge(self, record):
        rule = self.rule
        if len(record) > rule.max_record:
            raise Rejected("too_large")
        name, kind, timestamp = decode(record)
        if kind not in TYPES:
            self.ignored[kind] += 1
            return "ignored"
        if rule.max_ahead is not None and timestamp > rule.now + rule.max_ahead:
            raise Rejected("future_timestamp")
        if rule.max_behind is not None and timestamp < rule.now - rule.max_behind:
            raise Rejected("past_timestamp")
        device = self.devices.setdefault(name, Device(rule))
        decide = device.arrive if rule.order == "arrival" else device.sort_in
        outcome, changes = decide(timestamp, kind)
        for number, change in enumerate(changes):
            self.store(name, device, number, *change)
        return outcome

    def store(self, name, device, number, operation, timestamp, kind, rank):
        device.seq += 1
        key = (name, timestamp, kind)
        self.changes.append(Change(operation, name, kind, timestamp, device.seq,
                                   device.seq if rank is None else rank))
        if operation == "retract":
            del self.stored[key]
            self.totals["retracted"] += 1
            return
        self.totals["promoted"] += number > 0
        if key in self.stored:
            self.totals["absorbed"] += 1
        else:
            self.stored[key] = (device.seq if rank is None else rank, device.seq)

    @property
    def rows(self):
        """In row order: device, timestamp, rank, type."""
        rows = [Row(*key, *value) for key, value in self.stored.items()]
        return sorted(rows, key=lambda r: (r.device.encode(), r.timestamp, r.rank, r.type))

    def inside_at(self, at):
        """{device: since}: rows up to `at` folded in row order, equal neighbours merged."""
        inside = {}
        for row in self.rows:
            if row.timestamp > at:
                continue
            if row.type == "device_exit":
                inside.pop(row.device, None)
            else:
                inside.setdefault(row.device, row.timestamp)
        return inside
