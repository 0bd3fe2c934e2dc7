"""Telemetry of `dwell run`: traces, metrics and logs over OTLP, and a collector that is away, slow or
refuses."""

import json
import secrets
import time

import pytest

from dwell_cli import Dwell
from dwell_service import Service, post_event, wait_until
from otlp_receiver import OtlpReceiver

NOW = 1_700_000_000_000


@pytest.fixture
def receiver():
    with OtlpReceiver() as receiver:
        yield receiver


def traced_post(service, flags="01", **headers):
    trace, client = secrets.token_hex(16), secrets.token_hex(8)
    reply = service.post([post_event(secrets.token_hex(4), "enter", NOW)], headers={
        "Content-Type": "application/json", "traceparent": f"00-{trace}-{client}-{flags}",
        **headers})
    assert reply.status == 201, reply
    return trace, client


def test_a_post_is_one_trace_down_to_its_commit(receiver, tmp_path):
    with Service(tmp_path, environment=receiver.environment()).start() as service:
        trace, client = traced_post(service)
        receiver.wait_for(lambda: len(receiver.trace(trace)) == 2)
        service.stop()
    request, commit = sorted(receiver.trace(trace), key=lambda span: span.kind)
    assert (request.name, request.parent, request.kind) == ("POST /timeline", client, 2)
    assert request.attributes == {
        "http.request.method": "POST", "http.route": "/timeline",
        "http.response.status_code": 201, "url.scheme": "http"}
    assert (commit.name, commit.parent, commit.kind) == (
        "INSERT device_events_cleaned", request.id, 3)
    assert commit.attributes["db.system.name"] == "sqlite"
    assert request.start <= commit.start <= commit.end
    assert request.resource["service.name"] == "dwell"
    assert request.resource["dwell.command"] == "dwell run"
    assert request.resource["telemetry.sdk.language"] == "cpp"


def test_a_question_is_a_span_without_the_device(receiver, tmp_path):
    with Service(tmp_path, environment=receiver.environment()).start() as service:
        service.store(("badge-17", "enter", NOW))
        service.timeline("badge-17", "?start=2023-11-14T00:00:00Z")
        found = receiver.wait_for(lambda: [
            span for span in receiver.spans if span.name == "GET /timeline/{device}"])
        service.get("/nothing")
        receiver.wait_for(lambda: [span for span in receiver.spans if span.name == "GET none"])
    assert len(found) == 1 and not found[0].parent
    assert found[0].attributes["http.route"] == "/timeline/{device}"
    assert "badge-17" not in repr(receiver.spans)


@pytest.mark.parametrize("path", ["/timeline/d", "/devices/d", "/presence"])
def test_what_a_question_asks_of_the_store_is_below_it(receiver, tmp_path, path):
    with Service(tmp_path, "--log-level", "debug", "--log-format", "json",
                 environment=receiver.environment()).start() as service:
        service.store(("d", "enter", NOW))
        trace, client = secrets.token_hex(16), secrets.token_hex(8)
        assert service.get(path, traceparent=f"00-{trace}-{client}-01").status == 200
        receiver.wait_for(lambda: len(receiver.trace(trace)) == 2)
        service.stop()
        lines = [json.loads(line) for line in service.log.splitlines()]
    request, question = sorted(receiver.trace(trace), key=lambda span: span.kind)
    assert (request.parent, request.kind) == (client, 2)
    assert (question.name, question.parent, question.kind) == (
        "SELECT device_events_cleaned", request.id, 3)
    assert question.attributes == {"db.system.name": "sqlite", "db.operation.name": "SELECT",
                                   "db.collection.name": "device_events_cleaned"}
    assert request.start <= question.start <= question.end <= request.end
    told, = [line for line in lines if line.get("trace_id") == trace]
    assert told["span_id"] == request.id and told["message"].startswith("http /")


@pytest.mark.parametrize("sampler, flags, is_traced", [
    (None, "00", False), (None, "01", True), ("always_on", "00", True), ("always_off", "01", False),
    ("parentbased_always_off", "01", True), ("traceidratio", "01", False)])
def test_the_sampler_decides(receiver, tmp_path, sampler, flags, is_traced):
    more = {"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": "0"} if sampler else {}
    with Service(tmp_path, environment=receiver.environment(**more)).start() as service:
        trace, _ = traced_post(service, flags)
        service.stop()
    assert len(receiver.trace(trace)) == (2 if is_traced else 0)


def numbers(metric):
    """{labels: value} of a metric as it came."""
    kind = metric.WhichOneof("data")
    return {tuple(sorted((one.key, one.value.string_value) for one in point.attributes)):
            point.count if kind == "histogram" else point.as_double or point.as_int
            for point in getattr(metric, kind).data_points}


def test_metrics_are_those_of_the_page(receiver, tmp_path):
    with Service(tmp_path, environment=receiver.environment()).start() as service:
        service.store(*((f"d{i}", "enter", NOW) for i in range(7)))
        page = service.get("/metrics").text

        def is_told():
            told = receiver.metrics.get("dwell_records_total")
            return told and numbers(told).get(
                (("outcome", "accepted"), ("stage", "embedded"))) == 7

        receiver.wait_for(is_told, what=receiver.metrics)
        told = dict(receiver.metrics)
    names = {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE")}
    assert set(told) == names
    shown = {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
             for line in page.splitlines() if not line.startswith("#")}
    for name in ("dwell_batches_total", "dwell_devices", "dwell_partitions"):
        assert numbers(told[name]) == {
            (("stage", "embedded"),): shown[f'{name}{{stage="embedded"}}']}
    assert told["dwell_records_total"].sum.is_monotonic
    assert told["dwell_records_total"].sum.aggregation_temporality == 2  # cumulative
    seconds = told["dwell_commit_seconds"]
    assert seconds.unit == "s"
    point = seconds.histogram.data_points[0]
    bounds = [float(line.split('le="')[1].split('"')[0]) for line in page.splitlines()
              if line.startswith("dwell_commit_seconds_bucket")]
    assert list(point.explicit_bounds) + [float("inf")] == bounds
    assert sum(point.bucket_counts) == point.count == shown[
        'dwell_commit_seconds_count{stage="embedded"}']


def test_lines_of_the_log_arrive(receiver, tmp_path):
    with Service(tmp_path, environment=receiver.environment()).start() as service:
        log = service.log
        receiver.wait_for(lambda: [line for line in receiver.lines
                                   if "serving" in line.body.string_value], what=receiver.lines)
    line = next(line for line in receiver.lines if "serving" in line.body.string_value)
    assert line.body.string_value in log
    assert line.severity_number == 9  # INFO
    assert abs(line.time_unix_nano / 1e9 - time.time()) < 600


def test_headers_and_compression_are_the_standard_ones(receiver, tmp_path):
    environment = receiver.environment(OTEL_EXPORTER_OTLP_HEADERS="api-key=s3cr3t",
                                       OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
                                       OTEL_SERVICE_NAME="gate",
                                       OTEL_RESOURCE_ATTRIBUTES="deployment.environment=test")
    with Service(tmp_path, environment=environment).start() as service:
        service.get("/livez")
        receiver.wait_for(lambda: receiver.spans)
        service.stop()
        assert "s3cr3t" not in service.log
    assert receiver.headers["api-key"] == "s3cr3t"
    resource = receiver.spans[0].resource
    assert (resource["service.name"], resource["deployment.environment"]) == ("gate", "test")


FAULTS = {"away": "do not get through", "refused": "it answers 400", "busy": "it answers 503",
          "throttled": "it answers 429", "garbage": "do not get through", "stalled": None}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_collector_that_does_not_take_holds_up_nobody(receiver, tmp_path, fault):
    """It is told once, what is dropped is counted, and a stop with a full queue ends in time."""
    more = {"OTEL_BSP_MAX_QUEUE_SIZE": "20", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "10"}
    if fault == "away":
        receiver.close()
    elif fault == "garbage":
        more["OTEL_EXPORTER_OTLP_ENDPOINT"] = "not a url"
    elif fault == "stalled":
        receiver.stall()
    else:
        receiver.status = {"refused": 400, "busy": 503, "throttled": 429}[fault]
        receiver.answer_headers = {"Retry-After": "1"} if fault == "throttled" else {}
    with Service(tmp_path, environment=receiver.environment(**more)).start() as service:
        for _ in range(60):
            traced_post(service)

        def dropped():
            return service.metrics()['dwell_telemetry_dropped_total{signal="traces"}']

        wait_until(lambda: dropped() > 0, what=service.log)
        assert service.metrics()['dwell_records_total{outcome="accepted"}'] == 60
        if FAULTS[fault]:
            wait_until(lambda: FAULTS[fault] in service.log, what=service.log)
            assert service.log.count("traces do not get through") == 1, service.log
        service.stop()


def test_a_collector_that_comes_back_is_told(receiver, tmp_path):
    receiver.status = 503
    with Service(tmp_path, environment=receiver.environment()).start() as service:
        traced_post(service)
        wait_until(lambda: "traces do not get through" in service.log, what=service.log)
        receiver.status = 200
        wait_until(lambda: "traces get through to the collector again" in service.log,
                   what=service.log)
        trace, _ = traced_post(service)
        receiver.wait_for(lambda: len(receiver.trace(trace)) == 2)


def test_what_cannot_be_used_is_told_and_left_out(receiver, tmp_path):
    environment = receiver.environment(OTEL_TRACES_SAMPLER="jaeger_remote",
                                       OTEL_BSP_MAX_QUEUE_SIZE="many", OTEL_METRICS_EXPORTER="none")
    with Service(tmp_path, environment=environment).start() as service:
        trace, _ = traced_post(service)
        receiver.wait_for(lambda: len(receiver.trace(trace)) == 2)
        assert "OTEL_TRACES_SAMPLER is left out" in service.log
        assert "OTEL_BSP_MAX_QUEUE_SIZE is left out" in service.log
        service.stop()
    assert "/v1/metrics" not in receiver.requests


def test_nothing_is_paid_without_an_endpoint(tmp_path):
    with Service(tmp_path).start() as service:
        assert "opentelemetry" not in open(f"/proc/{service.process.pid}/maps").read()
        assert service.metrics()['dwell_telemetry_dropped_total{signal="traces"}'] == 0


def test_the_command_line_tells(tmp_path):
    dwell = Dwell(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT="http://collector:4318",
                  OTEL_EXPORTER_OTLP_HEADERS="api-key=s3cr3t")
    assert dwell.run("version").out.splitlines()[1].startswith("OTLP: yes")
    shown = dwell.run("config").out
    assert "# OTEL_EXPORTER_OTLP_ENDPOINT = http://collector:4318  # environment" in shown
    assert "# OTEL_EXPORTER_OTLP_HEADERS = ***  # environment" in shown
    assert "s3cr3t" not in shown
    json.dumps(shown)
