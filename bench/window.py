"""What the window of event time costs: memory, bytes of state and bytes written, by order.window_max.

The chatty feed is 1,000 devices that repeat `enter` each minute, in batches of 1,000; the feed in
order has an enter and an exit each hour. Times are ratios to arrival order, taken in turns.
"""

import json
import os
import pathlib
import statistics
import subprocess
import tempfile

from table import Row, ask, span

DEVICES = 1_000
MINUTE, HOUR = 60_000, 3_600_000
START = 1_751_932_800_000
SIZES = (1, 20, 200, 1_024)
ROUNDS = 3


def write_feed(path, turns, every, alternates):
    with open(path, "w") as out:
        for turn in range(turns):
            kind = "exit" if alternates and turn % 2 else "enter"
            for device in range(DEVICES):
                out.write(json.dumps({"device_id": f"cam-{device:04}", "event_type": f"device_{kind}",
                                      "timestamp": START + turn * every + device}) + "\n")
    return turns * DEVICES


def replay(binary, feed, database, *flags):
    """What one run into a new database takes: CPU seconds, MiB at most, bytes written."""
    database.unlink(missing_ok=True)
    process = subprocess.Popen([binary, "replay", feed, "--db", database, "--batch-records", "1000", *flags],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, (feed, flags)
    return {"cpu": usage.ru_utime + usage.ru_stime, "memory": usage.ru_maxrss / 1024,
            "written": usage.ru_oublock * 512,
            "state": ask(database, "SELECT avg(length(state)) FROM device")}


def rows(build, folder, options):
    binary = pathlib.Path(build) / "dwell"
    with tempfile.TemporaryDirectory(dir=folder) as place:
        place = pathlib.Path(place)
        chatty, calm = place / "chatty.ndjson", place / "calm.ndjson"
        events = write_feed(chatty, 1_500, MINUTE, False)
        write_feed(calm, 1_500, HOUR, True)
        for name, feed in (("chatty", chatty), ("in order", calm)):
            rounds = {size: [] for size in (None, *SIZES)}
            for _ in range(ROUNDS):
                for size, runs in rounds.items():
                    flags = (["--order", "arrival"] if size is None else
                             ["--order", "event_time", "--order-window-max", str(size)])
                    runs.append(replay(binary, feed, place / "window.db", *flags))
            for size in SIZES:
                ratios = [one["cpu"] / run["cpu"] for one, run in zip(rounds[None], rounds[size])]
                last = rounds[size][-1]
                written = statistics.median(run["written"] for run in rounds[size]) / events
                yield Row(f"replay, {name}, window of {size:,}", "arrival order", "", span(ratios) + (
                    f" of its speed, {last['memory']:,.0f} MiB, {last['state']:,.0f} bytes of state a device, "
                    f"{written:,.0f} bytes written an event"), True)


if __name__ == "__main__":
    import sys
    for row in rows(sys.argv[1], tempfile.gettempdir(), None):
        print(row)
