"""A page of the docs: its commands, in their order, and the answers that stand below them."""

import dataclasses
import os
import pathlib
import re
import signal
import subprocess

from dwell_cli import TIMEOUT_S, binary, clean_environment

ROOT = pathlib.Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```sh\n(?P<command>.*?)^```\n(?:```(?P<form>\w+)\n(?P<answer>.*?)^```$)?",
                   re.MULTILINE | re.DOTALL)
END = "-- the command above has ended --\n"


@dataclasses.dataclass(frozen=True)
class Example:
    command: str
    form: str | None  # of the answer: json, text, ...; None where the page shows none
    answer: str | None


def page(name):
    return (ROOT / name).read_text()


def section(text, heading):
    """From this heading to the next one of any depth; `heading` is with its #."""
    return re.split(r"^#+ ", text.split(f"\n{heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def examples(text):
    return [Example(**block.groupdict()) for block in BLOCK.finditer(text)]


def run_in_one_shell(commands, folder, **environment):
    """What each of them printed to standard output, as for a reader who has just built Dwell in
    `folder`. One that fails fails the test."""
    (folder / "build" / "release").mkdir(parents=True)
    (folder / "build" / "release" / "dwell").symlink_to(binary())
    (folder / "examples").symlink_to(ROOT / "examples")
    script = "".join(f"{command}\nprintf '%s' '{END}'\n" for command in commands)
    shell = subprocess.Popen(["sh", "-euc", script], cwd=folder, text=True, start_new_session=True,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, env=clean_environment(**environment))
    try:
        out, err = shell.communicate(timeout=TIMEOUT_S)
    finally:
        # With what it left running, which would keep its output open.
        try:
            os.killpg(shell.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    *outputs, rest = out.split(END)
    assert shell.returncode == 0, f"{commands[len(outputs)]}\n{rest}\n{err}"
    return outputs
