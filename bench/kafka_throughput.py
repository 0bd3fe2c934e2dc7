"""Rows of kafka.py at full speed: each program works off a topic that was filled before.

The clock runs from the first commit of the group that is seen to the one of the last record, looked
for every 5 ms: events committed in between, a second. Starting and joining the group are left out,
on both sides. CPU is that of the whole process, from start to end; for Kafka Streams with the start
of the JVM, for dwell with the checkpoint it leaves behind. Memory is the highest resident set.
"""

import json
import statistics

from kafka_runs import (
    Failed, compile_streams, dwell_command, finish, running, say, streams_command,
)
from table import Row, span

AT_MOST_MIB = 300


def work_off(bench, name, command_of, input_topic, partitions):
    """One run on topics of its own: rate, CPU seconds, MiB, and what came out."""
    group = bench.name(name)
    names = [f"{group}-{role}:{partitions}" for role in ("cleaned", "state", "rejected")]
    names[1] += ":compact"
    folder = bench.folder / group
    with bench.topics(*names) as made:
        command = command_of([input_topic, *made], group, folder)
        with running(name, command, folder) as program:
            watch = bench.started_tool("watch", "commits", group, input_topic)
            seen = json.loads(finish(watch, [program]))
            memory = program.peak_mib()
            cpu = program.end()
        written = bench.count(made[0])
    seconds = seen["last_at"] - seen["first_at"]
    if seconds <= 0:
        raise Failed(f"{name} committed all at once: too few events to tell its rate")
    rate = (seen["last"] - seen["first"]) / seconds
    cpu_each = cpu / seen["last"] * 1e6
    say(f"{name}: {rate:,.0f} events/s, {cpu_each:.2f} CPU s per M, {memory:.0f} MiB, "
        f"{written['records']:,} records")
    return {"rate": rate, "cpu": cpu_each, "memory": memory, "written": written}


def in_turns(bench, sides, input_topic, partitions, rounds):
    found = {name: [] for name in sides}
    for _ in range(rounds):
        for name, command_of in sides.items():
            found[name].append(work_off(bench, name, command_of, input_topic, partitions))
    outputs = {str(run["written"]) for runs in found.values() for run in runs}
    if len(outputs) != 1:
        raise Failed(f"the sides did not write the same records: {sorted(outputs)}")
    return found


def ratios(found, name, rival, what):
    return [a[what] / b[what] for a, b in zip(found[name], found[rival])]


def median_of(found, name, what):
    return statistics.median(run[what] for run in found[name])


def null_rows(bench, options):
    sides = {
        "dwell": lambda names, group, folder: dwell_command(bench, names, group, folder),
        "null": lambda names, group, folder: [
            bench.build / "bench_null_loop", bench.broker.address, *names[:2], group],
    }
    with bench.topics(f"{bench.name('events')}:1") as (events,):
        # Every event is accepted, so that both sides write as many records.
        bench.generate(events, options.kafka_events, options.kafka_devices, 0)
        found = in_turns(bench, sides, events, 1, options.rounds)
    work = "`dwell clean`, 1 partition, every event accepted"
    rival = "the same transactions on librdkafka, no parsing, no rule"
    rate = ratios(found, "dwell", "null", "rate")
    cpu = ratios(found, "dwell", "null", "cpu")
    memory = ratios(found, "dwell", "null", "memory")
    return [
        Row(f"{work}: events a second", rival, "at least 0.75", span(rate),
            statistics.median(rate) >= 0.75),
        Row(f"{work}: CPU of an event", rival, "at most 1.4", span(cpu),
            statistics.median(cpu) <= 1.4),
        Row(f"{work}: memory", rival, "", f"{span(memory)}, "
            f"{median_of(found, 'dwell', 'memory'):.0f} MiB", True),
    ]


def streams_rows(bench, options):
    classes = compile_streams(bench.folder / "classes")

    def streams(store):
        return lambda names, group, folder: streams_command(
            bench, classes, store, names, group, folder, 2, 100)

    sides = {
        "dwell": lambda names, group, folder: dwell_command(
            bench, names, group, folder, "--clean-threads", 2, "--input-partitioned-by", "device"),
        "rocksdb": streams("rocksdb"),
        "memory": streams("memory"),
    }
    with bench.topics(f"{bench.name('events')}:4") as (events,):
        bench.generate(events, options.kafka_events, options.kafka_devices, 5)
        found = in_turns(bench, sides, events, 4, options.rounds)
    work = "`dwell clean`, 4 partitions, 2 threads"
    table = []
    for side, rival, aim in (("rocksdb", "RocksDB", 5), ("memory", "in memory", 4)):
        rate = ratios(found, "dwell", side, "rate")
        cpu = ratios(found, "dwell", side, "cpu")
        rival = f"Kafka Streams, exactly_once_v2, {rival}, commits every 100 ms"
        table += [
            Row(f"{work}: events a second", rival, f"at least {aim}", span(rate),
                statistics.median(rate) >= aim),
            Row(f"{work}: CPU of an event", rival, "at most 0.2", span(cpu),
                statistics.median(cpu) <= 0.2),
        ]
    return table


def memory_rows(bench, options):
    devices = options.kafka_known
    memory = []
    with bench.topics(f"{bench.name('events')}:1") as (events,):
        bench.tool("load", "send", events, devices, 0, 2 * devices, 0)
        for _ in range(options.rounds):
            run = work_off(bench, "dwell", lambda names, group, folder: dwell_command(
                bench, names, group, folder), events, 1)
            if run["written"]["records"] != 2 * devices:
                raise Failed(f"{run['written']['records']} records of {2 * devices} were written")
            memory.append(run["memory"])
    return [
        Row(f"memory of `dwell clean` at full speed, {devices:,} devices, prefetch included", "",
            f"under {AT_MOST_MIB} MiB", span(memory, " MiB"),
            statistics.median(memory) < AT_MOST_MIB)
    ]
