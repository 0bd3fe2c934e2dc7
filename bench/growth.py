"""What `dwell clean` needs as devices and partitions grow, drawn: rate, CPU and memory of one process.

Nothing is compared here, so that the figures hold for this machine alone; what they show is the shape.
Rates and CPU are those of kafka_throughput.py. What one core and one GiB carry is worked out from them.
"""

import subprocess

from kafka import start_broker
from kafka_runs import Bench, Failed, dwell_command
from kafka_throughput import work_off
from table import Row

DEVICES = (10_000, 100_000, 1_000_000, 10_000_000)
PARTITIONS = (1, 2, 4, 8, 16)
THREADS = 2
FEWEST_EVENTS = 2_000_000
DEVICES_OF_PARTITIONS = 100_000
BAR = 30  # characters of the longest one


def bar(value, most):
    """In eighths of a character."""
    eighths = max(1, round(BAR * 8 * value / most))
    return "█" * (eighths // 8) + "▏▎▍▌▋▊▉"[eighths % 8 - 1] * (eighths % 8 > 0)


def drawn(what, runs):
    """A row for each (size, run), the bars on one scale."""
    fastest = max(run["rate"] for _, run in runs)
    for size, run in runs:
        yield Row(f"`dwell clean`, {size:,} {what}", "", "drawn",
                  f"{bar(run['rate'], fastest)} {run['rate']:,.0f} events/s, "
                  f"{run['cpu']:.2f} CPU s a million, {run['memory']:,.0f} MiB", True)


def over_devices(bench):
    runs = []
    for devices in DEVICES:
        events = max(FEWEST_EVENTS, devices)
        with bench.topics(f"{bench.name('events')}:1") as (topic,):
            bench.tool("load", "send", topic, devices, 0, events, 0)
            runs.append((devices, work_off(bench, "dwell", lambda names, group, folder: dwell_command(
                bench, names, group, folder), topic, 1)))
    return runs


def over_partitions(bench):
    runs = []
    for partitions in PARTITIONS:
        with bench.topics(f"{bench.name('events')}:{partitions}") as (topic,):
            bench.generate(topic, FEWEST_EVENTS, DEVICES_OF_PARTITIONS, 0)
            runs.append((partitions, work_off(bench, "dwell", lambda names, group, folder: dwell_command(
                bench, names, group, folder, "--clean-threads", THREADS, "--input-partitioned-by",
                "device"), topic, partitions)))
    return runs


def carried(runs):
    """By one core, and by one GiB: from the largest two sizes, so that what a process has anyway is
    left out."""
    (few, least), (many, most) = runs[-2:]
    each = (most["memory"] - least["memory"]) * 2**20 / (many - few)
    yield Row("one core carries", "", "worked out",
              f"{1e6 / least['cpu']:,.0f} events/s at {few:,} devices", True)
    yield Row("one GiB carries", "", "worked out",
              f"{2**30 / each:,.0f} devices, {each:.0f} bytes each", True)


def rows(build, folder, options):
    broker = None
    try:
        broker = start_broker(folder)
        bench = Bench(build, folder, broker)
        runs = over_devices(bench)
        yield from drawn("devices, 1 partition", runs)
        yield from carried(runs)
        yield from drawn(f"partitions, {THREADS} threads, {DEVICES_OF_PARTITIONS:,} devices",
                         over_partitions(bench))
    except (Failed, AssertionError, subprocess.SubprocessError, OSError) as error:
        why = " ".join(str(error).replace("|", "/").split())[-300:]
        yield Row("growth", "", "", f"not measured: {why}", False)
    finally:
        if broker:
            broker.stop()
