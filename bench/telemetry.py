"""What telemetry costs: CPU time for each item with an endpoint against the same without one, in
alternating pairs.

Of records without a trace 1 in 100 begins one, every request is traced, and metrics go out every
10 s: the defaults. The collector takes everything and keeps nothing; its own time is not counted.
"""

import argparse
import contextlib
import http.server
import os
import statistics
import threading

import pairs
from table import Row

PAIRS = 9
AIM = 0.97
WORK = {"get": "GET /timeline/{device}", "clean": "`dwell clean`", "store": "`dwell store`"}


class Sink(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def collector():
    """The address of one."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def environment(**values):
    """Of what is started inside."""
    os.environ.update(values)
    try:
        yield
    finally:
        for name in values:
            del os.environ[name]


def rows(build, folder, options):
    """The build under two names: the second one tells the collector."""
    sides = [folder / "without", folder / "with"]
    for side in sides:
        side.symlink_to(build)
    events = argparse.Namespace(events=min(options.events, 1_000_000))
    with collector() as address:
        for name, work in WORK.items():
            place = folder / name
            place.mkdir()
            runs = pairs.ROWS[name](sides, place, events)
            once = next(runs)

            def told(side, once=once):
                if side == sides[0]:
                    return once(side)
                with environment(OTEL_EXPORTER_OTLP_ENDPOINT=address,
                                 OTEL_METRIC_EXPORT_INTERVAL="10000"):
                    return once(side)

            ratios = pairs.compare(told, sides, PAIRS)
            runs.close()
            low, high = pairs.interval(ratios)
            median = statistics.median(ratios)
            yield Row(f"{work} with telemetry", "the same without an endpoint, CPU time",
                      f">= {AIM}", f"{median:.3f} ({low:.3f}-{high:.3f})", median >= AIM)
