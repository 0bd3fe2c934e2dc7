"""Programs between topics of one broker, and what the rows of kafka.py share about them."""

import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

PATIENCE_S = 300  # for whatever is waited for


class Failed(Exception):
    """This row cannot be measured; the others can. What it says is one line of a table."""

    def __init__(self, why):
        super().__init__(" ".join(why.replace("|", "/").split()))


def say(text):
    print(text, file=sys.stderr)


class Bench:
    """The broker, a folder, and the programs that make, fill and read topics."""

    def __init__(self, build, folder, broker):
        self.build, self.folder, self.broker = build, folder, broker
        self.numbers = itertools.count()

    def name(self, what):
        return f"{what}-{next(self.numbers)}"

    def tool(self, program, *words, **more):
        command = [self.build / f"bench_kafka_{program}", self.broker.address, *map(str, words)]
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True, timeout=PATIENCE_S, **more)
        except subprocess.TimeoutExpired:
            raise Failed(f"{program} {words[0]} took longer than {PATIENCE_S} s") from None
        if done.returncode != 0:
            raise Failed(f"{program} {words[0]}: {done.stderr.strip()[-300:]}")
        return done.stdout

    def started_tool(self, program, *words):
        command = [self.build / f"bench_kafka_{program}", self.broker.address, *map(str, words)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    @contextlib.contextmanager
    def topics(self, *names):
        """NAME:PARTITIONS[:compact] each; gone afterwards."""
        self.tool("load", "create", *names)
        try:
            yield [name.split(":")[0] for name in names]
        finally:
            self.tool("load", "delete", *(name.split(":")[0] for name in names))

    def generate(self, topic, events, devices, others):
        """Fills a topic; `others` percent of the events repeat and as many are heartbeats."""
        options = {"events": events, "devices": devices, "seed": 7, "rate": 1000,
                   "repeats": others, "heartbeats": others}
        command = [self.build / "dwell", "generate"]
        command += [f"--{name}={value}" for name, value in options.items()]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as made:
            self.tool("load", "fill", topic, stdin=made.stdout)

    def count(self, topic):
        return json.loads(self.tool("watch", "count", topic))


class Program:
    """One side of a row. What it says goes to a file in `folder`, which is its own."""

    def __init__(self, name, command, folder):
        self.name, self.folder = name, folder
        self.log = folder / "log"
        self.started_at = time.monotonic()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([str(word) for word in command], stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL, cwd=folder)
        self.usage = None

    def check(self):
        if self.usage is None and self._wait(os.WNOHANG):
            raise Failed(f"{self.name} ended: {self.log.read_text(errors='replace').strip()[-300:]}")

    def peak_mib(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)[1]) / 1024

    def end(self, number=signal.SIGTERM):
        """CPU seconds of the whole life of the process, user and system."""
        if self.usage is None:
            self.process.send_signal(number)
            deadline = time.monotonic() + 60
            while not self._wait(os.WNOHANG):
                if time.monotonic() > deadline:
                    self.process.kill()
                    self._wait(0)
                    break
                time.sleep(0.01)
        return self.usage.ru_utime + self.usage.ru_stime

    def _wait(self, options):
        pid, status, usage = os.wait4(self.process.pid, options)
        if pid == 0:
            return False
        self.usage = usage
        self.process.returncode = os.waitstatus_to_exitcode(status)
        return True


@contextlib.contextmanager
def running(name, command, folder):
    folder.mkdir(exist_ok=True)
    program = Program(name, command, folder)
    try:
        yield program
    finally:
        program.end(signal.SIGKILL)


def finish(tool, programs):
    """The output of a started tool, given up when one of the programs ends before it."""
    deadline = time.monotonic() + PATIENCE_S
    try:
        while tool.poll() is None:
            for program in programs:
                program.check()
            if time.monotonic() > deadline:
                raise Failed(f"not done after {PATIENCE_S} s")
            time.sleep(0.02)
        out, err = tool.communicate()
        if tool.returncode != 0:
            raise Failed(err.strip()[-300:])
        return out
    finally:
        if tool.poll() is None:
            tool.kill()
            tool.communicate()


def dwell_command(bench, names, group, folder, *more):
    """names: those of the topics input, cleaned, state, rejected."""
    command = [bench.build / "dwell", "clean", "--brokers", bench.broker.address]
    for role, name in zip(("input", "cleaned", "state", "rejected"), names):
        command += [f"--topics-{role}", name]
    return [*command, "--clean-group", group, "--instance-folder", folder, *more]


def compile_streams(folder):
    """The class path of StreamsJob, which is compiled into `folder`."""
    root = Path(__file__).resolve().parents[1]
    source = root / "bench" / "streams" / "StreamsJob.java"
    subprocess.run([root / "scripts" / "install-streams"], check=True, stdout=subprocess.DEVNULL)
    libs = f"{root}/build/streams/libs/*"
    subprocess.run(["javac", "-d", folder, "-cp", libs, source], check=True)
    return f"{folder}:{libs}"


def streams_command(bench, classes, store, names, group, folder, threads, commit_ms):
    state = folder / "state"
    shutil.rmtree(state, ignore_errors=True)
    return ["java", "-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", classes,
            "StreamsJob", bench.broker.address, names[0], names[1], group, threads, commit_ms,
            store, state]
