"""kill -9 of `dwell run` under POST load: what was answered 201 is stored, and stored once.

Each client owns its devices and sends one request after another, so the model knows in which
order its events arrived. Only the request that was in flight at the kill may be stored or not, and
then as a whole. DWELL_CHAOS_ROUNDS says how many rounds (30), DWELL_CHAOS_SEED repeats a run.
"""

import copy
import http.client
import json
import os
import random
import threading
import time

import pytest

from dwell_cli import event
from dwell_service import Service, post_event, wait_until
from presence_model import Model, Rule

ROUNDS = int(os.environ.get("DWELL_CHAOS_ROUNDS", "30"))
SEED = int(os.environ.get("DWELL_CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
BASE = 1_751_932_800_000  # 2025-07-08
CLIENTS = 4
GONE = (http.client.HTTPException, OSError)


class Client:
    """Posts random events of its own devices until the service is gone."""

    def __init__(self, number, order):
        self.number, self.sent, self.requests = number, 0, 0
        self.rng = random.Random(f"{SEED}-{order}-{number}")
        self.model = Model(Rule(now=BASE * 2, order=order))
        self.in_flight, self.answered, self.failure = None, 0, None

    def batch(self):
        # The first event is always accepted: a row that tells whether the request was stored, as
        # the others may leave none.
        self.requests += 1
        kind = ("enter", "exit")[self.requests % 2]
        events = [(f"client-{self.number}-requests", kind, BASE + self.requests * 1_000)]
        rng = self.rng
        for _ in range(rng.choice((1, 1, 5, 40))):
            self.sent += 1
            late = rng.choice((0, 0, 0, rng.randrange(50_000)))
            events.append((f"client-{self.number}-{rng.randrange(5)}",
                           rng.choice(("enter", "exit", "enter", "exit", "wave")),
                           BASE + self.sent * 1_000 - late + 50_000))
        return events

    def fold(self, model, events):
        """The outcomes the model expects."""
        found = []
        for device, kind, timestamp in events:
            before = copy.copy(model.outcomes)
            model.fold(event(device, kind, timestamp))
            found += (model.outcomes - before).keys()
        return found

    def run(self, service):
        try:
            connection = http.client.HTTPConnection(service.host, service.port, timeout=60)
            while True:
                self.in_flight = self.batch()
                body = json.dumps({"events": [post_event(*one) for one in self.in_flight]})
                connection.request("POST", "/timeline", body)
                response = connection.getresponse()
                assert response.status == 201, response.read()
                outcomes = json.loads(response.read())["outcomes"]
                expected = self.fold(self.model, self.in_flight)
                self.answered += 1
                self.in_flight = None
                assert outcomes == expected, (outcomes, expected)
        except GONE:
            return
        except Exception as failure:  # for the test's thread
            self.failure = failure

    def marks(self, rows):
        return [row for row in rows if row.device.endswith("-requests")]

    def check(self, stored):
        """Stored is the model of all that was answered, with or without what was in flight."""
        mine = [row for row in stored if row.device.startswith(f"client-{self.number}-")]
        without = self.model.rows
        if self.in_flight:
            ahead = copy.deepcopy(self.model)
            self.fold(ahead, self.in_flight)
            if self.marks(mine) == self.marks(ahead.rows):
                self.model = ahead
            else:
                self.requests -= 1  # the next request writes this mark
        was_stored = self.model.rows != without
        self.in_flight = None
        assert mine == self.model.rows, (
            set(mine) - set(self.model.rows), set(self.model.rows) - set(mine))
        return was_stored


@pytest.mark.parametrize("order", ["arrival", "event_time"])
def test_killed_under_post_load(tmp_path, order):
    print(f"DWELL_CHAOS_SEED={SEED}")
    rng = random.Random(f"{SEED}-kills-{order}")
    clients = [Client(number, order) for number in range(CLIENTS)]
    in_flight = kept = 0
    with Service(tmp_path, "--order", order) as service:
        for _ in range(max(1, ROUNDS // 2)):
            threads = [threading.Thread(target=client.run, args=(service,)) for client in clients]
            goal = sum(client.answered for client in clients) + rng.randrange(1, 60)
            for thread in threads:
                thread.start()
            wait_until(lambda: sum(client.answered for client in clients) >= goal
                       or any(client.failure for client in clients))
            due = time.monotonic() + rng.uniform(0, 0.004)
            while time.monotonic() < due:
                pass  # shorter than a sleep can be
            service.kill()
            for thread in threads:
                thread.join()
            for client in clients:
                if client.failure:
                    raise client.failure
            in_flight += sum(client.in_flight is not None for client in clients)
            service.start()
            stored = service.dwell.rows()
            kept += sum([client.check(stored) for client in clients])
            assert service.dwell.query("PRAGMA integrity_check") == [("ok",)]
        totals = service.dwell.totals()
        for name in ("accepted", "duplicate", "ignored", "repeated_enter", "repeated_exit"):
            assert totals[name] == sum(client.model.outcomes[name] for client in clients), name
        assert totals["rows"] == len(stored)
        assert in_flight > 0, "no kill met a request in flight"
        print(f"{in_flight} requests were in flight at a kill, {kept} of them were stored")
        service.stop()
