"""A collector on loopback: takes traces, metrics and logs over OTLP/HTTP, and answers as it is told to."""

import gzip
import http.server
import threading

import kafka_fixtures  # noqa: F401  installs the descriptions of the protocol
from dwell_service import wait_until


def value_of(value):
    return getattr(value, value.WhichOneof("value"))


class Span:
    """One span as it came; ids are hexadecimal, times ns."""

    def __init__(self, span, resource):
        self.trace, self.id = span.trace_id.hex(), span.span_id.hex()
        self.parent = span.parent_span_id.hex()
        self.name, self.kind = span.name, span.kind
        self.start, self.end = span.start_time_unix_nano, span.end_time_unix_nano
        self.attributes = {one.key: value_of(one.value) for one in span.attributes}
        self.links = [(link.trace_id.hex(), link.span_id.hex()) for link in span.links]
        self.is_error = span.status.code == 2
        self.resource = resource

    def __repr__(self):
        return f"{self.name} {self.trace[:6]}/{self.id[:6]}<{self.parent[:6]} {self.attributes}"


class OtlpReceiver:
    """`status`: what is answered; `stall()`: nothing is answered any more."""

    def __init__(self):
        self.spans, self.lines, self.metrics = [], [], {}
        self.requests, self.headers = [], {}
        self.status, self.answer_headers = 200, {}
        self._go_on = threading.Event()
        self._go_on.set()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                receiver.headers = dict(self.headers)
                receiver.requests.append(self.path)
                receiver._go_on.wait()
                if receiver.status == 200:
                    receiver.take(self.path, body)
                self.send_response(receiver.status)
                for name, value in receiver.answer_headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def environment(self, **more):
        """Of a process that sends all it has soon, every trace of it."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "50",
                "OTEL_BLRP_SCHEDULE_DELAY": "50", "OTEL_METRIC_EXPORT_INTERVAL": "200", **more}

    def take(self, path, body):
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
            ExportMetricsServiceRequest)
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceRequest)
        if path == "/v1/traces":
            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                resource = {one.key: value_of(one.value) for one in group.resource.attributes}
                self.spans += [Span(span, resource) for scope in group.scope_spans
                               for span in scope.spans]
        elif path == "/v1/logs":
            for group in ExportLogsServiceRequest.FromString(body).resource_logs:
                self.lines += [line for scope in group.scope_logs for line in scope.log_records]
        else:
            assert path == "/v1/metrics", path
            for group in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self.metrics = {metric.name: metric for scope in group.scope_metrics
                                for metric in scope.metrics}

    def trace(self, trace):
        """The spans of one trace."""
        return [span for span in self.spans if span.trace == trace]

    def wait_for(self, condition, what=None):
        return wait_until(condition, what=what or self.spans)

    def stall(self):
        self._go_on.clear()

    def go_on(self):
        self._go_on.set()

    def close(self):
        self.go_on()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
