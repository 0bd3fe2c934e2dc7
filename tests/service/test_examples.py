"""What `make run`, `make client` and `make data` do, run through the Makefile but never building."""

import http.server
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

import pytest

from dwell_cli import binary, clean_environment
from dwell_service import STOP_S, path_of, rfc3339, wait_until

SOURCE = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = [SOURCE / "examples" / f"2025-07-08-{half}.ndjson" for half in ("morning", "afternoon")]
RECORDS, BAD = 479, 5
TIMEOUT_S = 60


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def environment():
    """Without what a make around the tests would hand on to the make in them."""
    ours = ("MAKE", "MFLAGS", "LISTEN", "URL", "DATA_SECONDS", "http_proxy")
    return {k: v for k, v in clean_environment().items() if not k.startswith(ours)}


def make(target, **variables):
    """The command of a target that neither builds nor installs anything."""
    values = [f"{name}={value}" for name, value in variables.items()]
    return ["make", "-C", os.fspath(SOURCE), "--no-print-directory", "-o", "build", "-o",
            "deps-client", target, *values]


def stream(url, *files, seconds):
    return [sys.executable, os.fspath(SOURCE / "scripts" / "stream-examples"), "--seconds",
            str(seconds), url, *map(os.fspath, files or EXAMPLES)]


def url_of(service):
    return f"http://{service.host}:{service.port}"


class Running:
    """A command with its output in a file, ended with the test."""

    def __init__(self, folder, command):
        self.path = folder / f"out-{time.monotonic_ns()}.txt"
        with open(self.path, "wb") as out:
            self.process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=out, env=environment(),
                                            start_new_session=True)

    @property
    def text(self):
        return self.path.read_text("utf-8", "replace")

    def wait_for(self, words):
        wait_until(lambda: words in self.text or self.process.poll() is not None, TIMEOUT_S)
        assert words in self.text, self.text
        return self

    def ctrl_c(self):
        """As a terminal does it: to everything the command started. The exit status."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(STOP_S)

    def wait(self):
        return self.process.wait(TIMEOUT_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture
def running(tmp_path):
    """running(*command) starts one."""
    all_of_them = []

    def start(*command):
        all_of_them.append(Running(tmp_path, command))
        return all_of_them[-1]

    yield start
    for one in all_of_them:
        one.__exit__()


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S,
                          env=environment(), check=False)


def get(url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=TIMEOUT_S) as response:
        return response.read().decode("utf-8")


def serve_examples(folder, port):
    return [os.fspath(SOURCE / "scripts" / "serve-examples"), binary(),
            os.fspath(folder / "examples.db"), f"127.0.0.1:{port}", *map(os.fspath, EXAMPLES)]


def records_read(text):
    """(this run, in all) of the replay's table."""
    return tuple(map(int, re.search(r"^records read +(\d+) +(\d+)$", text, re.M).groups()))


def test_run_shows_the_examples_and_serves_them_until_ctrl_c(running, tmp_path):
    """Every address it names gives an answer worth seeing; the second start replays nothing."""
    timelines = []
    for read in ((RECORDS, RECORDS), (0, RECORDS)):
        service = running(*serve_examples(tmp_path, free_port())).wait_for("ready:")
        text = service.text
        assert records_read(text) == read
        urls = re.findall(r"^  curl +'?(http://[^'\s]+)'?$", text, re.M)
        answers = {urllib.parse.urlsplit(url).path: get(url) for url in urls}
        assert set(answers) == {"/timeline/lobby", "/presence", "/devices/lobby", "/readyz",
                                "/metrics", "/openapi.json"}
        timelines.append(json.loads(answers["/timeline/lobby"])["events"])
        assert len(timelines[-1]) == 5
        inside = {one["deviceID"] for one in json.loads(answers["/presence"])["devices"]}
        assert len(inside) == 7 and "lobby" in inside
        assert json.loads(answers["/readyz"])["ready"] is True
        assert service.ctrl_c() == 0, service.text
    assert timelines[0] == timelines[1]


def test_make_run_takes_the_address_from_listen(running, tmp_path):
    port = free_port()
    service = running(*make("run", BINARY=binary(), DATABASE=tmp_path / "var" / "examples.db",
                            LISTEN=f"127.0.0.1:{port}")).wait_for("ready:")
    assert get(f"http://127.0.0.1:{port}/health") == "OK"
    assert service.ctrl_c() == -signal.SIGINT  # make's own way to end
    assert "stopping" in service.text


def test_run_says_when_the_address_is_taken(running, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        service = running(*serve_examples(tmp_path, port))
        assert service.wait() == 2
    last = service.text.splitlines()[-1]
    assert f"127.0.0.1:{port}: cannot listen" in last and "choose another" in last


def test_run_says_when_the_examples_are_served_already(running, tmp_path):
    first = running(*serve_examples(tmp_path, free_port())).wait_for("ready:")
    second = running(*serve_examples(tmp_path, free_port()))
    assert second.wait() != 0
    assert "locked by process" in second.text.splitlines()[-1]
    assert first.process.poll() is None


def shown(text):
    """[(command, answer)] of the client."""
    parts = re.split(r"^\$ (curl .*)$", text, flags=re.M)
    return [(command, re.sub(r"^# [A-Z].*$", "", answer, flags=re.M).strip())
            for command, answer in zip(parts[1::2], parts[2::2])]


def test_client_shows_each_command_and_its_answer(service):
    """Also the second time, when the device is known."""
    for _ in range(2):
        done = run(*make("client", URL=url_of(service)))
        assert done.returncode == 0, done
        assert done.stderr == ""
        answers = [answer for _, answer in shown(done.stdout)]
        stored, again, presence, device, refused, partial, timeline, csv = answers
        assert json.loads(stored) == {"outcomes": ["accepted"]}
        assert json.loads(again) == {"outcomes": ["duplicate"]}
        assert [one["deviceID"] for one in json.loads(presence)["devices"]] == ["desk"]
        assert json.loads(device)["state"] == "inside"
        assert json.loads(refused)["type"] == "urn:dwell:invalid-event"
        assert json.loads(partial)["outcomes"] == ["accepted", None]
        assert [one["eventType"] for one in json.loads(timeline)["events"]] == [
            "device_enter", "device_exit"]
        assert csv.splitlines()[0] == "deviceID,eventType,timestamp"
    assert len(service.timeline("desk")) == 4


def test_client_prints_commands_that_can_be_pasted(service):
    done = run(*make("client", URL=url_of(service)))
    command, answer = shown(done.stdout)[-2]
    assert f"{url_of(service)}/timeline/desk" in command
    assert run("sh", "-c", command.replace("curl", "curl -sS", 1)).stdout.strip() == answer


def test_client_says_when_nobody_answers():
    url = f"http://127.0.0.1:{free_port()}"
    done = run(*make("client", URL=url))
    assert done.returncode != 0 and done.stdout == ""
    assert f"no Dwell answers at {url}: start one with make run" in done.stderr


class Other(http.server.BaseHTTPRequestHandler):
    """Questions POST by the script in `plan`, and keeps what was posted."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        posted = self.rfile.read(int(self.headers["Content-Length"]))
        events = json.loads(posted)["events"]
        step = "store" if not events or not self.server.plan else self.server.plan.pop(0)
        if events:
            self.server.posted.append((time.monotonic(), step, posted))
        if step == "drop":
            self.close_connection = True
            return
        status = {"store": 201, "busy": 503, "wrong": 400}[step]
        body = json.dumps({"outcomes": ["accepted"] * len(events), "errors": []}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if step == "busy":
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.send_error(404)

    def log_message(self, *_):
        pass


@pytest.fixture
def other():
    """other(port, *plan) starts a server that follows the plan."""
    servers = []

    def start(port, *plan):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Other)
        server.plan, server.posted = list(plan), []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_client_says_when_it_is_another_program(other):
    server = other(0)
    done = run(*make("client", URL=f"http://127.0.0.1:{server.server_port}"))
    assert done.returncode != 0 and "no Dwell answers" in done.stderr


def test_data_plays_the_examples_as_of_now(service):
    """Everything arrives, in the time given, with times of now; the service says the same counts."""
    before = int(time.time() * 1000)
    done = run(*make("data", URL=url_of(service), DATA_SECONDS=2))
    after = int(time.time() * 1000)
    assert done.returncode == 0, done
    assert after - before >= 1900

    lines = done.stdout.splitlines()
    total, counts = re.fullmatch(r"(\d+) sent in all: (.*)", lines[-1]).groups()
    sums = {name: int(count) for count, name in (one.split() for one in counts.split(", "))}
    assert int(total) == RECORDS == sum(sums.values())
    assert sums.pop("bad") == BAD == sum(line.startswith("    bad: ") for line in lines)
    assert "camera firmware" in done.stdout and '"yesterday"' in done.stdout
    metrics = service.metrics()
    assert sums == {name: metrics[f'dwell_records_total{{outcome="{name}"}}'] for name in sums}
    assert sums["accepted"] > 200 and sums["future_timestamp"] == 1

    events = service.timeline("lobby")
    assert len(events) > 10
    seconds = [timestamp[:19] for _, timestamp in events]
    assert rfc3339(before)[:19] <= min(seconds) and max(seconds) <= rfc3339(after)[:19]


def test_data_is_spread_over_the_time(service, running):
    """Not all at once: after the first answer most is still to come. Ctrl-C ends it with sums."""
    playing = running(*stream(url_of(service), seconds=600)).wait_for(" sent: ")
    assert playing.ctrl_c() == 0
    total = int(re.search(r"^(\d+) sent in all", playing.text, re.M)[1])
    assert 0 < total < RECORDS / 2


def test_data_keeps_the_order_and_the_distances(tmp_path, other, running):
    lines = [{"device_id": "a", "event_type": "device_enter", "timestamp": 1_000_000},
             {"device_id": "a", "event_type": "device_exit", "timestamp": "1970-01-01T00:18:20Z"},
             {"device_id": "a", "event_type": "device_enter", "timestamp": 1_050_000}]
    path = tmp_path / "in.ndjson"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    server = other(0)
    playing = running(*stream(f"http://127.0.0.1:{server.server_port}", path, seconds=1))
    assert playing.wait() == 0, playing.text
    sent = [event for _, _, body in server.posted for event in json.loads(body)["events"]]
    assert [event["event_type"] for event in sent] == ["device_enter", "device_exit",
                                                      "device_enter"]
    first, last, late = (pytest.approx(ms_of(event["timestamp"]), abs=1) for event in sent)
    assert last.expected - first.expected == pytest.approx(1000, abs=1)
    assert late.expected - first.expected == pytest.approx(500, abs=1)


def ms_of(text):
    seconds, milliseconds = text.removesuffix("Z").split(".")
    return time.mktime(time.strptime(seconds, "%Y-%m-%dT%H:%M:%S")) * 1000 + int(milliseconds)


def test_data_waits_for_a_service_and_tries_again(running, other, tmp_path):
    """Nobody there, 503 with Retry-After, a broken connection: the same events again."""
    path = tmp_path / "in.ndjson"
    path.write_text('{"device_id":"a","event_type":"device_enter","timestamp":1}\n')
    port = free_port()
    playing = running(*stream(f"http://127.0.0.1:{port}", path, seconds=1)).wait_for("again in")
    server = other(port, "busy", "drop", "store")
    assert playing.wait() == 0, playing.text
    times, steps, bodies = zip(*server.posted)
    assert steps == ("busy", "drop", "store") and len(set(bodies)) == 1
    assert times[1] - times[0] >= 1
    assert playing.text.splitlines()[-1] == "1 sent in all: 1 accepted"


def test_data_ends_when_it_is_refused(other, tmp_path):
    server = other(0, "wrong")
    done = run(*stream(f"http://127.0.0.1:{server.server_port}", seconds=1))
    assert done.returncode == 1 and ": 400 " in done.stderr
    assert len(server.posted) == 1


@pytest.mark.parametrize("arguments, words", [
    (["ftp://127.0.0.1/", "x"], "expected http://HOST:PORT"),
    (["http://127.0.0.1:1", "no-such-file"], "no-such-file"),
    (["--seconds", "0", "http://127.0.0.1:1", "x"], "--seconds"),
    (["--seconds", "nan", "http://127.0.0.1:1", "x"], "--seconds"),
])
def test_data_says_what_is_wrong_with_its_arguments(arguments, words):
    done = run(sys.executable, os.fspath(SOURCE / "scripts" / "stream-examples"), *arguments)
    assert done.returncode != 0 and words in done.stderr and "Traceback" not in done.stderr
