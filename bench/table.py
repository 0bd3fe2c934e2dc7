"""The table that `make bench` prints, and what its parts share."""

import contextlib
import sqlite3
import statistics
import subprocess
from dataclasses import dataclass

HEAD = "| work | compared with | aim | measured | met |\n|---|---|---|---|---|"


@dataclass
class Row:
    work: str
    rival: str
    aim: str
    measured: str
    is_met: bool

    def __str__(self):
        met = "yes" if self.is_met else "**no**"
        return f"| {self.work} | {self.rival} | {self.aim} | {self.measured} | {met} |"


def output_of(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def ask(database, question):
    """The first column of the first row of the answer."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return connection.execute(question).fetchone()[0]


def span(values, unit=""):
    """The median, with the lowest and the highest in brackets."""
    return f"{statistics.median(values):.2f}{unit} ({min(values):.2f}-{max(values):.2f})"
