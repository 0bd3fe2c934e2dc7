"""docs/feeds.md holds: its commands, in their order, print what stands below them."""

import pathlib
import re
import subprocess

import pytest

from dwell_cli import binary, clean_environment
from dwell_service import Service

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PAGE = (SOURCE / "docs" / "feeds.md").read_text("utf-8")
BLOCK = r"(?:(?!```).*\n)+"
EXAMPLE = re.compile(rf"^```sh\n(?P<command>{BLOCK})```\n```text\n(?P<answer>{BLOCK})```$",
                     re.MULTILINE)


@pytest.fixture
def folder(tmp_path):
    """Where `dwell` is a command and `examples` is a folder."""
    (tmp_path / "examples").symlink_to(SOURCE / "examples")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "dwell").symlink_to(binary())
    return tmp_path


def test_the_commands_of_the_page_print_what_it_says(folder):
    environment = clean_environment()
    environment["PATH"] = f"{folder / 'bin'}:{environment['PATH']}"
    (folder / "served").mkdir()
    with Service(folder / "served", "--config",
                 str(SOURCE / "examples" / "feeds" / "emqx.toml")).start() as service:
        address = f"http://{service.host}:{service.port}"
        for example in EXAMPLE.finditer(PAGE):
            command = example["command"].replace("http://127.0.0.1:8080", address)
            done = subprocess.run(["sh", "-c", command.replace("curl ", "curl -sS ")], text=True,
                                  cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=60, env=environment)
            assert done.stdout.strip() == example["answer"].strip(), command


def test_only_what_needs_a_broker_is_not_run():
    others = [block for block in re.findall(rf"^```sh\n({BLOCK})```$", PAGE, re.MULTILINE)
              if block not in [example["command"] for example in EXAMPLE.finditer(PAGE)]]
    assert len(EXAMPLE.findall(PAGE)) >= 7 and len(others) == 1 and "topics create" in others[0]


def test_the_page_lists_each_ready_feed():
    listed = re.findall(r"^\| \[(.*?)\]\(\.\./examples/feeds/(.*?)\) \|", PAGE, re.MULTILINE)
    assert listed == [(path.name,) * 2 for path in
                      sorted((SOURCE / "examples" / "feeds").glob("*.toml"))]
