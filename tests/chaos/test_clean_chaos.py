"""Kills, freezes and rebalances of `dwell clean` under load: the output is the fold of the input.

Each round is one scenario on topics of its own, with settings that its seed decides; rounds that kill
the broker take turns on a broker of theirs. DWELL_CHAOS_ROUNDS says how many rounds (30),
DWELL_CHAOS_SEED repeats a run that failed; it is printed with every failure.
"""

import concurrent.futures
import os
import random
import time
import uuid

import pytest

from kafka_fixtures import admin, broker, own_broker  # noqa: F401
from presence_model import Rule

ROUNDS = int(os.environ.get("DWELL_CHAOS_ROUNDS", "30"))
SEED = int(os.environ.get("DWELL_CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
PARTITIONS = 6
AT_A_TIME = 2  # rounds that leave the broker alone
ENDS_WITHIN_S = 8  # after SIGTERM without a broker
BUSY = 0.3  # share of the time that waiting for a broker may take


def rule_of(rng):
    """The rule and its flags: the same for all processes of a round."""
    rule = Rule(now=0, order=rng.choice(["arrival", "event_time"]), max_record=1 << 10,
                window_max=rng.choice([3, 1024]), horizon=rng.choice([120_000, 86_400_000]),
                first_exit=rng.choice(["accept", "suppress"]))
    return rule, ["--order", rule.order, "--order-window-max", str(rule.window_max),
                  "--order-horizon", f"{rule.horizon}ms", "--first-exit", rule.first_exit,
                  "--input-max-record", "1KiB", "--input-partitioned-by", "device"]


def pace_of(rng):
    """How often a process commits and makes checkpoints; they differ within a round."""
    return ["--batch-records", rng.choice(["50", "400", "10000"]),
            "--checkpoint-records", rng.choice(["1", "500", "5000", "1000000"]),
            "--checkpoint-idle", rng.choice(["10ms", "200ms", "1h"]),
            "--checkpoint-interval", rng.choice(["100ms", "1s", "10min"])]


class Round:
    """What a scenario works with."""

    def __init__(self, number, broker, admin, folder):
        from clean_crew import Crew
        from event_load import Load
        from kafka_topics import Topics
        self.rng = random.Random(f"{SEED}-{number}")
        self.broker, self.admin, self.folder = broker, admin, folder
        self.topics = Topics(broker, f"chaos-{number}-{uuid.uuid4().hex[:8]}", PARTITIONS)
        self.topics.create(admin)
        self.rule, flags = rule_of(self.rng)
        self.crew = Crew(folder, self.topics, admin, *flags)
        self.broker_was_killed = False
        self.load = Load(self.topics, self.rng_of("load"))
        self.threads = self.rng.choice(["1", "2"])  # so that three processes have all partitions

    def rng_of(self, what):
        return random.Random(f"{self.rng.random()}-{what}")

    def start(self, name):
        self.crew.start(name, *pace_of(self.rng), "--clean-threads", self.threads)

    def wait_for_load(self, records):
        goal = self.load.sent + records
        self.crew.wait(lambda: self.load.sent >= goal, "no load")

    def finish(self):
        """Everything that was sent is cleaned, and all adds up."""
        from clean_judge import judge
        self.load.finish(is_exact=not self.broker_was_killed)
        self.crew.wait_for_end(self.load)
        self.crew.leave_all()
        models = judge(self.topics, self.admin, self.rule)
        assert sum(model.outcomes.total() for model in models) == self.load.taken


def kill_clean(chaos):
    """Some kills while it commits, some while it only just starts, joins or restores."""
    chaos.start("one")
    chaos.crew.wait_for_progress()
    for _ in range(chaos.rng.randrange(2, 6)):
        is_early = chaos.rng.random() < 0.4
        chaos.wait_for_load(chaos.rng.randrange(30, 500 if is_early else 1_500))
        if not is_early:
            chaos.crew.wait_for_progress()
        chaos.crew.kill("one")
        chaos.start("one")
    chaos.crew.wait_for_progress()


def kill_broker(chaos):
    names = ["one", "two"][:chaos.rng.randrange(1, 3)]
    for name in names:
        chaos.start(name)
    chaos.crew.wait_for_owners(*names)
    chaos.crew.wait_for_progress()
    for _ in range(chaos.rng.randrange(1, 3)):
        chaos.wait_for_load(chaos.rng.randrange(30, 1_500))
        chaos.broker.kill()
        chaos.broker_was_killed = True
        chaos.wait_for_load(chaos.rng.randrange(30, 1_500))
        chaos.broker.start()
        chaos.crew.wait_for_progress()


def freeze_alone(chaos):
    """It wakes up after its session without anybody who took over."""
    chaos.start("one")
    chaos.crew.wait_for_progress()
    chaos.wait_for_load(chaos.rng.randrange(30, 1_500))
    chaos.crew.freeze("one")
    chaos.crew.wait(lambda: chaos.crew.owners() == {}, "its session does not end")
    chaos.crew.thaw("one")
    chaos.crew.wait_for_owners("one")
    chaos.crew.wait_for_progress()


def freeze_one_of_two(chaos):
    """It wakes up as a zombie: another has gone on with its partitions."""
    for name in ("one", "two"):
        chaos.start(name)
    chaos.crew.wait_for_owners("one", "two")
    chaos.crew.wait_for_progress()
    chaos.wait_for_load(chaos.rng.randrange(30, 1_500))
    chaos.crew.freeze("one")
    chaos.crew.wait_for_owners("two")
    if chaos.rng.random() < 0.7:
        chaos.crew.wait_for_progress()
    chaos.crew.thaw("one")
    chaos.crew.wait_for_owners("one", "two")
    chaos.crew.wait_for_progress()


def rebalance(chaos):
    """1 -> 3 -> 2 processes."""
    chaos.start("one")
    chaos.crew.wait_for_owners("one")
    chaos.crew.wait_for_progress()
    for name in ("two", "three"):
        chaos.start(name)
    chaos.crew.wait_for_owners("one", "two", "three")
    chaos.wait_for_load(chaos.rng.randrange(30, 1_500))
    gone = chaos.rng.choice(["one", "two", "three"])
    if chaos.rng.random() < 0.5:
        chaos.crew.kill(gone)
    else:
        chaos.crew.leave(gone)
    chaos.crew.wait_for_owners(*chaos.crew.processes)
    chaos.crew.wait_for_progress()


def no_broker_at_start(chaos):
    """It says so, waits without spinning, can be stopped, and works once there is one."""
    chaos.broker.kill()
    for name in ("one", "two"):
        chaos.start(name)
    for name in ("one", "two"):
        chaos.crew.wait_idly(name, lambda: "trying again" in chaos.crew.said(name)
                             or "trying again" in chaos.crew.said(name), "says nothing", BUSY)
        assert chaos.broker.address in chaos.crew.said(name)
    chaos.crew.leave("two", patience=ENDS_WITHIN_S)
    chaos.broker.start()
    chaos.crew.wait_for_progress()


OF_THE_BROKER = (kill_broker, no_broker_at_start)
SCENARIOS = (kill_clean, kill_broker, freeze_alone, rebalance, no_broker_at_start, kill_clean,
             freeze_one_of_two, rebalance)


def scenario_of(number):
    return SCENARIOS[(SEED + number) % len(SCENARIOS)]


def run(number, broker, admin, folder):
    start = time.monotonic()
    chaos = Round(number, broker, admin, folder)
    with chaos.load, chaos.crew:
        scenario_of(number)(chaos)
        chaos.finish()
    return time.monotonic() - start


def run_with_own(number, broker, folder):
    """The clients of the tests start anew as well."""
    from kafka_clients import admin_client
    if broker.process.poll() is not None:  # as a failed round left it
        broker.start()
    admin = admin_client(broker)
    try:
        return run(number, broker, admin, folder)
    finally:
        admin.close()


@pytest.fixture(scope="module")
def outcomes(request, broker, own_broker, admin, tmp_path_factory):  # noqa: F811
    """Every round that is asked for; a failure is told by its own test."""
    numbers = [item.callspec.params["number"] for item in request.session.items
               if item.path == request.path and hasattr(item, "callspec")]
    with (concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool,
          concurrent.futures.ThreadPoolExecutor(1) as alone):
        rounds, killed = {}, None
        for number in numbers:
            folder = tmp_path_factory.mktemp(f"round-{number}")
            if scenario_of(number) in OF_THE_BROKER:
                killed = killed or own_broker()
                rounds[number] = alone.submit(run_with_own, number, killed, folder)
            else:
                rounds[number] = pool.submit(run, number, broker, admin, folder)
        yield rounds


@pytest.mark.parametrize("number", range(ROUNDS))
def test_round(outcomes, number):
    print(f"DWELL_CHAOS_SEED={SEED}, round {number}: {scenario_of(number).__name__}")
    print(f"{outcomes[number].result():.1f} s")
