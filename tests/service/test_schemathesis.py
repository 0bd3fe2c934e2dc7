"""openapi.json held to the truth from outside: schemathesis asks what the document allows and what
it forbids, and judges the answers by it. Seeded, so a failure repeats."""

import os
import pathlib
import subprocess

import pytest

from dwell_cli import clean_environment
from dwell_service import post_event

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = int(os.environ.get("DWELL_SCHEMA_EXAMPLES", 200))  # of each operation
SEED = os.environ.get("DWELL_TEST_SEED", "1")
BASE = 1_751_932_800_000


@pytest.fixture(scope="module")
def schemathesis():
    """The program; it is not in Debian and comes from the index that pip is set up with."""
    done = subprocess.run([ROOT / "scripts" / "install-python-tools"], capture_output=True,
                          text=True)
    if done.returncode != 0:
        reason = f"SKIP: cannot install tests/requirements.txt: {done.stderr.strip()[-500:]}"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    return ROOT / "build" / "python" / "bin" / "schemathesis"


def test_every_answer_is_as_the_document_says(schemathesis, serving, tmp_path):
    service = serving("--order", "event_time")
    for device in ("lobby", "a/b", "café 1%"):
        service.post([post_event(device, ("enter", "exit")[n % 2], BASE + n) for n in range(30)])
    (tmp_path / "openapi.json").write_bytes(service.get("/openapi.json").body)
    # What is posted in vain is as the document says, too: its times are any.
    (tmp_path / "schemathesis.toml").write_text(
        '[checks.positive_data_acceptance]\nexpected-statuses = ["2xx", "401", "403", "404", "409", '
        '"422", "5xx"]\n')
    run = subprocess.run(
        [schemathesis, "run", "openapi.json", "--url", f"http://{service.host}:{service.port}",
         "--seed", SEED, "--max-examples", str(EXAMPLES), "--checks", "all", "--mode", "all",
         "--phases", "examples,coverage,fuzzing", "--generation-database", "none",
         "--continue-on-failure", "--no-shrink", "--output-sanitize", "false"],
        cwd=tmp_path, capture_output=True, text=True,
        env=clean_environment(SCHEMATHESIS_HOOKS=str(ROOT / "tests/service/schemathesis_hooks.py"),
                              NO_COLOR="1", PYTHONDONTWRITEBYTECODE="1"))
    print(run.stdout)
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr
    assert service.process.poll() is None
    service.stop()
