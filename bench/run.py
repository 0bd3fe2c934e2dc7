#!/usr/bin/env python3
"""Measures Dwell against its floors and prints one table of ratios.

usage: run.py BUILD [--rounds N] [--events N] [--devices N]

BUILD holds the bench programs and dwell, built alike. Both sides of a row run in turns in one
sitting on one disk, and only their ratio is reported: the absolute figures behind it hold for this
machine and this hour alone. Ratios are medians over the rounds; above 1, Dwell is the faster one.
Nothing here fails when an aim is missed: the table says so. The table is kept in BUILD/results.md.
"""

import argparse
import json
import os
import platform
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

BATCH_RECORDS = 100_000  # the default of batch.records
MEMORY_DEVICES = 1_000_000
DATABASE_SUFFIXES = ("", "-wal", "-shm", ".lock")


@dataclass
class Row:
    work: str
    rival: str
    aim: str
    measured: str
    is_met: bool

    def __str__(self):
        met = "yes" if self.is_met else "**no**"
        return f"| {self.work} | {self.rival} | {self.aim} | {self.measured} | {met} |"


def output_of(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def timed(command):
    """Seconds from start to exit, the last checkpoint of the database included."""
    os.sync()  # what the run before left in memory is not written during this one
    start = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return time.monotonic() - start


def span(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


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


def event_count(database):
    connection = sqlite3.connect(database)
    try:
        return connection.execute("SELECT count(*) FROM event").fetchone()[0]
    finally:
        connection.close()


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
            counts[side] = event_count(database)
    if len(set(counts.values())) != 1:
        sys.exit(f"the sides did not store the same rows: {counts}")

    def ratios(side):
        return [rival / own for rival, own in zip(seconds[side], seconds["dwell"])]

    work = f"`dwell replay`, durable, state and position included, {counts['dwell']:,} rows"
    return [
        Row(
            work,
            "C, text keys, transactions of 10,000 rows, only the accepted rows",
            "at least 3",
            span(ratios("text")),
            statistics.median(ratios("text")) >= 3,
        ),
        Row(
            work,
            "C, the same tables, integer keys, sorted batches as large, states and position",
            "at least 0.7",
            span(ratios("sorted")),
            statistics.median(ratios("sorted")) >= 0.7,
        ),
    ]


def first_match(path, pattern, default="unknown"):
    try:
        found = re.search(pattern, Path(path).read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found.group(1).strip() if found else default


def machine(build, folder):
    cpu = first_match("/proc/cpuinfo", r"^model name\s*:\s*(.*)$")
    memory = int(first_match("/proc/meminfo", r"^MemTotal:\s*(\d+)", "0")) / 2**20
    system = first_match("/etc/os-release", r'^PRETTY_NAME="(.*)"$')
    disk = output_of("df", "--output=fstype", folder).split()[-1]
    compiler = first_match(build / "CMakeCache.txt", r"^CMAKE_CXX_COMPILER:\w+=(.*)$")
    flags = first_match(
        build / "CMakeCache.txt", r"^CMAKE_CXX_FLAGS_RELWITHDEBINFO:\w+=(.*)$"
    )
    version = output_of(compiler, "--version").splitlines()[0]
    return (
        f"{cpu}, {os.cpu_count()} cores, {memory:.0f} GiB, {disk}; {system}, "
        f"Linux {platform.release()}; {version}, {flags}; SQLite {sqlite3.sqlite_version}; "
        f"load {os.getloadavg()[0]:.1f} at the start."
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--devices", type=int, default=100_000)
    arguments = parser.parse_args()
    build = arguments.build.resolve()

    with tempfile.TemporaryDirectory(dir=build, prefix="bench-") as name:
        folder = Path(name)
        lines = [machine(build, folder), ""]
        events = folder / "events.ndjson"
        generate = [build / "dwell", "generate", "--events", str(arguments.events)]
        generate += ["--devices", str(arguments.devices), "--seed", "7"]
        # A rate that keeps all of it in the past, and shares that leave nine in ten accepted.
        generate += ["--rate", "1000", "--repeats", "5", "--heartbeats", "5"]
        with events.open("wb") as file:
            subprocess.run(generate, check=True, stdout=file)
        lines.append(
            f"{arguments.events:,} events of {arguments.devices:,} devices; "
            f"medians of {arguments.rounds} rounds in turns, lowest and highest in brackets."
        )
        lines += ["", "| work | compared with | aim | measured | met |", "|---|---|---|---|---|"]
        lines.append(str(decode_row(build, events)))
        lines += [str(row) for row in replay_rows(build, folder, events, arguments.rounds)]
        lines.append(str(memory_row(build)))

    text = "\n".join(lines) + "\n"
    (build / "results.md").write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
