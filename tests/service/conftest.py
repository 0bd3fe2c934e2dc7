import contextlib

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
def dwell_in(tmp_path):
    """The binary in the test's folder, for runs that end by themselves."""
    return Dwell(tmp_path)
