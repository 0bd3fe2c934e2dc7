import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def need(script):
    """Installs what Debian has not; without it there is nothing to test."""
    done = subprocess.run([ROOT / "scripts" / script], capture_output=True, text=True)
    if done.returncode != 0:
        reason = f"SKIP: {script}: {(done.stdout + done.stderr).strip()[-500:]}"
        if os.environ.get("CI") == "true":
            raise RuntimeError(reason)
        pytest.skip(reason, allow_module_level=True)


need("install-python-tools")
sys.path += map(str, (ROOT / "build" / "python" / "lib").glob("python3*/site-packages"))


class OtherBroker:
    """One that runs already, named by DWELL_TEST_KAFKA."""

    def __init__(self, address):
        self.address = address


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    if address := os.environ.get("DWELL_TEST_KAFKA"):
        yield OtherBroker(address)
        return
    from kafka_broker import Broker
    need("install-kafka")
    own = Broker(tmp_path_factory.mktemp("kafka"))
    try:
        yield own.start()
    finally:
        own.stop()


@pytest.fixture(scope="session")
def admin(broker):
    from kafka.admin import KafkaAdminClient
    client = KafkaAdminClient(bootstrap_servers=broker.address)
    yield client
    client.close()
