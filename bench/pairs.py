#!/usr/bin/env python3
"""Compares two builds of Dwell: what a change costs.

usage: pairs.py OLD NEW [--rows decode,replay,get,post,serve,clean,store] [--pairs N] [--events N]

OLD and NEW are folders that `cmake --preset bench -B FOLDER` and a build have filled. Both do the
same work in turns, N pairs of runs with the order changed from pair to pair. What counts is the CPU
time of the process for each item (record, request, event, row); `decode` counts the time of one
thread that does nothing else. For each row the median of the ratios OLD / NEW is printed, with the
95 % interval of the median: below 1, NEW needs more.
"""

import argparse
import itertools
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import core
import kafka
import serve
import service
import store
from kafka_runs import Bench, dwell_command
from kafka_throughput import work_off
from table import output_of

DEVICES = 100_000
CONNECTIONS = 32
TICKS = os.sysconf("SC_CLK_TCK")


def say(text):
    print(text, file=sys.stderr)


def interval(values):
    """The 95 % interval of the median, by the ranks that a coin would give (binomial)."""
    count = len(values)
    tail, rank = 0.0, 0
    while rank < count // 2:
        tail += math.comb(count, rank) / 2**count
        if tail > 0.025:
            break
        rank += 1
    ordered = sorted(values)
    if rank == 0:
        return None  # too few
    return ordered[rank - 1], ordered[count - rank]


def cpu_of(process):
    """Seconds of user and system of a process that runs."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def cpu_of_run(command):
    """Seconds of user and system of a command, from start to end."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command[0]} ended with status {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def decode(sides, folder, options):
    events = folder / "events"
    core.generate_events(sides[1], events, options.events, DEVICES)
    yield lambda build: 1 / json.loads(output_of(build / "bench_decode_decide", events))["dwell_rate"]


def replay(sides, folder, options):
    events = folder / "events"
    core.generate_events(sides[1], events, options.events, DEVICES)

    def once(build):
        for suffix in core.DATABASE_SUFFIXES:
            (folder / f"replay.db{suffix}").unlink(missing_ok=True)
        used = cpu_of_run([build / "dwell", "replay", events, "--db", folder / "replay.db"])
        return used / options.events

    yield once


def loaded(server, script, *arguments):
    """CPU seconds for each request of a load."""
    before = cpu_of(server.process)
    found = service.load(server, CONNECTIONS, script, *arguments)
    return (cpu_of(server.process) - before) / found["requests"]


def get(sides, folder, _options):
    database = folder / "get.db"
    service.fill(sides[1], database, service.GET_DEVICES, 2 * service.GET_ROWS)

    def once(build):
        with service.serving(build, database) as server:
            server.wait_ready()
            return loaded(server, "get.lua", service.GET_DEVICES, service.GET_ROWS)

    yield once


def post(_sides, folder, _options):
    numbers = itertools.count()

    def once(build):
        with service.serving(build, folder / f"post-{next(numbers)}.db") as server:
            server.wait_ready()
            return loaded(server, "post.lua")

    yield once


def serve_get(sides, _folder, _options):
    server = store.start_server()
    try:
        from postgres_server import Database
        database = Database(server.url())
        subprocess.run([sides[1] / "dwell", "migrate", "up", "--database-url", database.url],
                       check=True, stdout=subprocess.DEVNULL)
        serve.fill(database)

        def once(build):
            with service.running(build / "dwell", "serve", "--listen", "127.0.0.1:0",
                                 "--database-url", database.url,
                                 "--brokers", "127.0.0.1:1") as role:
                role.wait_ready()
                return loaded(role, "get.lua", serve.DEVICES, serve.LIMIT)

        yield once
    finally:
        server.remove()


def benches(sides, folder, broker):
    """One for each side, with one sequence of names."""
    numbers = itertools.count()
    made = {}
    for build in sides:
        made[build] = Bench(build, folder, broker)
        made[build].numbers = numbers
    return made


def clean(sides, folder, options):
    broker = kafka.start_broker(folder)
    try:
        made = benches(sides, folder, broker)
        with made[sides[1]].topics("pairs-input:1") as (topic,):
            made[sides[1]].generate(topic, options.events, DEVICES, 0)

            def once(build):
                bench = made[build]
                return work_off(bench, "dwell", lambda *given: dwell_command(bench, *given), topic,
                                1)["cpu"]

            yield once
    finally:
        broker.stop()


def store_rows(sides, folder, options):
    broker = kafka.start_broker(folder)
    server = store.start_server()
    try:
        from postgres_server import Database
        database = Database(server.url())
        made = benches(sides, folder, broker)
        topics = store.fill_cleaned(made[sides[1]], options.events, DEVICES)
        subprocess.run([sides[1] / "dwell", "migrate", "up", "--database-url", database.url],
                       check=True, stdout=subprocess.DEVNULL)

        def once(build):
            store.empty(database)
            return store.store_once(made[build], database, topics, options.events)["cpu"]

        yield once
    finally:
        server.remove()
        broker.stop()


# Each gives one function that does the work of a build once and says what an item has cost.
ROWS = {"decode": decode, "replay": replay, "get": get, "post": post, "serve": serve_get,
        "clean": clean, "store": store_rows}


def compare(once, sides, pairs):
    for build in sides:
        once(build)  # warms up
    ratios = []
    for number in range(pairs):
        order = sides if number % 2 == 0 else sides[::-1]
        cost = {build: once(build) for build in order}
        ratios.append(cost[sides[0]] / cost[sides[1]])
        say(f"  {ratios[-1]:.3f}")
    return ratios


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--events", type=int, default=1_000_000)
    options = parser.parse_args()
    sides = [options.old.resolve(), options.new.resolve()]
    for name in options.rows.split(","):
        say(name)
        with tempfile.TemporaryDirectory(prefix="dwell_pairs_") as folder:
            work = ROWS[name](sides, Path(folder), options)
            ratios = compare(next(work), sides, options.pairs)
            work.close()
        found = interval(ratios)
        spread = f"{found[0]:.3f}..{found[1]:.3f}" if found else "too few pairs for an interval"
        print(f"{name}: {statistics.median(ratios):.3f} ({spread}), {len(ratios)} pairs")


if __name__ == "__main__":
    main()
