"""Runs the C++ tests that need a database (store_test.cc) against one of this session."""

import os
import subprocess

from postgres_fixtures import database, postgres_url  # noqa: F401

TIMEOUT_S = 300


def test_the_store_keeps_its_contract(database):  # noqa: F811
    program = os.environ["DWELL_POSTGRES_TESTS"]
    done = subprocess.run([program], capture_output=True, text=True, timeout=TIMEOUT_S,
                          env={**os.environ, "DWELL_TEST_POSTGRES": database.url})
    assert done.returncode == 0, (done.stdout + done.stderr)[-20_000:]
    assert "[  PASSED  ] 0 tests" not in done.stdout
