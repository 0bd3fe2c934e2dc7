"""Recorded events as if they happened now, for the scripts that play them."""

import datetime
import json
import math

DAY_S = 86_400


def seconds_of(event):
    """The time of an event in seconds since 1970, None when it has none that can be read."""
    timestamp = event.get("timestamp") if isinstance(event, dict) else None
    if isinstance(timestamp, int):
        return timestamp / 1000
    try:
        return datetime.datetime.fromisoformat(timestamp.replace("Z", "+00:00")).timestamp()
    except (AttributeError, ValueError):
        return None


def rfc3339(seconds):
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


def refuse(constant):
    raise ValueError(constant)  # NaN and the like are not JSON


def read(paths):
    """What stands on the lines; a line that is not JSON becomes a text, which is no event."""
    for path in paths:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in filter(None, map(str.strip, file)):
                try:
                    yield json.loads(line, parse_constant=refuse)
                except ValueError:
                    yield line


def schedule(events, start, length):
    """[(when to send, event)] in the recorded order, times moved so that all fit into `length`
    seconds from `start`. A time far off the others is a clock gone wrong and stays as far off."""
    times = [seconds_of(event) for event in events]
    known = sorted(time for time in times if time is not None)
    middle = known[len(known) // 2] if known else 0
    near = [time for time in known if abs(time - middle) < DAY_S]
    first, last = (near[0], near[-1]) if near else (0, 0)
    speed = max(last - first, 1e-3) / length
    planned, due = [], start
    for event, recorded in zip(events, times):
        if recorded is not None:
            is_near = first <= recorded <= last
            moved = start + (recorded - first) / (speed if is_near else 1)
            if is_near:
                due = max(due, moved)
            event = {**event, "timestamp": rfc3339(moved)}
        planned.append((due, event))
    return planned


def positive(text):
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError
    return value
