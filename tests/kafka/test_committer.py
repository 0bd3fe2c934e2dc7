"""Runs the C++ tests that need brokers (kafka_broker_tests) against those of this session."""

import os
import subprocess

TIMEOUT_S = 600


def test_the_committer_keeps_its_contract(broker):
    program = os.environ["DWELL_KAFKA_TESTS"]
    done = subprocess.run([program], capture_output=True, text=True, timeout=TIMEOUT_S,
                          env={**os.environ, "DWELL_TEST_KAFKA": broker.address})
    assert done.returncode == 0, (done.stdout + done.stderr)[-20_000:]
    assert "[  PASSED  ] 0 tests" not in done.stdout
