"""The golden cases from the input topic to the answers over HTTP, in one process."""

import collections
import concurrent.futures
import uuid

import pytest

import golden_case
from dwell_service import path_of, rfc3339
from postgres_fixtures import make_database

WORKERS = 3
CASES = [golden_case.read(name) for name in golden_case.names()]


def inside(rows):
    """[(device, since)] of those whose last row is an enter, by the bytes of their ids."""
    found = []
    for device, of_device in rows.items():
        last, since = None, None
        for ms, _, kind in sorted(of_device):
            if kind != last:
                last, since = kind, ms
        if last == "device_enter":
            found.append((device.encode(), rfc3339(since)))
    return sorted(found)


def run_case(broker, admin, url, folder, case):
    from dwell_system import system
    from kafka_topics import Topics, wait_until
    topics = Topics(broker, f"{case.name}-{uuid.uuid4().hex[:8]}").create(admin)
    topics.produce([(0, step.value, step.now) for step in case.steps])
    databases = make_database(url)
    database = next(databases)
    with system(folder, topics, database.url, *golden_case.flags(case)).start() as service:
        wait_until(lambda: topics.committed(admin).get(0) == len(case.steps), service.process)
        # Whatever was read is asked for with its place.
        seen = f"after=0:{len(case.steps) - 1}"
        rows = collections.defaultdict(list)
        for (device, ms, kind), (rank, _) in case.rows().items():
            rows[device].append((ms, rank, kind))
        for device in {*rows, *(state[0] for state in case.states)}:
            reply = service.get(path_of(device) + "?" + seen)
            assert reply.status == 200, reply
            found = [(event["deviceID"], event["eventType"], event["timestamp"])
                     for event in reply.json["events"]]
            assert found == [(device, kind, rfc3339(ms)) for ms, _, kind in sorted(rows[device])]
        for device, state, since in case.states:
            reply = service.get(path_of(device, resource="devices"))
            if state == "unknown":
                assert reply.status == 404 or reply.json["state"] == "unknown", reply
                continue
            assert reply.json["state"] == state, reply
            assert reply.json["since"] == rfc3339(since)
        reply = service.get("/presence?at=9999-12-31T23:59:59.999Z&limit=2")
        present = reply.json["devices"]
        while "next" in reply.json:
            reply = service.get(f"/presence?limit=2&cursor={reply.json['next']}")
            present += reply.json["devices"]
        present = [(one["deviceID"].encode(), one["since"]) for one in present]
        assert present == inside(rows)
        service.stop()
    next(databases, None)


@pytest.fixture(scope="module")
def outcomes(broker, admin, postgres_url, tmp_path_factory):
    """Every case, some at a time; a failure is told by its own test."""
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        yield {case.name: pool.submit(run_case, broker, admin, postgres_url,
                                      tmp_path_factory.mktemp("case"), case)
               for case in CASES}


@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_case(outcomes, name):
    outcomes[name].result()
