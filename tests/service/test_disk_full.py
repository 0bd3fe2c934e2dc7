"""A full disk, on a small file system of its own: refused, not lost, and over when space returns."""

import pathlib
import resource

import pytest

from dwell_cli import event
from dwell_service import Service, post_event, wait_until

BASE = 1_751_932_800_000


@pytest.fixture
def small_disk(tmp_path, mount):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=2m", "none", folder)
    return folder


def fill(disk):
    """Leaves nothing of the disk, to the byte."""
    ballast = disk / "ballast"
    with open(ballast, "ab", buffering=0) as file:
        for size in (1 << 16, 4096, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue
    return ballast


def test_a_full_disk_is_answered_503_and_is_over_when_space_returns(small_disk, tmp_path):
    service = Service(tmp_path, "--db", "disk/dwell.db")
    answered, refused = [], []
    with service.start():

        def post(number):
            reply = service.post([post_event(f"device-{number}-{n}", "enter", BASE)
                                  for n in range(20)])
            assert reply.status in (201, 503), reply
            if reply.status == 503:
                assert int(reply.headers["Retry-After"]) >= 1
                # What was in the commit that failed may still be stored by the next try.
                assert reply.json["type"] in ("urn:dwell:unavailable", "urn:dwell:unknown-outcome")
            (answered if reply.status == 201 else refused).append(number)
            return reply.status

        for turn in range(3):
            start = turn * 1_000
            assert post(start) == 201
            ballast = fill(small_disk)
            number = start
            while len(refused) < 3 * (turn + 1):
                number += 1
                post(number)
                assert number < start + 900, "the disk is not full"
            ready = service.get("/readyz")
            assert ready.status == 503 and "full" in " ".join(ready.json["reasons"]), ready
            assert service.get("/livez").status == 200
            for known in answered:  # questions are answered all the time
                assert len(service.timeline(f"device-{known}-19")) == 1
            ballast.unlink()
            wait_until(lambda: service.get("/readyz").status == 200, 20)
            assert post(start + 999) == 201
            for known in answered:
                assert len(service.timeline(f"device-{known}-0")) == 1
        assert service.process.poll() is None and len(refused) >= 9
        assert service.metrics()["dwell_commit_failures_total"] > 0
        service.kill()
        service.start()
        for known in answered:
            for n in range(20):
                assert len(service.timeline(f"device-{known}-{n}")) == 1
        # Refused, and perhaps stored all the same once there was room: a request is never halved.
        for number in refused:
            assert len({len(service.timeline(f"device-{number}-{n}")) for n in range(20)}) == 1
        service.stop()
    assert service.dwell.query("PRAGMA integrity_check", db="disk/dwell.db") == [("ok",)]
    assert pathlib.Path(small_disk / "dwell.db").stat().st_size > 0


FILE_SIZE = 300_000


def limit_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_SIZE, resource.RLIM_INFINITY))


def test_a_limit_of_file_sizes_is_as_a_full_disk(tmp_path):
    service = Service(tmp_path, preexec_fn=limit_files)
    with service.start():
        stored, reply = [], None
        for number in range(1_000):
            reply = service.post([post_event(f"device-{number}-{n}", "enter", BASE)
                                  for n in range(100)])
            if reply.status != 201:
                break
            stored.append(number)
        assert reply.status == 503 and stored, reply
        ready = service.get("/readyz")
        assert ready.status == 503 and "ulimit -f" in " ".join(ready.json["reasons"]), ready
        assert len(service.timeline("device-0-0")) == 1
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE,
                         (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        wait_until(lambda: service.get("/readyz").status == 200, 20)
        service.store(("cam", "enter", BASE))
        for known in stored:
            assert len(service.timeline(f"device-{known}-99")) == 1
        service.stop()
    assert service.dwell.query("PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("limit", [0, 20_000])
def test_a_limit_of_file_sizes_ends_no_command_by_a_signal(dwell_in, limit):
    """Whatever it writes: the lock file, the database, its output."""
    dwell_in.write("in.ndjson", b"".join(event(f"cam-{n}", "enter", BASE) for n in range(3_000)))
    for command in (("replay", "in.ndjson"), ("generate", "--events", "3000")):
        with open(dwell_in.folder / "out", "wb") as out:
            process = dwell_in.start(
                *command, stdout=out,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
            err = process.communicate(timeout=60)[1].decode()
        assert process.returncode in (1, 2) and "; " in err, err
        assert "ulimit -f" in err, err
