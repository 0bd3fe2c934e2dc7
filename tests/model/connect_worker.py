"""A real worker of Kafka Connect: one process on a free port, with the connector of a file."""

import http.client
import json
import os
import pathlib
import signal
import subprocess

from dwell_service import wait_until
from free_ports import free_ports
from kafka_broker import QUICK_START, ROOT

LIBS = ROOT / "build" / "connect" / "libs"
STOP_S = 30

PROPERTIES = """
bootstrap.servers={brokers}
listeners=http://127.0.0.1:{port}
offset.storage.file.filename={folder}/offsets
offset.flush.interval.ms=1000
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
plugin.discovery=service_load
config.providers=env
config.providers.env.class=org.apache.kafka.common.config.provider.EnvVarConfigProvider
config.providers.env.param.allowlist.pattern=SINK_.*
"""


class ConnectWorker:
    """start(), stop() and kill() as often as wanted; `environment` fills in the file."""

    def __init__(self, folder, brokers, connector, environment, heap="256m", jvm=QUICK_START):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port, = free_ports(1)
        self.properties = self.folder / "worker.properties"
        self.properties.write_text(PROPERTIES.format(brokers=brokers, port=self.port,
                                                     folder=self.folder))
        self.command = ["java", f"-Xmx{heap}", *jvm,
                        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{LIBS}/*",
                        "org.apache.kafka.connect.cli.ConnectStandalone",
                        os.fspath(self.properties), os.fspath(connector)]
        self.environment = {**os.environ, **environment}
        self.log = self.folder / "worker.log"
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, env=self.environment)
        try:
            wait_until(self.is_running)
        except AssertionError as error:
            self.kill()
            raise AssertionError(f"{error}\n{self.said()}") from None
        return self

    def is_running(self):
        """Whether the connector and its tasks are; one that failed does not come back."""
        assert self.process.poll() is None, f"ended with {self.process.returncode}"
        for connector in self.status().values():
            parts = [connector["status"]["connector"], *connector["status"]["tasks"]]
            states = {part["state"] for part in parts}
            assert "FAILED" not in states, "\n".join(part.get("trace", "") for part in parts)
            return len(parts) > 1 and states == {"RUNNING"}

    def status(self):
        """{name: what REST says of a connector}, empty until it answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=STOP_S)
        try:
            connection.request("GET", "/connectors?expand=status")
            reply = connection.getresponse()
            return json.load(reply) if reply.status == 200 else {}
        except ConnectionError:
            return {}
        finally:
            connection.close()

    def said(self):
        return self.log.read_text("utf-8", "replace")[-5_000:]

    def stop(self):
        """It commits its offsets and leaves its group."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()
