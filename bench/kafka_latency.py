"""Rows of kafka.py under steady traffic: the way of one event, and the time after a kill."""

import contextlib
import json
import statistics
import threading
import time

from kafka_runs import (
    PATIENCE_S, Failed, compile_streams, dwell_command, finish, running, say, streams_command,
)
from table import Row, span

RATES = (1_000, 10_000)
SECONDS = 10
LATENCY_DEVICES = 10_000
STREAMS_COMMIT_MS = 10

RESTART_SECONDS = 3
COMPACTION_S = 60  # with few devices there is nothing to compact
RESTART_RATE = 1_000
PASSES = 6  # an hour of checkpoints at the default of ten minutes: each writes all devices
TAIL_SHARE = 0.45  # of the devices, so few that no checkpoint is due
TAIL_PASSES = 2  # 0.9 M records at 1 M devices, of the 1 M that make a checkpoint due


def one_way(bench, name, command_of, rate):
    """p50 and p99 of events sent at `rate` for SECONDS, in ms."""
    group = bench.name(name)
    names = [f"{group}-{role}:1" for role in ("events", "cleaned", "state", "rejected")]
    names[2] += ":compact"
    folder = bench.folder / group
    with bench.topics(*names) as made:
        with running(name, command_of(made, group, folder), folder) as program:
            watch = bench.started_tool("watch", "latency", *made[:2], LATENCY_DEVICES, rate,
                                       SECONDS)
            found = json.loads(finish(watch, [program]))
            program.end()
    say(f"{name} at {rate:,}/s: p50 {found['p50_ms']:.2f} ms, p99 {found['p99_ms']:.2f} ms")
    if found["sent"] != found["received"] or not found["is_in_order"]:
        raise Failed(f"{name}: {found['sent']} were sent, {found['received']} came, "
                     f"in order: {found['is_in_order']}")
    return found


def latency_rows(bench, options):
    classes = compile_streams(bench.folder / "classes")
    sides = {
        "dwell": lambda names, group, folder: dwell_command(bench, names, group, folder),
        "memory": lambda names, group, folder: streams_command(
            bench, classes, "memory", names, group, folder, 1, STREAMS_COMMIT_MS),
    }
    # A broker that has just started answers slowly, whoever comes first.
    for name, command_of in sides.items():
        one_way(bench, name, command_of, max(RATES))
    table = []
    for rate in RATES:
        found = {name: [] for name in sides}
        for _ in range(options.rounds):
            for name, command_of in sides.items():
                found[name].append(one_way(bench, name, command_of, rate))
        for what in ("p50", "p99"):
            pairs = zip(found["dwell"], found["memory"])
            ratios = [own[f"{what}_ms"] / other[f"{what}_ms"] for own, other in pairs]
            own, other = (statistics.median(run[f"{what}_ms"] for run in found[name])
                          for name in sides)
            table.append(Row(
                f"one way through `dwell clean` at {rate:,} events a second, {what}",
                f"Kafka Streams, in memory, commits every {STREAMS_COMMIT_MS} ms", "below 1",
                f"{span(ratios)}, {own:.1f} ms to {other:.1f} ms", statistics.median(ratios) < 1))
    return table


class Follower:
    """What comes out of a topic, as it comes."""

    def __init__(self, tool):
        self.tool = tool
        self.seen = []
        self.is_ready = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.tool.stdout:
            found = json.loads(line)
            if "at" in found:
                self.seen.append(found)
            self.is_ready.set()

    def first_after(self, moment, program):
        """The time of the first records that came later than `moment`."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            for found in self.seen[-1_000:]:
                if found["at"] > moment:
                    return found["at"]
            program.check()
            time.sleep(0.002)
        raise Failed(f"nothing came out for {PATIENCE_S} s")

    def check(self):
        """Every event once and in order, from the first to the last that came."""
        for before, after in zip(self.seen, self.seen[1:]):
            if not after["is_in_order"] or after["first"] != before["last"] + 1:
                raise Failed(f"events were lost, doubled or out of order after {before}: {after}")


@contextlib.contextmanager
def in_background(tool):
    try:
        yield tool
    finally:
        tool.kill()
        tool.wait()


def restart_once(name, command, folder, follower):
    """Seconds from the start of a new process to the first output, after a kill -9."""
    with running(name, command, folder) as program:
        seconds = follower.first_after(program.started_at, program) - program.started_at
        time.sleep(2)  # a while under traffic, so that a transaction may be open at the kill
        program.end(9)
    time.sleep(1)  # what was committed before the kill is seen by now
    return seconds


def wait_for_compaction(bench, topic, written):
    """What an hour gives the broker's cleaner time for: it looks every 15 s."""
    deadline = time.monotonic() + COMPACTION_S
    while bench.count(topic)["records"] >= written and time.monotonic() < deadline:
        time.sleep(1)


def restart_rows(bench, options):
    devices = options.kafka_known
    group = bench.name("restart")
    names = [f"{group}-{role}:1" for role in ("events", "cleaned", "state", "rejected")]
    names[2] += ":compact"
    folder = bench.folder / group
    tail_devices = int(devices * TAIL_SHARE)
    # Numbers go on where an even number of passes ends, so that each device enters next.
    tail_first = -(-PASSES * devices // (2 * tail_devices)) * 2 * tail_devices
    tail_end = tail_first + TAIL_PASSES * tail_devices
    traffic_first = -(-tail_end // (2 * devices)) * 2 * devices
    with bench.topics(*names) as made:
        command = dwell_command(bench, made, group, folder)
        bench.tool("load", "send", made[0], devices, 0, PASSES * devices, 0)
        # At the default number of devices this is the default; with fewer, as many checkpoints.
        with running("dwell", [*command, "--checkpoint-devices", max(1, devices // 2)],
                     folder) as program:
            finish(bench.started_tool("watch", "commits", group, made[0]), [program])
            program.end()  # with a last checkpoint, so that what is to be folded again is the tail
        with running("dwell", command, folder) as program:
            bench.tool("load", "send", made[0], tail_devices, tail_first,
                       TAIL_PASSES * tail_devices, 0)
            finish(bench.started_tool("watch", "commits", group, made[0]), [program])
            program.end(9)  # no last checkpoint
        wait_for_compaction(bench, made[2], PASSES * devices)
        follower = Follower(bench.started_tool("watch", "follow", made[1]))
        traffic = bench.started_tool("load", "send", made[0], devices, traffic_first,
                                     RESTART_RATE * PATIENCE_S, RESTART_RATE)
        with in_background(follower.tool), in_background(traffic):
            if not follower.is_ready.wait(30):
                raise Failed("the reader does not start")
            seconds = []
            for number in range(options.rounds):
                seconds.append(restart_once("dwell", command, folder, follower))
                say(f"dwell: first output {seconds[-1]:.2f} s after the start")
            follower.check()
        states = bench.count(made[2])["records"]
    return [
        Row(f"start after kill -9 to the first new output, {devices:,} devices, {states:,} records "
            f"in the state topic, {TAIL_PASSES * tail_devices:,} to fold again, "
            f"{RESTART_RATE:,} events a second coming", "", f"within {RESTART_SECONDS} s",
            span(seconds, " s"), statistics.median(seconds) <= RESTART_SECONDS)
    ]
