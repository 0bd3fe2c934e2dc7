"""What `dwell run` does to requests, with wrk as the client (Debian's, see packages.txt).

The machine is shared by client and service: wrk has one thread, and both sides of a row have the
same client.
"""

import contextlib
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

from table import Row, ask, output_of, span

SCRIPTS = Path(__file__).parent
SECONDS = 5  # for each load
FIRST_MS = 1_577_836_800_000  # 2020-01-01; ten million seconds on is still in the past

GET_DEVICES = 20_000
GET_ROWS = 50
GET_CONNECTIONS = 32

POST_CONNECTIONS = (1, 8, 32)
POST_EVENTS = 100  # a body, as post.lua makes them

READY_DEVICES = 1_000_000
READY_ROWS = 10_000_000
READY_SECONDS = 2

STREAM_ROWS = 10_000_000
STREAM_WARM_ROWS = 100_000
FLAT_MIB = 16  # an allocator and caches may still settle; 10 M rows are 800 MB of text


def say(text):
    print(text, file=sys.stderr)


class Server:
    """A program that says where it serves, on standard error."""

    def __init__(self, *command):
        self.started = time.monotonic()
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        seen = []
        for line in self.process.stderr:
            seen.append(line)
            found = re.search(r" on http://([0-9.]+):(\d+)", line)
            if found:
                break
        else:
            sys.exit(f"{command[0]} did not serve: {''.join(seen)}")
        self.host, self.port = found[1], int(found[2])
        # What it says from now on is read, so that it never waits for a reader.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    @property
    def url(self):
        return f"http://{self.host}:{self.port}"

    def get(self, target, headers=None):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        connection.request("GET", target, headers=headers or {})
        return connection.getresponse()

    def wait_ready(self):
        """Seconds from the start to the first /readyz that is 200."""
        while self.get("/readyz").status != 200:
            time.sleep(0.002)
        return time.monotonic() - self.started

    def memory(self):
        """Resident bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s*(\d+) kB$", status, re.MULTILINE)[1]) * 1024

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=60)


@contextlib.contextmanager
def running(*command):
    server = Server(*command)
    try:
        yield server
    finally:
        server.stop()


def serving(build, database):
    return running(build / "dwell", "run", "--db", database, "--listen", "127.0.0.1:0")


def load(server, connections, script, *arguments):
    """What wrk did in SECONDS: requests, seconds, p50_us, p99_us."""
    command = ["wrk", "--threads=1", f"--connections={connections}", f"--duration={SECONDS}s"]
    command += ["--script", SCRIPTS / script, server.url, "--", *map(str, arguments)]
    found = json.loads(output_of(*command).splitlines()[-1])
    if found["failed"]:
        sys.exit(f"{script}: {found['failed']} requests failed")
    found["rate"] = found["requests"] / found["seconds"]
    return found


def events_of(device, rows):
    """Enter and exit in turns, a second apart, as lines in pieces of some thousand."""
    head = f'{{"device_id":"cam-{device:06}","event_type":"device_'
    for start in range(0, rows, 10_000):
        yield "".join(
            f'{head}{("enter", "exit")[i % 2]}","timestamp":{FIRST_MS + i * 1_000}}}\n'
            for i in range(start, min(rows, start + 10_000))
        )


def fill(build, database, devices, rows_each):
    """A database of that many devices, each with that many rows, one device after the other."""
    say(f"making {devices * rows_each:,} rows of {devices:,} devices")
    replay = [build / "dwell", "replay", "-", "--db", database]
    with subprocess.Popen(replay, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True) as process:
        threading.Thread(target=process.stderr.read, daemon=True).start()
        for device in range(devices):
            for piece in events_of(device, rows_each):
                process.stdin.write(piece)
        process.stdin.close()
    if process.returncode != 0:
        sys.exit("dwell replay failed")
    os.sync()


def get_rows(build, folder, rounds):
    database = folder / "get.db"
    fill(build, database, GET_DEVICES, 2 * GET_ROWS)
    rates, slowest = [], []
    with running(build / "bench_fixed_body") as fixed, serving(build, database) as dwell:
        dwell.wait_ready()
        for _ in range(rounds):
            floor, own = (
                load(server, GET_CONNECTIONS, "get.lua", GET_DEVICES, GET_ROWS)
                for server in (fixed, dwell)
            )
            for side, found in (("fixed", floor), ("dwell", own)):
                say(f"{side}: GET {found['rate']:,.0f}/s, p99 {found['p99_us'] / 1e3:.2f} ms")
            rates.append(own["rate"] / floor["rate"])
            slowest.append(own["p99_us"] / floor["p99_us"])
    work = f"GET of {GET_ROWS} events, {GET_CONNECTIONS} connections, one io thread"
    rival = "the same server answering a fixed body of 4 kB"
    return [
        Row(f"{work}: requests a second", rival, "at least 0.35", span(rates),
            statistics.median(rates) >= 0.35),
        Row(f"{work}: time of the slowest in a hundred", rival, "at most 3", span(slowest),
            statistics.median(slowest) <= 3),
    ]


def post_rate(build, database, connections):
    """Events a second that were answered 201, all of them new rows."""
    with serving(build, database) as dwell:
        dwell.wait_ready()
        found = load(dwell, connections, "post.lua")
    stored = ask(database, "SELECT count(*) FROM event")
    answered = found["requests"] * POST_EVENTS
    # Those that were on their way when wrk stopped may be stored as well.
    if not answered <= stored <= answered + connections * POST_EVENTS:
        sys.exit(f"{answered} events were answered, but {stored} are stored")
    rate = found["rate"] * POST_EVENTS
    say(f"{connections} connections: POST {rate:,.0f} events/s, p99 {found['p99_us'] / 1e3:.2f} ms")
    return rate


def post_rows(build, folder, rounds):
    rates = {connections: [] for connections in POST_CONNECTIONS}
    for number in range(rounds):
        for connections in POST_CONNECTIONS:
            database = folder / f"post-{number}-{connections}.db"
            rates[connections].append(post_rate(build, database, connections))
    table = []
    for fewer, more in zip(POST_CONNECTIONS, POST_CONNECTIONS[1:]):
        growth = [after / before for before, after in zip(rates[fewer], rates[more])]
        table.append(
            Row(f"POST of {POST_EVENTS} events each, durable, {more} connections",
                f"{fewer} connection{'s' if fewer > 1 else ''}", "more than 1", span(growth),
                statistics.median(growth) > 1)
        )
    return table


def ready_rows(build, folder, rounds):
    database = folder / "ready.db"
    fill(build, database, READY_DEVICES, READY_ROWS // READY_DEVICES)
    rows = ask(database, "SELECT count(*) FROM event")
    devices = ask(database, "SELECT count(*) FROM device")
    if rows < READY_ROWS or devices < READY_DEVICES:
        sys.exit(f"only {rows} rows of {devices} devices")
    seconds = []
    for _ in range(rounds):
        with serving(build, database) as dwell:
            seconds.append(dwell.wait_ready())
        say(f"ready after {seconds[-1]:.2f} s")
    database.unlink()
    return [
        Row(f"start to `/readyz`, {rows:,} rows of {devices:,} devices", "",
            f"within {READY_SECONDS} s", span(seconds, " s"),
            statistics.median(seconds) <= READY_SECONDS)
    ]


def stream(server, device):
    """Reads a whole timeline: growth of the server's memory in bytes since the first rows."""
    response = server.get(f"/timeline/{device}", {"Accept": "application/x-ndjson"})
    lines, end, first, highest = 0, b"", None, 0
    next_look = STREAM_WARM_ROWS
    while piece := response.read1(1 << 20):
        lines += piece.count(b"\n")
        end = (end + piece)[-200:]
        if lines >= next_look:
            next_look += STREAM_WARM_ROWS
            memory = server.memory()
            first = first or memory
            highest = max(highest, memory)
    mark = json.loads(end.splitlines()[-1])
    if not mark.get("end") or mark["events"] != lines - 1 or lines - 1 < STREAM_ROWS:
        sys.exit(f"{lines} lines came, and the last one was {mark}")
    return highest - first


def stream_rows(build, folder):
    database = folder / "stream.db"
    fill(build, database, 1, STREAM_ROWS)
    with serving(build, database) as dwell:
        dwell.wait_ready()
        before = time.monotonic()
        grown = stream(dwell, "cam-000000") / 2**20
        say(f"streamed in {time.monotonic() - before:.1f} s, {dwell.memory() / 2**20:.0f} MiB")
    return [
        Row(f"memory while {STREAM_ROWS:,} rows of one device stream out",
            f"after the first {STREAM_WARM_ROWS:,}", f"flat: under {FLAT_MIB} MiB more",
            f"{grown:.1f} MiB more", grown < FLAT_MIB)
    ]


def rows(build, folder, options):
    yield from get_rows(build, folder, options.rounds)
    yield from post_rows(build, folder, options.rounds)
    yield from ready_rows(build, folder, options.rounds)
    yield from stream_rows(build, folder)
