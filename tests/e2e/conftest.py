import pytest

from dwell_cli import SMALL_TIMES, Dwell


@pytest.fixture
def dwell(tmp_path):
    """The binary in a fresh folder, reading small numbers as times."""
    return Dwell(tmp_path, **SMALL_TIMES)
