#!/usr/bin/env python3
"""Measures Dwell against its floors and prints one table of ratios.

usage: run.py BUILD [--part PART|all] [--rounds N] [--events N] [--devices N]
              [--kafka-events N] [--kafka-devices N] [--kafka-known N] [--kafka-only ROWS]...
              [--store-rows N]

PART is core, service, kafka, store, serve, growth, window or telemetry.

BUILD holds the bench programs and dwell, built alike. Both sides of a row run in turns in one
sitting on one disk, and only their ratio is reported: the absolute figures behind it hold for this
machine and this hour alone. Ratios are medians over the rounds; above 1, Dwell is the faster one.
Nothing here fails when an aim is missed: the table says so. The table is kept in BUILD/results.md,
that of one part in BUILD/results-PART.md.
"""

import argparse
import os
import platform
import re
import sqlite3
import tempfile
from pathlib import Path

import core
import growth
import kafka
import serve
import service
import store
import telemetry
import window
from table import HEAD, output_of

PARTS = {"core": core, "service": service, "kafka": kafka, "store": store, "serve": serve,
         "growth": growth, "window": window, "telemetry": telemetry}


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
    parser.add_argument("--part", choices=[*PARTS, "all"], default="all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--events", type=int, default=2_000_000, help="of the core")
    parser.add_argument("--devices", type=int, default=100_000, help="of the core")
    parser.add_argument("--kafka-events", type=int, default=2_000_000)
    parser.add_argument("--kafka-devices", type=int, default=100_000)
    parser.add_argument("--kafka-known", type=int, default=1_000_000,
                        help="devices of the rows on restart and memory")
    parser.add_argument("--kafka-only", action="append", choices=kafka.PARTS)
    parser.add_argument("--store-rows", type=int, default=1_000_000)
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    chosen = [part for part in PARTS if arguments.part in (part, "all")]

    lines = []
    with tempfile.TemporaryDirectory(dir=build, prefix="bench-") as name:
        lines += [machine(build, name), ""]
        lines.append(f"Medians of {arguments.rounds} rounds in turns, lowest and highest in brackets.")
        if "core" in chosen:
            lines.append(f"Core: {arguments.events:,} events of {arguments.devices:,} devices.")
        if "kafka" in chosen:
            lines.append(f"Kafka: {arguments.kafka_events:,} events of {arguments.kafka_devices:,} "
                         "devices; broker and programs share the cores.")
        lines += ["", HEAD]
        for part in chosen:
            folder = Path(name) / part
            folder.mkdir()
            lines += [str(row) for row in PARTS[part].rows(build, folder, arguments)]

    text = "\n".join(lines) + "\n"
    results = "results.md" if arguments.part == "all" else f"results-{arguments.part}.md"
    (build / results).write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
