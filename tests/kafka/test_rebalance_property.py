"""Any batching, number of threads and history of processes ends in the fold of the input, per device.

Processes join and leave by SIGTERM or kill -9 as the seed says, each start with a pace of its own.
DWELL_TEST_SEED repeats a run.
"""

import os
import random
import uuid

import pytest

from presence_model import Rule

SEED = int(os.environ.get("DWELL_TEST_SEED", "20250708"))
HISTORIES = 6
NAMES = ("one", "two", "three")
STEPS = 5
WITHIN_A_STEP = 300  # records


def pace_of(rng):
    return ["--batch-records", rng.choice(["1", "7", "100", "10000"]),
            "--clean-threads", str(rng.randrange(1, 4)),
            "--checkpoint-records", rng.choice(["1", "50", "1000000"]),
            "--checkpoint-devices", rng.choice(["1", "20", "500000"]),
            "--checkpoint-idle", rng.choice(["1ms", "100ms", "1h"]),
            "--checkpoint-interval", rng.choice(["1ms", "500ms", "10min"])]


def rule_of(rng):
    rule = Rule(now=0, order=rng.choice(["arrival", "event_time"]), max_record=1 << 10,
                window_max=rng.choice([1, 5, 1024]), duplicate_window=rng.choice([0, 1, 4]))
    return rule, ["--order", rule.order, "--order-window-max", str(rule.window_max),
                  "--duplicate-window", str(rule.duplicate_window), "--input-max-record", "1KiB",
                  "--input-partitioned-by", "device"]


@pytest.mark.parametrize("number", range(HISTORIES))
def test_output_is_the_fold_of_the_input(broker, admin, tmp_path, number):
    from clean_crew import Crew
    from clean_judge import judge
    from event_load import Load
    from kafka_topics import Topics
    print(f"DWELL_TEST_SEED={SEED}, history {number}")
    rng = random.Random(f"{SEED}-{number}")
    topics = Topics(broker, f"property-{uuid.uuid4().hex[:8]}", rng.randrange(1, 7)).create(admin)
    rule, flags = rule_of(rng)
    load = Load(topics, random.Random(f"{SEED}-{number}-load"), rng.choice([150, 600]))
    with load, Crew(tmp_path, topics, admin, *flags) as crew:
        for _ in range(STEPS):
            step(rng, crew)
            goal = load.sent + rng.randrange(WITHIN_A_STEP)
            crew.wait(lambda: load.sent >= goal, "no load")  # noqa: B023
        load.finish()
        if not crew.processes:
            crew.start(NAMES[0], *pace_of(rng))
        crew.wait_for_end(load)
        crew.leave_all()
        models = judge(topics, admin, rule)
    assert sum(model.outcomes.total() for model in models) == load.sent


def step(rng, crew):
    """One joins or leaves; who is in the group may not have got a partition yet."""
    name = rng.choice(NAMES)
    if name not in crew.processes:
        crew.start(name, *pace_of(rng))
    elif rng.random() < 0.5:
        crew.leave(name)
    else:
        crew.kill(name)
