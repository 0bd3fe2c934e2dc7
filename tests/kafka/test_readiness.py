"""What `dwell clean` answers to those who ask whether it is well."""

import json
import urllib.error
import urllib.request
import uuid

from dwell_cli import Dwell
from free_ports import free_ports
from prometheus_text import Samples

START = 1_000_000_000


class Probe:
    """A running process as its supervisor sees it."""

    def __init__(self, port):
        self.base = f"http://127.0.0.1:{port}"

    def get(self, path):
        """(status, text); (0, "") before it listens."""
        try:
            with urllib.request.urlopen(self.base + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except urllib.error.URLError:
            return 0, ""

    def readiness(self):
        status, text = self.get("/readyz")
        return status, json.loads(text) if text else {}

    def metric(self, name):
        """The value of /metrics, 0 without one."""
        return Samples(self.get("/metrics")[1]).get(name, 0.0)


def event(device, now):
    return json.dumps({"device_id": device, "event_type": "device_enter",
                       "timestamp": now}).encode()


def test_ready_only_when_restored(own_broker, tmp_path):
    from kafka_clients import admin_client
    from kafka_topics import Topics, wait_until
    broker = own_broker()
    admin = admin_client(broker)
    topics = Topics(broker, f"ready-{uuid.uuid4().hex[:8]}").create(admin)
    admin.close()
    topics.produce([(0, event(f"d{i}", START), START) for i in range(3)])
    broker.stop()

    port = free_ports(1)[0]
    probe = Probe(port)
    said = tmp_path / "said"
    with open(said, "wb") as log:
        process = Dwell(tmp_path).start("clean", *topics.flags(), "--clean-listen",
                                        f"127.0.0.1:{port}", stdout=log, stderr=log)
    try:
        # The member and the hop that is not needed both find no broker.
        wait_until(lambda: said.read_text().count("trying again") >= 2, process)
        status, body = probe.readiness()
        assert status == 503 and body["ready"] is False
        assert any(reason.startswith("member 0: ") for reason in body["reasons"]), body
        assert probe.metric("dwell_partitions") == 0

        broker.start()
        wait_until(lambda: probe.readiness()[0] == 200, process)
        assert probe.readiness()[1] == {"ready": True, "reasons": []}
        # Restored before it was ready, and not only afterwards.
        assert probe.metric("dwell_partitions") == 1
        accepted = 'dwell_records_total{outcome="accepted"}'
        wait_until(lambda: probe.metric(accepted) == 3, process)
        assert probe.metric("dwell_devices") == 3
        assert probe.get("/timeline/d0")[0] == 404
    finally:
        process.kill()
        process.wait()


def test_keys_that_are_not_the_device_are_a_warning(broker, admin, tmp_path):
    from kafka_topics import Topics, wait_until
    topics = Topics(broker, f"keys-{uuid.uuid4().hex[:8]}", 2).create(admin)
    port = free_ports(1)[0]
    probe = Probe(port)
    topics.produce([(i % 2, event(f"d{i}", START), START) for i in range(12)] +
                   [(1, b"no event", START)])
    process = Dwell(tmp_path).start("clean", *topics.flags(), "--input-partitioned-by", "device",
                                    "--clean-listen", f"127.0.0.1:{port}")
    try:
        wait_until(lambda: probe.metric("dwell_miskeyed_records_total") == 12, process)
        wait_until(lambda: probe.readiness()[1].get("warnings"), process)
        status, body = probe.readiness()
        assert status == 200, body  # a breach of the topic's producers, and none of this process
        first, *offenders = body["warnings"]
        assert first.startswith("12 records had a key that is not their device id"), body
        assert "input.partitioned_by = none" in first
        assert len(offenders) == 10 and all("its key is empty" in one for one in offenders)
        assert all(", its device id is d" in one for one in offenders)
        # What is no event has no device that a key could differ from, and keeps the key it had.
        wait_until(topics.rejects, process)
        assert [(m.key(), m.value()) for m in topics.read(topics.rejected)] == [
            (None, b"no event")]
    finally:
        process.kill()
        process.communicate()


def test_keys_are_compared_with_the_ids_that_are_made_of_records(broker, admin, tmp_path):
    from kafka_topics import Topics, wait_until
    topics = Topics(broker, f"mapped-{uuid.uuid4().hex[:8]}", 2).create(admin)
    port = free_ports(1)[0]
    probe = Probe(port)
    topics.produce([(0, event("AB", START), START, b"ab"), (1, event("CD", START), START, b"CD"),
                    (1, event("EF", START), START, b"ef")])
    command = ["clean", *topics.flags(), "--input-partitioned-by", "device",
               "--input-device-id-case", "lower"]
    dwell = Dwell(tmp_path)
    assert "input.keys = mapped" in dwell.run(*command, status=2).err
    process = dwell.start(*command, "--input-keys", "mapped", "--clean-listen",
                          f"127.0.0.1:{port}")
    try:
        wait_until(lambda: len(topics.read(topics.cleaned, 2)) == 3, process)
        wait_until(lambda: probe.readiness()[1].get("warnings"), process)
        assert probe.metric("dwell_miskeyed_records_total") == 1
        assert probe.readiness()[1]["warnings"][1:] == [
            f"{topics.input}/1 offset 0: its key is CD, its device id is cd"]
        assert {message.key() for message in topics.read(topics.cleaned, 2)} == {
            b"ab", b"cd", b"ef"}
    finally:
        process.kill()
        process.communicate()
