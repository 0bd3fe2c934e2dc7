"""A real TimescaleDB of the tests' own, as far as one process with one session is one."""

import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE_S = 60


class TimescaleServer:
    """start() and stop() as often as wanted; nothing stays of what was in it."""

    def __init__(self):
        self.process = None
        self.log = tempfile.TemporaryFile(prefix="dwell-timescale-")

    def start(self):
        # It ends with its input, also where this process is killed.
        self.process = subprocess.Popen(
            ["node", ROOT / "tests" / "timescale" / "serve.mjs", ROOT / "build" / "timescale"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log)
        told = self.process.stdout.readline()
        assert told, self.said()
        self.port = int(told)
        return self

    def said(self):
        self.log.seek(0)
        return self.log.read().decode("utf-8", "replace")[-3_000:]

    def url(self, database):
        """A new name is an empty database; one that nobody is connected to goes for another one."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def stop(self):
        if self.process:
            self.process.stdin.close()
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()
            self.process = None

    def remove(self):
        self.stop()
        self.log.close()
