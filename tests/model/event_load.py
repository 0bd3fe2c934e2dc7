"""Events as sensors send them, keyed by device, for as long as a test wants them."""

import json
import threading

from kafka import KafkaProducer

BASE = 1_751_932_800_000  # 2025-07-08
RATE = 1_500  # records a second
STEP_S = 0.02
LONGEST = 2_048  # bytes of a record, under the setting that the tests give
GIVE_UP_S = 60


def history(rng):
    """(key, value, time of receipt) for ever: disordered, repeated, redelivered and unusable ones
    of a few, some or many devices."""
    devices, step_ms = rng.choice([3, 60, 900]), rng.choice([7, 400, 20_000])
    recent, number = [], 0
    while True:
        number += 1
        now = BASE + number * step_ms
        key = f"cam-{rng.randrange(devices)}"
        share = rng.random()
        if share < 0.06 and recent:
            key, value = rng.choice(recent)
        elif share < 0.10:
            value = rng.choice([b"garbage %d" % number, None, b"\xff\x00",
                                b'{"event_type":"device_exit"}',
                                event(key, "device_enter", "later"),
                                event(key, "device_exit", now + 600_000),
                                event(key, "device_enter", now, more="x" * LONGEST)])
        elif share < 0.13:
            value = event(key, f"type-{rng.randrange(3)}", now)
        else:
            late = rng.choice([0, 0, 0, rng.randrange(60_000), rng.randrange(90_000_000)])
            value = event(key, rng.choice(["device_enter", "device_exit"]), now - late)
        recent = [*recent[-50:], (key, value)]
        yield key, value, now


def event(device, kind, timestamp, **more):
    return json.dumps({"device_id": device, "event_type": kind, "timestamp": timestamp,
                       **more}).encode()


class Load:
    """Produces a history at a bounded rate on a thread of its own, each device's in order, whatever
    becomes of the broker; what a broker took and did not say so comes twice, as from any sensor.
    `ends` are the offsets behind what the broker took."""

    def __init__(self, topics, rng, rate=RATE):
        self.topics, self.rate, self.history = topics, rate, history(rng)
        self.sent, self.ends, self.failures = 0, {}, []
        self.is_over = threading.Event()
        self.producer = KafkaProducer(
            bootstrap_servers=topics.broker.address, acks="all", linger_ms=5,
            max_in_flight_requests_per_connection=1, retries=1_000_000,
            request_timeout_ms=120_000)
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end()
        self.producer.close(timeout=0)  # of a round that failed there may be more

    def end(self):
        self.is_over.set()
        self.thread.join()

    def run(self):
        while not self.is_over.wait(STEP_S):
            self.send(int(self.rate * STEP_S))

    def send(self, count):
        for _, (key, value, now) in zip(range(count), self.history):
            future = self.producer.send(self.topics.input, value, key.encode(), timestamp_ms=now)
            future.add_callback(self.delivered).add_errback(self.failures.append)
            self.sent += 1

    def delivered(self, place):
        known = self.ends.get(place.partition, 0)
        self.ends[place.partition] = max(known, place.offset + 1)

    def finish(self):
        """Ends the load and waits until the broker has all of it."""
        self.end()
        self.producer.flush(GIVE_UP_S)
        assert not self.failures and sum(self.ends.values()) >= self.sent, self.failures
