import contextlib
import subprocess

import pytest

from dwell_cli import Dwell
from dwell_service import Service


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One service for all tests of a file; each uses its own devices."""
    with Service(tmp_path_factory.mktemp("shared")).start() as service:
        yield service
        service.stop()


@pytest.fixture
def service(tmp_path):
    """A service of its own, with the defaults."""
    with Service(tmp_path).start() as one:
        yield one


@pytest.fixture
def serving(tmp_path):
    """serving(*flags) starts a service in the test's folder; all end with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda *flags, **options: stack.enter_context(
            Service(tmp_path, *flags, **options).start())


@pytest.fixture
def mount():
    """mount(..., where) as mount(8) does, for the time of the test; skips it where that is refused."""
    places = []

    def make(*arguments):
        done = subprocess.run(["mount", *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"SKIP: cannot mount {arguments[-1]}: {done.stderr}")
        if arguments[-1] not in places:
            places.append(arguments[-1])

    yield make
    for place in reversed(places):
        subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture
def dwell_in(tmp_path):
    """The binary in the test's folder, for runs that end by themselves."""
    return Dwell(tmp_path)
