"""A second model of the rule, written from docs/design (sections 2 and 3) and not from src/.

It is slow and short on purpose: one record at a time, plain lists, no batches. Tests run the
binary and this side by side and compare everything that is stored.
"""

import bisect
import collections
import dataclasses
import datetime
import decimal
import json
import re
import zoneinfo

TYPES = ("device_enter", "device_exit")
LATEST = 253_402_300_799_999
RFC3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?"
                     r"(?:([Zz])|([+-])(\d\d):(\d\d))", re.ASCII)
# Rule 2 reads more spellings.
COMMON = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?"
                    r"(?:([Zz])|([+-])(\d\d)(?::?(\d\d))?)?", re.ASCII)
NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
EPOCH = datetime.datetime(1970, 1, 1)
IN_2100 = 4_102_444_800_000
POWERS = {"s": 3, "ms": 0, "us": -3, "ns": -6}  # of ten, to milliseconds

Row = collections.namedtuple("Row", "device timestamp type rank seq")
Change = collections.namedtuple("Change", "op device type timestamp seq rank")


class Rejected(Exception):
    """The record is unusable; the message is the reason."""


@dataclasses.dataclass
class Rule:
    now: int
    order: str = "event_time"
    duplicate_window: int = 4
    first_exit: str = "accept"
    window_max: int = 1024
    horizon: int = 86_400_000
    max_ahead: int | None = 300_000
    max_behind: int | None = None
    max_record: int = 1 << 20
    version: int = 2
    earliest: int = 0  # 0: off
    time_unit: str = "ms"
    time_zone: str | None = None


def whole_ms(number, power):
    """`number`, a Decimal, times ten to the power: cut to a whole number, -1 below zero."""
    if number < 0:
        return -1
    if not number or number.adjusted() + power < 0:
        return 0
    if number.adjusted() + power > 20:
        return LATEST + 1
    sign, digits, exponent = number.as_tuple()
    shift = exponent + power
    value = int("".join(map(str, digits)))
    return value * 10**shift if shift >= 0 else value // 10**-shift


def number_time(number, rule):
    """Milliseconds of a Decimal, in the unit of the rule or in the only one that fits."""
    if rule.time_unit != "auto":
        return judged_time(whole_ms(number, POWERS[rule.time_unit]), rule)
    for power in POWERS.values():
        ms = whole_ms(number, power)
        if rule.earliest <= ms < IN_2100:
            return ms
    is_below_all = whole_ms(number, POWERS["s"]) < rule.earliest
    raise Rejected("past_timestamp" if is_below_all else "invalid_timestamp")


def judged_time(ms, rule):
    if ms > LATEST or (ms < 0 and not rule.earliest):
        raise Rejected("invalid_timestamp")
    if ms < rule.earliest:
        raise Rejected("past_timestamp")
    return ms


def event_time(value, rule):
    """Milliseconds of a JSON value that was parsed with Decimals, as the rule reads it."""
    if rule.version == 1:
        return parse_time(value)
    if isinstance(value, str) and NUMBER.fullmatch(value):
        value = decimal.Decimal(value)
    if isinstance(value, str):
        return judged_time(text_time(value, COMMON, rule.time_zone), rule)
    if type(value) is int:
        value = decimal.Decimal(value)
    if not isinstance(value, decimal.Decimal):
        raise Rejected("invalid_timestamp")
    return number_time(value, rule)


def parse_time(value):
    """Milliseconds since the epoch of a JSON value as rule 1 reads it, or Rejected."""
    if isinstance(value, str):
        value = text_time(value, RFC3339)
    if type(value) is not int or not 0 <= value <= LATEST:
        raise Rejected("invalid_timestamp")
    return value


def text_time(value, spelling, time_zone=None):
    if match := spelling.fullmatch(value):
        *date, fraction, utc, sign, hours, minutes = match.groups()
        try:
            local = datetime.datetime(*map(int, date))
        except ValueError:
            raise Rejected("invalid_timestamp") from None
        if int(hours or 0) > 23 or int(minutes or 0) > 59:
            raise Rejected("invalid_timestamp")
        offset = datetime.timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        if sign == "-":
            offset = -offset
        if not utc and not sign:
            if not time_zone:
                raise Rejected("invalid_timestamp")
            # What exists twice or never has the offset of before (PEP 495, fold=0).
            offset = local.replace(tzinfo=zoneinfo.ZoneInfo(time_zone)).utcoffset()
        return ((local - EPOCH - offset) // datetime.timedelta(milliseconds=1)
                + int(((fraction or "") + "000")[:3]))
    raise Rejected("invalid_timestamp")


def refuse_constant(text):
    """NaN and Infinity are Python's idea of JSON, not the format's."""
    raise ValueError(text)


def member(event, *names):
    return next((event[name] for name in names if name in event), None)


def decode(record, rule):
    """(device, type, timestamp) of the raw bytes; the type alone decides what is ignored."""
    is_first = rule.version == 1
    if not is_first and record[:1] == b"\0" and len(record) > 5:
        record = record[5:]
    try:
        event = json.loads(record.decode("utf-8"), parse_constant=refuse_constant,
                           parse_float=decimal.Decimal)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise Rejected("malformed")
    types = ("event_type",) if is_first else ("event_type", "eventType")
    payload = event.get("payload")
    is_wrapped = not is_first and "schema" in event and isinstance(payload, dict)
    if is_wrapped and not any(name in event for name in types):
        event = payload
    kind = member(event, *types)
    if not isinstance(kind, str):
        raise Rejected("malformed" if is_first else "invalid_event_type")
    if kind not in TYPES:
        return None, kind, None
    device = member(event, *(("device_id",) if is_first else
                             ("device_id", "deviceID", "deviceId")))
    # "-0" is an int of Python too, and no id.
    if not is_first and type(device) is int and device >= 0 and b"-0" not in record:
        device = str(device)
    if not isinstance(device, str) or re.search("[\x00-\x1f\x7f-\x9f\ud800-\udfff]", device):
        raise Rejected("invalid_device_id")
    if not 1 <= len(device.encode()) <= 256:
        raise Rejected("invalid_device_id")
    return device, kind, event_time(event.get("timestamp"), rule)


class Device:
    """What the rule remembers of one device, in either order."""

    def __init__(self, rule):
        self.rule, self.seq = rule, 0
        self.accepted = []  # arrival: (timestamp, type), oldest first
        self.was_seen = False  # arrival
        self.shown = {}  # rows: (timestamp, type) to rank
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
        floor = -1 if self.newest is None else self.newest - horizon - 1
        if timestamp <= max(self.evicted, floor):
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
        self.move_horizon(timestamp)
        self.evict()
        return ("accepted", changes) if changes else (self.suppressed(kind, is_initial), [])

    def move_horizon(self, timestamp):
        """Rule 1: the newest event. Rule 2: the newest that has another one within a horizon below
        it, and at least the 16th newest."""
        found = [timestamp]
        if self.rule.version == 2:
            times = sorted({entry[0] for entry in self.window})
            if self.evicted >= 0:
                times.insert(0, self.evicted)
            found = [upper for lower, upper in zip(times, times[1:])
                     if timestamp in (lower, upper) and upper - lower <= self.rule.horizon]
            if len(self.window) > 16:
                found.append(self.window[-16][0])
        for capped in (min(one, self.rule.now) for one in found):
            self.newest = capped if self.newest is None else max(self.newest, capped)

    def evict(self):
        while self.window[0][0] != self.window[-1][0] and (
                len(self.window) > self.rule.window_max
                or (self.newest is not None
                    and self.window[0][0] < self.newest - self.rule.horizon)):
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
        self.kept = []  # those that a store keeps which can see its rows
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
            reject = (outcome, offset, record[:self.rule.max_record])
            self.rejects.append(reject)
            if outcome == "too_late" and self.is_shown(record):
                self.totals["known_late"] += 1
            else:
                self.kept.append(reject)
        self.outcomes[outcome] += 1

    def is_shown(self, record):
        """Whether the rows say what a late record says: it is one, or repeats the one before."""
        name, kind, timestamp = decode(record, self.rule)
        shown = self.devices[name].shown
        before = [(at, rank, type_) for (at, type_), rank in shown.items() if at <= timestamp]
        return (timestamp, kind) in shown or bool(before) and max(before)[2] == kind

    def judge(self, record):
        rule = self.rule
        if len(record) > rule.max_record:
            raise Rejected("too_large")
        name, kind, timestamp = decode(record, rule)
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
            del self.stored[key], device.shown[timestamp, kind]
            self.totals["retracted"] += 1
            return
        self.totals["promoted"] += number > 0
        if key in self.stored:
            self.totals["absorbed"] += 1
        else:
            self.stored[key] = (device.seq if rank is None else rank, device.seq)
            device.shown[timestamp, kind] = self.stored[key][0]

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
