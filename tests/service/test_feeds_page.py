"""docs/feeds.md holds: its commands, in their order, print what stands below them."""

import re
import subprocess

import pytest

from dwell_cli import TIMEOUT_S, binary, clean_environment
from doc_page import ROOT, examples, page
from dwell_service import Service

PAGE = page("docs/feeds.md")
EXAMPLES = examples(PAGE)


@pytest.fixture
def folder(tmp_path):
    """Where `dwell` is a command and `examples` is a folder."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "dwell").symlink_to(binary())
    return tmp_path


def test_the_commands_of_the_page_print_what_it_says(folder):
    environment = clean_environment()
    environment["PATH"] = f"{folder / 'bin'}:{environment['PATH']}"
    (folder / "served").mkdir()
    with Service(folder / "served", "--config",
                 str(ROOT / "examples" / "feeds" / "emqx.toml")).start() as service:
        address = f"http://{service.host}:{service.port}"
        for example in filter(lambda one: one.answer, EXAMPLES):
            command = example.command.replace("http://127.0.0.1:8080", address)
            done = subprocess.run(["sh", "-c", command.replace("curl ", "curl -sS ")], text=True,
                                  cwd=folder, capture_output=True, timeout=TIMEOUT_S,
                                  env=environment)
            told = [line for line in done.stderr.splitlines() if line.startswith("dwell: ")]
            assert (done.stdout.splitlines() + told) == example.answer.splitlines(), command


def test_only_what_needs_a_broker_is_not_run():
    other, = [example.command for example in EXAMPLES if not example.answer]
    assert len(EXAMPLES) >= 8 and "topics create" in other


def test_the_page_lists_each_ready_feed():
    listed = re.findall(r"^\| \[(.*?)\]\(\.\./examples/feeds/(.*?)\) \|", PAGE, re.MULTILINE)
    assert listed == [(path.name,) * 2 for path in
                      sorted((ROOT / "examples" / "feeds").glob("*.toml"))]
