"""Processes of `dwell clean` that share one group, to be killed, frozen and watched."""

import collections
import os
import signal
import subprocess
import time

from kafka.errors import KafkaError

from dwell_cli import Dwell
from kafka_topics import PATIENCE_S, wait_until

SESSION = "6s"
SHOWN = 3_000  # characters of a log


class Crew:
    """Each process has a name, its instance.id, and a log that its restarts go on with."""

    def __init__(self, folder, topics, admin, *flags):
        self.dwell, self.topics, self.admin, self.flags = Dwell(folder), topics, admin, flags
        self.processes, self.frozen = {}, set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for name in list(self.processes):
            self.kill(name)

    def start(self, name, *flags):
        with open(self.log(name), "ab") as log:
            self.processes[name] = self.dwell.start(
                "clean", *self.topics.flags(name), "--clean-session-timeout", SESSION, *self.flags,
                *flags, stdout=log, stderr=log)

    def kill(self, name):
        """kill -9, which a frozen process cannot put off either."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()
        self.frozen.discard(name)

    def freeze(self, name):
        self.processes[name].send_signal(signal.SIGSTOP)
        self.frozen.add(name)

    def thaw(self, name):
        self.processes[name].send_signal(signal.SIGCONT)
        self.frozen.discard(name)

    def leave(self, *names, patience=PATIENCE_S):
        """SIGTERM to each, and each ends well and in time."""
        for name in names:
            self.processes[name].send_signal(signal.SIGTERM)
        for name in names:
            try:
                status = self.processes[name].wait(patience)
            except subprocess.TimeoutExpired:
                raise AssertionError(f"{name} goes on after SIGTERM\n{self.tail(name)}") from None
            del self.processes[name]
            assert status == 0, (name, status, self.tail(name))

    def leave_all(self):
        self.leave(*self.processes)

    def log(self, name):
        return self.dwell.folder / f"{name}.log"

    def said(self, name):
        return self.log(name).read_text(errors="replace")

    def tail(self, name):
        return self.said(name)[-SHOWN:]

    def wait(self, condition, what, patience=PATIENCE_S):
        """Asks until it is so; fails when that takes too long or a process ends meanwhile."""

        def is_so():
            for name, process in self.processes.items():
                assert process.poll() is None, (what, name, process.returncode, self.tail(name))
            return condition()

        try:
            wait_until(is_so, patience=patience)
        except AssertionError as error:
            logs = "".join(f"\n== {name}\n{self.tail(name)}" for name in self.processes)
            raise AssertionError(f"{what}: {error}; committed {self.topics.committed(self.admin)}, "
                                 f"owners {self.owners()}{logs}") from None

    def committed(self):
        """How many records of the input."""
        return sum(self.topics.committed(self.admin).values())

    def wait_for_progress(self, records=1):
        goal = self.committed() + records
        self.wait(lambda: self.committed() >= goal, "no progress")

    def wait_for_end(self, load):
        """Lag 0."""
        self.wait(lambda: self.topics.committed(self.admin) == load.ends,
                  f"does not reach the end {load.ends}")

    def owners(self):
        """{name: partitions} as the group's coordinator knows it."""
        try:
            group, = self.admin.describe_consumer_groups([self.topics.group])
        except KafkaError as error:
            if not error.retriable:
                raise
            return {}  # no coordinator yet
        owned = collections.defaultdict(set)
        for member in group.members:
            name = member.member_id.split("-")[0]  # it begins with the static id
            assigned = member.member_assignment.assignment if member.member_assignment else []
            owned[name].update(*(places for topic, places in assigned
                                 if topic == self.topics.input))
        return dict(owned)

    def wait_for_owners(self, *names):
        """These own all partitions, each some of them; all others own none."""
        everything = set(range(self.topics.partitions))

        def is_so():
            owned = {name: places for name, places in self.owners().items() if places}
            return set(owned) == set(names) and set().union(*owned.values()) == everything

        self.wait(is_so, f"not owned by {names}")

    def busy_s(self, name):
        """Time on the processor so far."""
        with open(f"/proc/{self.processes[name].pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wait_idly(self, name, condition, what, share):
        """Waits for the condition; meanwhile the process must not spin."""
        busy, start = self.busy_s(name), time.monotonic()
        self.wait(condition, what)
        used, passed = self.busy_s(name) - busy, time.monotonic() - start
        assert used < 0.2 + share * passed, (what, f"{used:.2f} s of {passed:.2f} s busy")
