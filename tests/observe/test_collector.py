"""Against a real OpenTelemetry Collector: what Dwell sends arrives, and is what Dwell shows."""
import contextlib
import json
import secrets
import subprocess
import time

import confluent_kafka
import pytest

from dwell_service import Service, wait_until
from dwell_system import system
from free_ports import free_ports
from kafka_fixtures import ROOT

CONFIG = """
receivers:
  otlp:
    protocols:
      {protocol}: {{endpoint: "127.0.0.1:{port}"}}
exporters:
  file: {{path: {path}, flush_interval: 100ms}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces: {{receivers: [otlp], exporters: [file]}}
    metrics: {{receivers: [otlp], exporters: [file]}}
    logs: {{receivers: [otlp], exporters: [file]}}
"""


@pytest.fixture(scope="session")
def program():
    made = subprocess.run([ROOT / "scripts" / "install-collector"], capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip("SKIP: the collector cannot be built here: " + made.stderr[-300:])
    return ROOT / "build" / "collector" / "collector"


class Collector:
    def __init__(self, program, folder, protocol):
        self.port, = free_ports(1)
        self.path = folder / "got.json"
        (folder / "collector.yaml").write_text(
            CONFIG.format(protocol=protocol, port=self.port, path=self.path))
        with open(folder / "collector.log", "wb") as log:
            self.process = subprocess.Popen([program, f"--config=file:{folder}/collector.yaml"],
                                            stdout=log, stderr=log)
        self.log = folder / "collector.log"
        self.environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.port}",
                            "OTEL_EXPORTER_OTLP_PROTOCOL":
                                "grpc" if protocol == "grpc" else "http/protobuf",
                            "OTEL_METRIC_EXPORT_INTERVAL": "200", "OTEL_BSP_SCHEDULE_DELAY": "100",
                            "OTEL_BLRP_SCHEDULE_DELAY": "100"}

    def close(self):
        self.process.terminate()
        self.process.wait(30)

    def got(self, kind):
        """The resources of a kind, in the order in which they came; a line that is being written
        is not there yet."""
        text = self.path.read_text() if self.path.exists() else ""
        lines = [json.loads(line) for line in text.splitlines(True) if line.endswith("\n")]
        return [resource for line in lines for resource in line.get(kind, [])]

    def spans(self, trace):
        """{id: span}: one that was sent twice counts once."""
        return {span["spanId"]: span for resource in self.got("resourceSpans")
                for scope in resource["scopeSpans"] for span in scope["spans"]
                if span["traceId"] == trace}

    def lines(self):
        return [record["body"]["stringValue"] for resource in self.got("resourceLogs")
                for scope in resource["scopeLogs"] for record in scope["logRecords"]]

    def metrics(self):
        """{name: {labels: value}} of what came last."""
        found = {}
        for resource in self.got("resourceMetrics")[-1:]:
            for scope in resource["scopeMetrics"]:
                for metric in scope["metrics"]:
                    (points,) = [metric[kind]["dataPoints"] for kind in ("sum", "gauge", "histogram")
                                 if kind in metric]
                    found[metric["name"]] = {
                        frozenset((one["key"], one["value"].get("stringValue", ""))
                                  for one in point.get("attributes", [])):
                        float(point.get("asDouble", point.get("asInt", point.get("count"))))
                        for point in points}
        return found


@pytest.fixture(params=["http", "grpc"])
def collector(request, program, tmp_path):
    (tmp_path / "collector").mkdir()
    collector = Collector(program, tmp_path / "collector", request.param)
    with contextlib.closing(collector):
        wait_until(lambda: "Everything is ready" in collector.log.read_text(), seconds=30,
                   what=collector.log)
        yield collector


def is_told(span, outcome):
    return {"key": "dwell.outcome", "value": {"stringValue": outcome}} in span["attributes"]


def test_a_record_is_one_trace_from_its_producer_to_the_row(collector, topics, database, tmp_path):
    trace, producer = secrets.token_hex(16), secrets.token_hex(8)
    with system(tmp_path, topics, database.url, environment=collector.environment):
        client = confluent_kafka.Producer({"bootstrap.servers": topics.broker.address})
        value = json.dumps({"device_id": "d", "event_type": "device_enter",
                            "timestamp": int(time.time() * 1_000)})
        client.produce(topics.input, value, "d",
                       headers=[("traceparent", f"00-{trace}-{producer}-01".encode())])
        assert client.flush(30) == 0
        wait_until(lambda: len(collector.spans(trace)) == 2, seconds=60)
    spans = collector.spans(trace).values()
    cleaning, = [span for span in spans if is_told(span, "accepted")]
    storing, = [span for span in spans if is_told(span, "stored")]
    assert cleaning["parentSpanId"] == producer
    assert storing["parentSpanId"] == cleaning["spanId"]


def test_metrics_and_lines_of_the_log_are_those_of_the_process(collector, tmp_path):
    (tmp_path / "dwell").mkdir()
    with Service(tmp_path / "dwell", environment=collector.environment).start() as service:
        service.store(*((f"d{n}", "enter", 1_700_000_000_000 + n) for n in range(5)))
        shown = service.metrics()
        counted = {name: value for name, value in shown.items()
                   if name.startswith(("dwell_records_total", "dwell_batches", "dwell_devices",
                                       "dwell_commit_seconds_count", "dwell_end_to_end_seconds_count"))}
        assert len(counted) > 15

        def arrived():
            told = collector.metrics()
            return {name: value for name, value in counted.items()
                    for base, labels in [name_of(name)]
                    if told.get(base, {}).get(labels) != value} or "all"

        wait_until(lambda: arrived() == "all", seconds=60, what=arrived)
        page = service.get("/metrics").text
        assert set(collector.metrics()) == {line.split()[2] for line in page.splitlines()
                                            if line.startswith("# TYPE")}
        said = [line.split(" ", 2)[2] for line in service.log.splitlines()]
        wait_until(lambda: set(said) <= set(collector.lines()), seconds=60, what=said)


def name_of(sample):
    """The name of a metric and the labels of one of its points, as OTLP has them."""
    name, _, labels = sample.partition("{")
    pairs = (label.split("=", 1) for label in labels.rstrip("}").split(",") if label)
    return name.removesuffix("_count"), frozenset((key, value.strip('"')) for key, value in pairs)
