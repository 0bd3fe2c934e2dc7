"""Ports for servers of the tests, which several test programs start at one time."""

import fcntl
import os
import pathlib
import random
import socket
import tempfile

# Below those that the system gives to clients: one of these could take a port between the time it
# was found free and the time its server listens.
FIRST, LAST = 20_000, 32_000

held = []  # lock files, until this process ends


def free_ports(count):
    """Nobody else gets them from here while this process lives."""
    folder = pathlib.Path(tempfile.gettempdir()) / "dwell-test-ports"
    folder.mkdir(exist_ok=True)
    found = []
    for port in random.sample(range(FIRST, LAST), LAST - FIRST):
        lock = os.open(folder / str(port), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            os.close(lock)
            continue
        held.append(lock)
        found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError(f"no {count} free ports from {FIRST} to {LAST}")
