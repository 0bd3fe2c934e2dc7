"""The golden cases (tests/golden/README.md) as values, for runtimes that are tested from outside."""

import dataclasses
import json
import pathlib
import urllib.parse

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "golden"
DEFAULT_NOW = 1_000_000_000
WIRE = {"enter": "device_enter", "exit": "device_exit"}


@dataclasses.dataclass
class Step:
    now: int  # ms
    value: bytes
    drop: str = ""  # why it was dropped
    changes: list = dataclasses.field(default_factory=list)  # (op, device, type, ms, seq, rank)


@dataclasses.dataclass
class Case:
    name: str
    settings: dict
    steps: list
    states: list = dataclasses.field(default_factory=list)  # (device, inside|outside|unknown, ms)


    def rows(self):
        """{(device, ms, type): (rank, seq)} in the end, worked out from the changes."""
        rows = {}
        for step in self.steps:
            for op, device, kind, timestamp, seq, rank in step.changes:
                if op == "retract":
                    del rows[device, timestamp, kind]
                else:
                    rows.setdefault((device, timestamp, kind), (rank, seq))
        return rows


def names():
    return sorted(path.stem for path in FOLDER.glob("*.case"))


def read(name):
    case, now = Case(name, {}, []), DEFAULT_NOW
    for line in (FOLDER / f"{name}.case").read_text("utf-8").splitlines():
        keyword, _, rest = line.partition(" ")
        rest = rest.lstrip(" ")
        words = rest.split()
        if keyword == "set":
            case.settings[words[0]] = words[1]
        elif keyword == "now":
            now = int(words[0])
        elif keyword == "in":
            event = {"device_id": words[0], "event_type": WIRE[words[1]],
                     "timestamp": int(words[2])}
            case.steps.append(Step(now, json.dumps(event, ensure_ascii=False).encode()))
        elif keyword == "raw":
            case.steps.append(Step(now, rest.encode()))
        elif keyword == "bytes":
            case.steps.append(Step(now, urllib.parse.unquote_to_bytes(rest)))
        elif keyword == "long":
            length, _, start = rest.partition(" ")
            case.steps.append(Step(now, start.encode().ljust(int(length))))
        elif keyword == "drop":
            case.steps[-1].drop = words[0]
        elif keyword in ("out", "retract"):
            op = "insert" if keyword == "out" else "retract"
            device, kind, timestamp, _, seq = words[:5]
            arrival = case.settings.get("order", "arrival") == "arrival"
            rank = int(words[6]) if len(words) > 5 else int(seq) if arrival else 0
            case.steps[-1].changes.append(
                (op, device, WIRE[kind], int(timestamp), int(seq), rank))
        elif keyword == "state":
            case.states.append((words[0], words[1], int(words[3]) if len(words) > 2 else None))
        else:
            assert keyword in ("", "#", "row", "total"), line
    return case


def flags(case):
    """The settings as `dwell` takes them; durations of a case are milliseconds."""
    durations = ("order.horizon", "clock.max_ahead", "clock.max_behind")
    # The names of settings.cc that are shorter in cases.
    longer = {"order": "order"}
    words = []
    for name, value in {"order": "arrival", **case.settings}.items():
        if name in durations and value != "off":
            value += "ms"
        words += ["--" + longer.get(name, name).replace(".", "-").replace("_", "-"), value]
    return words
