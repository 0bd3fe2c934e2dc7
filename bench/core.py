"""What the core does to records, and how fast `dwell replay` puts them on disk."""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from table import Row, ask, output_of, span

BATCH_RECORDS = 100_000  # the default of batch.records
MEMORY_DEVICES = 1_000_000
DATABASE_SUFFIXES = ("", "-wal", "-shm", ".lock")


def timed(command):
    """Seconds from start to exit, the last checkpoint of the database included."""
    os.sync()  # what the run before left in memory is not written during this one
    start = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return time.monotonic() - start


def decode_row(build, events):
    found = json.loads(output_of(build / "bench_decode_decide", events))
    print(
        f"decode + decide {found['dwell_rate'] / 1e6:.2f} M/s, "
        f"parse alone {found['parse_rate'] / 1e6:.2f} M/s",
        file=sys.stderr,
    )
    share = found["accepted"] / found["records"]
    size = found["bytes"] / found["records"] - 1
    return Row(
        f"decode + decide, one core, {size:.1f}-byte records one at a time, {share:.0%} accepted",
        f"simdjson {found['simdjson']}, on-demand parse of the same records alone",
        "at least 0.4",
        f"{found['ratio']:.2f} ({found['low']:.2f}-{found['high']:.2f})",
        found["ratio"] >= 0.4,
    )


def memory_row(build):
    found = json.loads(output_of(build / "bench_state_memory", str(MEMORY_DEVICES)))
    bytes_each = max(found["counted"], found["heap"])
    return Row(
        f"state in memory at {MEMORY_DEVICES:,} devices, arrival order",
        "bytes a device",
        "under 120",
        f"{bytes_each:.0f} (counted {found['counted']:.1f}, heap {found['heap']:.1f})",
        bytes_each < 120,
    )


def replay_rows(build, folder, events, rounds):
    rows = folder / "rows.bin"
    output_of(build / "bench_accepted_rows", events, rows, str(BATCH_RECORDS))
    database = folder / "timeline.db"
    sides = {
        "dwell": [build / "dwell", "replay", events, "--db", database],
        "text": [build / "bench_baseline_text", rows, database],
        "sorted": [build / "bench_baseline_sorted", rows, database],
    }
    seconds = {side: [] for side in sides}
    counts = {}
    for _ in range(rounds):
        for side, command in sides.items():
            for suffix in DATABASE_SUFFIXES:
                Path(f"{database}{suffix}").unlink(missing_ok=True)
            seconds[side].append(timed(command))
            print(f"{side}: {seconds[side][-1]:.2f} s", file=sys.stderr)
            counts[side] = ask(database, "SELECT count(*) FROM event")
    if len(set(counts.values())) != 1:
        sys.exit(f"the sides did not store the same rows: {counts}")

    work = f"`dwell replay`, durable, state and position included, {counts['dwell']:,} rows"
    rivals = [
        ("text", 3, "C, text keys, transactions of 10,000 rows, only the accepted rows"),
        ("sorted", 0.7,
         "C, the same tables, integer keys, sorted batches as large, states and position"),
    ]
    table = []
    for side, aim, rival in rivals:
        ratios = [other / own for other, own in zip(seconds[side], seconds["dwell"])]
        is_met = statistics.median(ratios) >= aim
        table.append(Row(work, rival, f"at least {aim}", span(ratios), is_met))
    return table


def generate_events(build, path, events, devices):
    # A rate that keeps all of it in the past, and shares that leave nine in ten accepted.
    options = {"events": events, "devices": devices, "seed": 7, "rate": 1000, "repeats": 5}
    options["heartbeats"] = 5
    command = [build / "dwell", "generate"]
    command += [f"--{name}={value}" for name, value in options.items()]
    with path.open("wb") as file:
        subprocess.run(command, check=True, stdout=file)


def rows(build, folder, options):
    events = folder / "events.ndjson"
    generate_events(build, events, options.events, options.devices)
    yield decode_row(build, events)
    yield from replay_rows(build, folder, events, options.rounds)
    yield memory_row(build)
