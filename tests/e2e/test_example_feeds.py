"""examples/feeds: each file of settings reads its sample to the timeline beside it, from a file and
posted as a web hook."""

import pathlib

import pytest

from dwell_cli import Dwell
from dwell_service import Service

FEEDS = pathlib.Path(__file__).resolve().parents[2] / "examples" / "feeds"
NAMES = sorted(path.stem for path in FEEDS.glob("*.toml"))
HEADER = "deviceID,eventType,timestamp"
RECEIVED = "received"  # in the place of a time: nobody knows before


@pytest.fixture
def dwell(tmp_path):
    return Dwell(tmp_path)


def sample_of(name):
    found = [path for path in FEEDS.glob(f"{name}.*") if path.suffix in (".ndjson", ".json")]
    assert len(found) == 1, f"{name}.toml needs one sample, {name}.ndjson or {name}.json: {found}"
    return found[0]


def expected(name):
    header, *rows = (FEEDS / f"{name}.timeline").read_text().splitlines()
    assert header == HEADER and rows
    return rows


def timeline(dwell, has_times):
    """The rows as `dwell timeline DEVICE --csv` shows them, device by device."""
    rows = []
    for device in dict.fromkeys(row.device for row in dwell.rows()):
        lines = dwell.run("timeline", device, "--csv").out.splitlines()
        assert lines[0] == HEADER
        rows += lines[1:]
    return rows if has_times else [row.rsplit(",", 1)[0] + "," + RECEIVED for row in rows]


def has_times(name):
    return not expected(name)[0].endswith(RECEIVED)


def test_every_file_belongs_to_a_feed_and_every_feed_is_complete():
    assert len(NAMES) >= 8
    known = {path for name in NAMES
             for path in (FEEDS / f"{name}.toml", FEEDS / f"{name}.timeline", sample_of(name))}
    assert set(FEEDS.iterdir()) == known
    for name in NAMES:
        assert (FEEDS / f"{name}.toml").read_text().startswith("# "), name


@pytest.mark.parametrize("name", NAMES)
def test_a_file(dwell, name):
    dwell.run("replay", sample_of(name), "--config", FEEDS / f"{name}.toml")
    assert timeline(dwell, has_times(name)) == expected(name)
    assert dwell.rejects() == []


@pytest.mark.parametrize("name", NAMES)
def test_a_web_hook(tmp_path, name):
    """Each message in a request of its own, as the feed sends them."""
    with Service(tmp_path, "--config", str(FEEDS / f"{name}.toml")).start() as service:
        for line in sample_of(name).read_text().splitlines():
            reply = service.post(line)
            assert reply.status == 201, reply
        service.stop()
    assert timeline(service.dwell, has_times(name)) == expected(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_look_at_the_sample(dwell, name):
    """No record of a sample is refused, and what can be used makes the rows."""
    shown = dwell.run("check", FEEDS / f"{name}.toml", "--sample", sample_of(name), "--json").json
    assert {record["outcome"] for record in shown["records"]} <= {"accepted", "ignored"}
    read = {record["members"]["device_id"]["value"] for record in shown["records"]
            if record["outcome"] == "accepted"}
    assert read == {row.split(",")[0].strip('"') for row in expected(name)}
    assert list(dwell.folder.iterdir()) == []
