"""What `dwell clean` does between topics, on one real broker that is the bench's own.

Each part that cannot be measured says so in its row, and the others are measured all the same.
"""

import subprocess
import sys
from pathlib import Path

import kafka_latency
import kafka_throughput
from kafka_runs import Bench, Failed, say
from table import Row

ROOT = Path(__file__).resolve().parents[1]
PARTS = {
    "null": kafka_throughput.null_rows,
    "streams": kafka_throughput.streams_rows,
    "restart": kafka_latency.restart_rows,
    "latency": kafka_latency.latency_rows,
    "memory": kafka_throughput.memory_rows,
}


def start_broker(folder):
    sys.path.append(str(ROOT / "tests" / "model"))
    from kafka_broker import Broker
    subprocess.run([ROOT / "scripts" / "install-kafka"], check=True)
    # As users run it: no setting that saves its start.
    broker = Broker(folder / "broker", heap="1g", jvm=())
    try:
        return broker.start()
    except BaseException:
        broker.stop()
        raise


def not_measured(what, error):
    return Row(f"`dwell clean`: {what}", "", "", f"not measured: {error}", False)


def rows(build, folder, options):
    try:
        broker = start_broker(folder)
    except (AssertionError, subprocess.SubprocessError, OSError) as error:
        yield not_measured("all of it", str(error).strip().splitlines()[-1])
        return
    try:
        bench = Bench(build, folder, broker)
        for name, measure in PARTS.items():
            if options.kafka_only and name not in options.kafka_only:
                continue
            say(f"kafka: {name}")
            try:
                yield from measure(bench, options)
            except (Failed, subprocess.SubprocessError, OSError) as error:
                yield not_measured(name, error)
    finally:
        broker.stop()
