"""A real Kafka broker of the tests' own: one KRaft node on free ports, its data in a folder."""

import os
import pathlib
import signal
import socket
import subprocess
import time
import uuid

from free_ports import free_ports

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBS = ROOT / "build" / "kafka" / "libs"
PATIENCE_S = 60
QUICK_START = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")

PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={folder}/data
num.partitions=1
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
min.insync.replicas=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
"""


class Broker:
    """start() and kill() as often as wanted; port and data stay."""

    def __init__(self, folder, heap="256m", jvm=QUICK_START):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.heap = heap
        self.jvm = jvm
        self.port, controller = free_ports(2)
        self.address = f"127.0.0.1:{self.port}"
        self.process = None
        self.properties = self.folder / "server.properties"
        self.properties.write_text(PROPERTIES.format(port=self.port, controller=controller,
                                                     folder=self.folder))
        self.log = self.folder / "broker.log"
        self._run("kafka.tools.StorageTool", "format", "-t", self._cluster_id(), "-c",
                  os.fspath(self.properties))

    @staticmethod
    def _cluster_id():
        import base64
        return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "a")

    def _command(self, *words):
        return ["java", f"-Xmx{self.heap}", *self.jvm,
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{LIBS}/*", *words]

    def _run(self, *words):
        with open(self.log, "ab") as log:
            subprocess.run(self._command(*words), stdout=log, stderr=log, check=True, timeout=120)

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self._command("kafka.Kafka", os.fspath(self.properties)), stdout=log, stderr=log,
                stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE_S
        while True:
            assert self.process.poll() is None, self.log.read_text()[-3_000:]
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            assert time.monotonic() < deadline, self.log.read_text()[-3_000:]
            time.sleep(0.05)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
