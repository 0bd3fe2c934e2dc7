import pytest

from dwell_cli import Dwell


@pytest.fixture
def dwell(tmp_path):
    """The binary in a fresh folder."""
    return Dwell(tmp_path)
