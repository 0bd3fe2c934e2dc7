"""The system without Docker: scripts/local-system, and scripts/check-system against it."""

import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import urllib.request

import pytest

from dwell_cli import binary, clean_environment
from dwell_service import Service, wait_until
from free_ports import free_ports
from kafka_fixtures import ROOT, need
from postgres_server import Database

SCRIPTS = ROOT / "scripts"
EXAMPLES = sorted((ROOT / "examples").glob("*.ndjson"))
TIMEOUT_S = 120
PARTS = {"dwell", "kafka", "postgres"}


def environment():
    dropped = ("MAKE", "MFLAGS", "LISTEN", "URL", "DB_", "KAFKA_", "PG", "http_proxy")
    return {k: v for k, v in clean_environment().items() if not k.startswith(dropped)}


def run(command, status=0):
    done = subprocess.run([*map(os.fspath, command)], capture_output=True, text=True,
                          timeout=TIMEOUT_S, env=environment(), cwd="/")
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def check(url, status=0):
    return run([SCRIPTS / "check-system", url], status)


class Local:
    """One system in a folder of its own, through the Makefile as a user has it."""

    def __init__(self, folder):
        self.folder = folder
        self.kafka, self.postgres, port = free_ports(3)
        self.listen = f"127.0.0.1:{port}"
        self.url = f"http://{self.listen}"
        self.database = Database(f"postgresql://dwell:dwell@127.0.0.1:{self.postgres}/dwell")

    def make(self, target, status=0, **values):
        values = {"LOCAL": self.folder, "BINARY": binary(), "LISTEN": self.listen,
                  "KAFKA_PORT": self.kafka, "POSTGRES_PORT": self.postgres,
                  "BROKERS": f"127.0.0.1:{self.kafka}", **values}
        kept = [word for one in ("build", "deps-local", "deps-client") for word in ("-o", one)]
        return run(["make", "-s", "-C", ROOT, *kept, target,
                    *(f"{name}={value}" for name, value in values.items())], status)

    def processes(self):
        """{part: process id} as the files tell."""
        return {path.stem: int(path.read_text().split()[0])
                for path in self.folder.glob("*.pid")}

    def rows(self):
        return self.database.query("SELECT * FROM device_events_cleaned ORDER BY 1, 3, 2")

    def log(self):
        return "".join(path.read_text("utf-8", "replace")[-2000:]
                       for path in self.folder.glob("*.log"))


def living(folder):
    """The processes whose command or working folder is in the folder."""
    found = []
    for place in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            command = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if str(folder) in command or os.readlink(place / "cwd").startswith(str(folder)):
                found.append(command)
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def folder():
    """Where the user that PostgreSQL runs as comes through, unlike the folders of pytest."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="dwell-local-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def local(folder):
    need("install-kafka")
    system = Local(folder / "local")
    try:
        system.said = system.make("up-local")
        yield system
    finally:
        system.make("down-local")
    assert living(folder) == []


@pytest.fixture
def embedded(tmp_path):
    with Service(tmp_path).start() as service:
        yield f"http://{service.host}:{service.port}"


def test_up_says_where_it_is_and_how_to_go_on(local):
    assert set(local.processes()) == PARTS
    for words in (local.url, f"127.0.0.1:{local.kafka}", f"127.0.0.1:{local.postgres}",
                  f"make client LISTEN={local.listen}", f"make data LISTEN={local.listen}",
                  f"make e2e LISTEN={local.listen}", "make down-local"):
        assert words in local.said, local.said
    with urllib.request.urlopen(local.url + "/readyz") as answer:
        assert answer.status == 200


def test_a_second_up_changes_nothing(local):
    before = local.processes()
    said = local.make("up-local")
    assert said.startswith("It is up already.") and local.url in said
    assert local.processes() == before


def test_it_answers_as_expected(local):
    before = len(local.rows())
    assert local.make("e2e").startswith("ok: ")
    first = len(local.rows())
    assert first > before
    local.make("e2e")
    assert len(local.rows()) - first == first - before  # new devices each time


def test_the_client_shows_what_it_posted(local):
    said = local.make("client")
    presence, timeline = (next(line for line in said.splitlines() if line.startswith(start))
                          for start in ('{"at":', '{"events":'))
    assert '"desk"' in presence
    assert [one["eventType"] for one in json.loads(timeline)["events"]] == [
        "device_enter", "device_exit"]


def test_data_comes_over_http_and_through_kafka(local):
    before = len(local.rows())
    said = local.make("data", DATA_SECONDS=1)
    assert re.search(r"^479 sent in all: 474 taken, 5 bad$", said, re.M), said
    wait_until(lambda: len(local.rows()) > before + 200)
    before = len(local.rows())
    said = local.make("data-kafka", DATA_SECONDS=1)
    assert said.splitlines()[-1] == "479 sent in all"
    wait_until(lambda: len(local.rows()) > before + 200)


def test_rows_are_there_after_down_and_up(local):
    local.make("e2e")
    before = local.rows()
    assert local.make("down-local") == "Ended: dwell, kafka, postgres.\n"
    assert living(local.folder) == [] and local.processes() == {}
    assert local.make("down-local") == "Nothing runs.\n"
    local.make("up-local")
    assert local.rows() == before
    local.make("e2e")


def test_what_ended_by_itself_is_started_again(local):
    before = local.processes()
    os.kill(before["dwell"], signal.SIGKILL)
    wait_until(lambda: not (pathlib.Path(f"/proc/{before['dwell']}/exe").exists()))
    said = local.make("up-local", status=2, KAFKA_PORT=free_ports(1)[0])
    assert "kafka, postgres of an earlier start still run, with other addresses" in said
    assert local.make("up-local").startswith("Starting dwell ...")
    after = local.processes()
    assert set(after) == PARTS and after["dwell"] != before.pop("dwell")
    assert before.items() <= after.items()
    local.make("e2e")


def test_it_can_be_observed(folder):
    need("install-kafka")
    system = Local(folder / "observed")
    prometheus, collector = free_ports(2)
    ports = {"OBSERVE": "yes", "PROMETHEUS_PORT": prometheus, "COLLECTOR_PORT": collector}
    try:
        said = system.make("up-local", **ports)
        observers = {"prometheus"} if "Without a collector" in said else {"prometheus", "collector"}
        assert set(system.processes()) == PARTS | observers
        assert f"Prometheus  http://127.0.0.1:{prometheus}\n" in said
        system.make("e2e")

        def is_scraped():
            url = f"http://127.0.0.1:{prometheus}/api/v1/query?query=dwell_ready"
            with urllib.request.urlopen(url) as answer:
                found = json.load(answer)["data"]["result"]
            return [one["value"][1] for one in found] == ["1"]

        wait_until(is_scraped)
        if "collector" in observers:
            log = system.folder / "collector.log"
            wait_until(lambda: "POST /timeline" in log.read_text(), what=log)
        assert system.make("up-local", **ports).startswith("It is up already.")
    finally:
        system.make("down-local")
    assert living(system.folder) == []


def test_down_leaves_the_processes_of_others(tmp_path):
    """Whose id is one that an earlier process of ours had."""
    other = subprocess.Popen(["sleep", "600"])
    try:
        (tmp_path / "dwell.pid").write_text(f"{other.pid} 1\n")
        assert run([SCRIPTS / "local-system", "--folder", tmp_path, "down"]) == "Nothing runs.\n"
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


@pytest.mark.parametrize("name, flag, variable", [
    ("Kafka", "--kafka-port", "KAFKA_PORT"), ("PostgreSQL", "--postgres-port", "POSTGRES_PORT"),
    ("Dwell", "--listen", "LISTEN")])
def test_a_port_in_use_is_named_with_the_mend(tmp_path, name, flag, variable):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = dict(zip(("--kafka-port", "--postgres-port"), free_ports(2)))
        flags = {**ports, "--listen": f"127.0.0.1:{free_ports(1)[0]}",
                 flag: f"127.0.0.1:{port}" if flag == "--listen" else port}
        said = run([SCRIPTS / "local-system", "--folder", tmp_path, "up", "--binary", binary(),
                    *(str(word) for one in flags.items() for word in one)], status=1)
    assert f"127.0.0.1:{port} cannot be had for {name}" in said
    assert f"make up-local {variable}=" in said
    assert not list(tmp_path.glob("*.pid"))


@pytest.mark.skipif(os.getuid() != 0, reason="SKIP: PostgreSQL runs as its own user for root alone")
def test_a_folder_closed_to_postgres_is_named_with_the_mend(tmp_path):
    tmp_path.chmod(0o700)
    kafka, postgres, port = map(str, free_ports(3))
    said = run([SCRIPTS / "local-system", "--folder", tmp_path / "local", "up", "--kafka-port",
                kafka, "--postgres-port", postgres, "--listen", f"127.0.0.1:{port}"], status=1)
    assert "may not enter" in said and "make up-local LOCAL=" in said
    assert living(tmp_path) == []


def test_clean_removes_the_data_alone(tmp_path):
    for name in PARTS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "data").write_text("")
    (tmp_path / "mine").write_text("")
    run([SCRIPTS / "local-system", "--folder", tmp_path, "down", "--clean"])
    assert {path.name for path in tmp_path.iterdir()} == {"mine", "lock"}


def test_the_check_works_against_one_file_too(embedded):
    for _ in range(2):
        assert check(embedded).startswith("ok: ")


class Wrong(http.server.BaseHTTPRequestHandler):
    """Hands everything on to a system, and spoils one answer on the way back."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers["Content-Length"] or 0)
        asked = urllib.request.Request(
            self.server.behind + self.path, self.rfile.read(length) or None,
            {"Content-Type": "application/json"}, method=self.command)
        with urllib.request.urlopen(asked) as response:
            status, body = response.status, response.read()
        body = self.server.spoil(self.path, body)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


@pytest.fixture
def wrong(embedded):
    """wrong(spoil) is the address of a system whose answers go through spoil(path, body)."""
    servers = []

    def start(spoil):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Wrong)
        server.behind, server.spoil = embedded, spoil
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def without_last(kind):
    """Of the answers about one kind of thing the last member of the list is missing."""
    def spoil(path, body):
        if not path.startswith(f"/{kind}/") and not path.startswith(f"/{kind}?"):
            return body
        answer = json.loads(body)
        for name in ("events", "devices"):
            if name in answer:
                answer[name] = answer[name][:-1]
        if "state" in answer:
            answer["state"] = "inside"
        return json.dumps(answer).encode()
    return spoil


@pytest.mark.parametrize("kind, what, line", [
    ("timeline", "The timeline of a differs", r"^  - exit  2"),
    ("presence", "Who was inside at", r"^  - b since 2"),
    ("devices", "The state of b differs", r"^  \+ state: inside$")])
def test_the_check_fails_when_an_answer_differs(wrong, kind, what, line):
    said = check(wrong(without_last(kind)), status=1)
    assert what in said and re.search(line, said, re.M) and "not as expected" in said, said


def test_the_check_takes_an_honest_one_in_between(wrong):
    check(wrong(lambda path, body: body))


def test_the_check_says_when_nobody_answers():
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    said = check(url, status=1)
    assert f"no Dwell answers at {url}" in said and "make up-local" in said
