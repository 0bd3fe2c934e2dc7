"""Runs `dwell run` as a user would, and talks HTTP to it, nicely or not."""

import contextlib
import http.client
import io
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.parse

from dwell_cli import Dwell
from prometheus_text import Samples

PATIENCE_S = 60
STOP_S = 5  # the promise: SIGTERM to the end
SERVING = re.compile(r"serving (.*) on http://([0-9.]+|\[.*\]):(\d+)")


def wait_until(condition, seconds=PATIENCE_S, what="it never became true"):
    """The first truthy value of condition(); the only place where a test waits for time to pass."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.005)
    return value


def path_of(device, *more, resource="timeline"):
    """The path of a device with everything escaped."""
    return "/".join(["", resource, urllib.parse.quote(device, safe=""), *more])


def post_event(device, kind, timestamp):
    """One event as POST takes it; the timestamp is milliseconds or text."""
    kind = {"enter": "device_enter", "exit": "device_exit"}.get(kind, kind)
    if isinstance(timestamp, int):
        timestamp = rfc3339(timestamp)
    return {"deviceID": device, "eventType": kind, "timestamp": timestamp}


def rfc3339(ms):
    """As the service writes it: milliseconds only when not zero."""
    seconds, rest = divmod(ms, 1000)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{text}.{rest:03}Z" if rest else f"{text}Z"


class Reply:
    """One response, read to its end."""

    def __init__(self, response):
        self.body = response.read()
        self.status, self.headers, self.version = response.status, response.headers, response.version

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode("utf-8")

    def __repr__(self):
        return f"{self.status} {dict(self.headers)} {self.body[:500]!r}"


class KeptOpen(io.BufferedReader):
    """Stays open when a response ends, with what it has read of the next one."""

    def close(self):
        pass


class Wire:
    """A connection for bytes as they are; responses are parsed by the standard library."""

    def __init__(self, service, timeout=PATIENCE_S):
        self.socket = socket.create_connection((service.host, service.port), timeout=timeout)
        self.file = KeptOpen(socket.SocketIO(self.socket, "r"))

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)
        return self

    def reply(self, method="GET"):
        response = http.client.HTTPResponse(self.socket, method=method)
        response.fp.close()
        response.fp = self.file
        response.begin()
        return Reply(response)

    def raw(self):
        """Everything up to the end of the connection."""
        return self.file.read()

    def is_closed(self, seconds=PATIENCE_S):
        """Whether the server ends the connection without another byte."""
        self.socket.settimeout(seconds)
        try:
            return self.file.read(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


LISTEN = {"clean": "--clean-listen", "store": "--store-listen"}  # by command, where it is another


class Service:
    """One `dwell run` on a free port; stop() and kill() may be followed by start()."""

    def __init__(self, folder, *flags, command="run", environment=None, **options):
        self.folder, self.flags, self.command = pathlib.Path(folder), flags, command
        self.dwell, self.options = Dwell(folder, **(environment or {})), options
        self.process, self.starts = None, 0

    def start(self, *more, is_ready=True):
        self.log_path = self.folder / f"{self.command}-{self.starts}.log"
        self.starts += 1
        with open(self.log_path, "wb") as log:
            self.process = self.dwell.start(self.command, LISTEN.get(self.command, "--listen"),
                                            "127.0.0.1:0", *self.flags, *more,
                                            stdout=subprocess.DEVNULL, stderr=log, **self.options)
        match = wait_until(lambda: SERVING.search(self.log) or self.process.poll() is not None)
        assert match is not True, f"status {self.process.returncode}: {self.log}"
        self.host, self.port = match[2], int(match[3])
        if is_ready:
            self.wait_ready()
        return self

    def wait_ready(self):
        wait_until(lambda: self.get("/readyz").status == 200, what=self.log)

    @property
    def log(self):
        return self.log_path.read_text("utf-8", "replace")

    def request(self, method, target, body=None, headers=None, timeout=PATIENCE_S):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            connection.request(method, target, body, headers or {})
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def get(self, target, **headers):
        """A GET; header names are written with _ for -."""
        return self.request("GET", target, headers={k.replace("_", "-"): v
                                                    for k, v in headers.items()})

    def post(self, events, query="", **options):
        body = events if isinstance(events, (bytes, str)) else json.dumps({"events": events})
        options.setdefault("headers", {"Content-Type": "application/json"})
        return self.request("POST", "/timeline" + query, body, **options)

    def store(self, *events):
        """Posts (device, kind, timestamp) and returns the outcomes."""
        reply = self.post([post_event(*event) for event in events])
        assert reply.status == 201, reply
        return reply.json["outcomes"]

    def timeline(self, device, query=""):
        """[(kind, timestamp)] as text."""
        reply = self.get(path_of(device) + query)
        assert reply.status == 200, reply
        assert all(event["deviceID"] == device for event in reply.json["events"])
        return [(event["eventType"].removeprefix("device_"), event["timestamp"])
                for event in reply.json["events"]]

    def metrics(self):
        """The Samples of /metrics."""
        return Samples(self.get("/metrics").text)

    def memory(self):
        """Resident bytes."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", text)[1]) << 10

    def sockets(self):
        """How many it has open: the one that listens, and one for each connection."""
        folder, count = f"/proc/{self.process.pid}/fd", 0
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):
                count += os.readlink(f"{folder}/{name}").startswith("socket:")
        return count

    def wire(self, **options):
        return Wire(self, **options)

    def stop(self, status=0):
        """Asks it to stop; it does so in time and says that all was well."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait(status)

    def wait(self, status=0, seconds=STOP_S):
        try:
            assert self.process.wait(seconds) == status, self.log
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running after {seconds} s: {self.log}") from None
        return self

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self if self.process else self.start()

    def __exit__(self, *_):
        self.kill()
