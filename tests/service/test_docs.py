"""docs/api.md holds: its commands, in their order, give the answers that stand below them."""

import json
import pathlib
import re
import subprocess

from dwell_cli import clean_environment

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "api.md").read_text()
EXAMPLE = re.compile(r"^```sh\n(?P<command>.*?)^```\n```(?P<form>\w+)\n(?P<answer>.*?)^```$",
                     re.MULTILINE | re.DOTALL)


def test_every_command_is_followed_by_its_answer():
    assert len(EXAMPLE.findall(PAGE)) == PAGE.count("```sh\n") >= 10


def test_the_examples_of_the_api_are_answered_as_written(service):
    address = f"http://{service.host}:{service.port}"
    for example in EXAMPLE.finditer(PAGE):
        command = example["command"].replace("http://127.0.0.1:8080", address)
        assert address in command
        done = subprocess.run(["sh", "-c", command.replace("curl ", "curl -sS ", 1)], text=True,
                              capture_output=True, timeout=60, env=clean_environment())
        assert done.returncode == 0, done.stderr
        read = json.loads if example["form"] == "json" else str
        assert read(done.stdout) == read(example["answer"]), command


def test_the_problems_of_the_page_are_those_of_the_document(service):
    table = PAGE[PAGE.index("| type `urn:dwell:` |"):].splitlines()[2:]
    listed = [kind for line in table for kind in re.findall(r"`([a-z-]+)`", line.split("|")[1])]
    problem = service.get("/openapi.json").json["components"]["schemas"]["Problem"]
    kinds = [name.removeprefix("urn:dwell:") for name in problem["properties"]["type"]["enum"]]
    assert listed == kinds
