"""A real PostgreSQL server of the tests' own: a throw-away cluster on a free port."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import psycopg2

from free_ports import free_ports

PATIENCE_S = 60
USER = "dwell"


def programs():
    """The folder of the newest release that is installed."""
    return max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))


class PostgresServer:
    """start(), stop() and kill() as often as wanted; port and data stay until remove()."""

    def __init__(self):
        # Servers refuse to run as root, and their user sees nothing of root's folders.
        self.owner = "postgres" if os.getuid() == 0 else None
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="dwell-postgres-"))
        if self.owner:
            shutil.chown(self.folder, self.owner, self.owner)
        self.port = free_ports(1)[0]
        self.process = None
        self.programs = programs()
        self.log = self.folder / "log"
        self._start("initdb", "--no-sync", "-A", "trust", "-U", USER, "-E", "UTF8", "--locale",
                    "C.UTF-8", "-D", self.folder / "data").wait(PATIENCE_S)

    def _start(self, program, *words):
        with open(self.log, "ab") as log:
            return subprocess.Popen([self.programs / program, *map(str, words)], stdout=log,
                                    stderr=log, stdin=subprocess.DEVNULL, user=self.owner,
                                    group=self.owner, cwd=self.folder, start_new_session=True)

    def url(self, database="postgres"):
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def start(self):
        deadline = time.monotonic() + PATIENCE_S
        while True:
            if not self.process or self.process.poll() is not None:
                # Once more where the memory of one that was killed is not gone yet.
                self.process = self._start("postgres", "-D", self.folder / "data", "-p", self.port,
                                           "-k", "", "-c", "listen_addresses=127.0.0.1", "-c",
                                           "max_connections=50")
            try:
                psycopg2.connect(self.url()).close()
                return self
            except psycopg2.OperationalError:
                assert time.monotonic() < deadline, self.log.read_text()[-3_000:]
                time.sleep(0.05)

    def kill(self):
        """kill -9 of the server and its children."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # connections are cut
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Database:
    """One database, as its neighbours see it."""

    def __init__(self, url):
        self.url = url

    def query(self, sql, *values):
        """The rows of an answer, committed; none for what has no answer."""
        connection = psycopg2.connect(self.url)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(sql, values or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def schema(self):
        """What pg_dump says of it, without rows."""
        dump = subprocess.run([programs() / "pg_dump", "--schema-only", "--no-owner", self.url],
                              capture_output=True, text=True, check=True)
        return "".join(line + "\n" for line in dump.stdout.splitlines()
                       if line and not line.startswith(("--", "\\")))
