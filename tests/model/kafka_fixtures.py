"""What every test between real topics needs; importing this installs what Debian has not."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def need(script):
    """Without it there is nothing to test."""
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
def broker(own_broker):
    """Stays up; several tests at a time may use it."""
    if address := os.environ.get("DWELL_TEST_KAFKA"):
        return OtherBroker(address)
    return own_broker()


@pytest.fixture(scope="session")
def own_broker(tmp_path_factory):
    """Makes a broker that the test may stop, kill and start."""
    from kafka_broker import Broker
    started = []

    def make():
        need("install-kafka")
        started.append(Broker(tmp_path_factory.mktemp("kafka")))
        return started[-1].start()

    yield make
    for one in started:
        one.stop()


@pytest.fixture(scope="session")
def admin(broker):
    from kafka_clients import admin_client
    client = admin_client(broker)
    yield client
    client.close()
