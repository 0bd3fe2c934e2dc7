"""Events as sensors send them, keyed by device, for as long as a test wants them."""

import json
import threading

import confluent_kafka

BASE = 1_751_932_800_000  # 2025-07-08
RATE = 1_500  # records a second
STEP_S = 0.02
MOST_AHEAD = 3_000  # records that the broker has not taken
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
    """Produces a history at a bounded rate on a thread of its own, each record once and in order.
    `ends` are the offsets behind what the broker took."""

    def __init__(self, topics, rng, rate=RATE):
        self.topics, self.rate, self.history = topics, rate, history(rng)
        self.sent, self.ends = 0, {}
        self.is_over = threading.Event()
        self.producer = confluent_kafka.Producer({
            "bootstrap.servers": topics.broker.address, "enable.idempotence": True, "acks": "all",
            "linger.ms": 5, "partitioner": "murmur2_random", "message.timeout.ms": 300_000,
            "reconnect.backoff.max.ms": 500, "log_level": 0})
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end()
        self.producer.purge()  # of a round that failed

    def end(self):
        self.is_over.set()
        self.thread.join()

    def run(self):
        while not self.is_over.wait(STEP_S):
            self.producer.poll(0)  # what it has not told yet counts as not taken
            if len(self.producer) < MOST_AHEAD:
                self.send(int(self.rate * STEP_S))

    def send(self, count):
        for _, (key, value, now) in zip(range(count), self.history):
            self.producer.produce(self.topics.input, value, key, timestamp=now)
            self.sent += 1

    def finish(self, is_exact=True):
        """Ends the load and waits until the broker has all of it: once, or, where it was killed,
        about once. The producer may have to begin its sequences anew then, and no more knows of what
        it had sent whether it is there. `ends` say what is."""
        self.end()
        assert self.producer.flush(GIVE_UP_S) == 0
        reader = confluent_kafka.Consumer({"bootstrap.servers": self.topics.broker.address,
                                           "group.id": "reader"})
        for number in range(self.topics.partitions):
            place = confluent_kafka.TopicPartition(self.topics.input, number)
            if end := reader.get_watermark_offsets(place, timeout=GIVE_UP_S)[1]:
                self.ends[number] = end
        reader.close()
        off = abs(self.taken - self.sent)
        assert off <= (0 if is_exact else self.sent // 10), (self.ends, self.sent)

    @property
    def taken(self):
        """How many records the broker has."""
        return sum(self.ends.values())
