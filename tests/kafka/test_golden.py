"""The golden cases between real topics: whole, and with one kill -9 at a place that the case's name
decides."""

import concurrent.futures
import signal
import uuid
import zlib

import pytest

import golden_case
from dwell_cli import REASONS, Dwell

WORKERS = 4


def place_of_cut(case):
    """After how many records the first process is killed; a case of one record has no such place."""
    places = len(case.steps) - 1
    return 1 + zlib.crc32(case.name.encode()) % places if places else 0


def run_case(broker, admin, folder, case, cut):
    """Judges what the topics hold after the case; killed after `cut` records unless that is 0."""
    from kafka_topics import Topics, wait_until
    topics = Topics(broker, f"{case.name}-{uuid.uuid4().hex[:8]}").create(admin)
    dwell = Dwell(folder)
    command = ["clean", *topics.flags(), *golden_case.flags(case)]
    records = [(0, step.value, step.now) for step in case.steps]

    def clean_to(end, stop):
        process = dwell.start(*command)
        try:
            wait_until(lambda: topics.committed(admin).get(0) == end, process)
            process.send_signal(stop)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
            process.wait()
        if stop == signal.SIGTERM:
            assert process.returncode == 0, err

    if cut:
        topics.produce(records[:cut])
        clean_to(cut, signal.SIGKILL)
    topics.produce(records[cut:])
    clean_to(len(records), signal.SIGTERM)
    check(topics, case)


def check(topics, case):
    from kafka_topics import Cleaned
    wanted = [Cleaned(op, device, kind, timestamp, seq, rank, (0, place))
              for place, step in enumerate(case.steps)
              for op, device, kind, timestamp, seq, rank in step.changes]
    assert topics.cleaned_records() == wanted
    rejects = topics.rejects()
    assert [(reason, offset) for reason, _, offset, _, _ in rejects] == [
        (step.drop, place) for place, step in enumerate(case.steps) if step.drop in REASONS]
    for _, _, offset, value, headers in rejects:
        step = case.steps[offset]
        assert int(headers.pop("received")) == step.now
        assert int(headers.pop("truncated_from", len(value))) == len(step.value)
        assert headers.pop("detail")
        assert step.value.startswith(value or b"") and headers == {}


CASES = [golden_case.read(name) for name in golden_case.names()]
RUNS = [(case, cut) for case in CASES for cut in sorted({0, place_of_cut(case)})]


@pytest.fixture(scope="module")
def outcomes(broker, admin, tmp_path_factory):
    """Every case run whole and cut, some at a time; a failure is told by its own test."""
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        yield {(case.name, cut): pool.submit(run_case, broker, admin,
                                             tmp_path_factory.mktemp(case.name), case, cut)
               for case, cut in RUNS}


@pytest.mark.parametrize("name, cut", [(case.name, cut) for case, cut in RUNS])
def test_case(outcomes, name, cut):
    outcomes[name, cut].result()
