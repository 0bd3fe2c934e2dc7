"""What a file is: JSON, CSV and packed files are read to the same rows, anything else is refused by
name, and a file read in several goes gives each record once."""

import gzip
import json
import signal
import subprocess
import time

import pytest

from dwell_cli import Dwell, event

BASE = 1_751_932_800_000
ENTER, EXIT = "device_enter", "device_exit"
EVENTS = [("cam-%d" % (n % 7), ENTER if n // 7 % 2 == 0 else EXIT, BASE + n * 60_000)
          for n in range(210)]


@pytest.fixture
def dwell(tmp_path):
    return Dwell(tmp_path)


def objects():
    return [{"device_id": device, "event_type": kind, "timestamp": time}
            for device, kind, time in EVENTS]


def as_lines():
    return "".join(json.dumps(one) + "\n" for one in objects()).encode()


def as_csv(delimiter=",", end="\n", quote=""):
    lines = [delimiter.join(("timestamp", "room", "device_id", "event_type"))]
    lines += [delimiter.join((str(time), f'"a{delimiter} ""b"""', f"{quote}{device}{quote}", kind))
              for device, kind, time in EVENTS]
    return (end.join(lines) + end).encode()


FORMS = {
    "lines": as_lines(),
    "byte order mark": b"\xef\xbb\xbf" + as_lines(),
    "array": json.dumps(objects()).encode(),
    "array over lines": json.dumps(objects(), indent=2).encode(),
    "arrays": b"\n".join(json.dumps([one]).encode() for one in objects()),
    "objects over lines": "\n".join(json.dumps(one, indent=2) for one in objects()).encode(),
    "wrapped": json.dumps({"events": objects()}).encode(),
    "csv": as_csv(),
    "csv of a spreadsheet": b"\xef\xbb\xbf" + as_csv(";", "\r\n", '"'),
    "csv with tabs": as_csv("\t"),
    "gzip": gzip.compress(as_lines()),
    "gzip members": gzip.compress(as_lines()[:4000]) + gzip.compress(as_lines()[4000:]),
    "gzip of an array": gzip.compress(json.dumps(objects(), indent=1).encode()),
    "gzip of csv": gzip.compress(as_csv()),
}


def stored(dwell, **options):
    return [(row.device, row.type, row.timestamp) for row in dwell.rows(**options)]


EXPECTED = sorted(((device, kind, time) for device, kind, time in EVENTS),
                  key=lambda row: (row[0], row[2]))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("source", ["file", "stream"])
def test_every_form_gives_the_same_rows(dwell, form, source):
    dwell.write("in", FORMS[form])
    if source == "file":
        answer = dwell.run("replay", "in", "--json")
    else:
        answer = dwell.run("replay", "-", "--json", stdin=FORMS[form])
    assert answer.json["run"]["records"] == len(EVENTS)
    assert stored(dwell) == EXPECTED
    assert "missing" not in answer.err
    if source == "file":
        again = dwell.run("replay", "in", "--json")
        assert again.json["run"]["records"] == 0 and "missing" not in again.err


@pytest.mark.parametrize("form", FORMS)
def test_a_kill_in_the_middle_loses_and_doubles_nothing(dwell, form):
    dwell.write("in", FORMS[form])
    kills = 0
    for delay in range(60):
        process = dwell.start("replay", "in", "--batch-records", "1")
        log = dwell.folder / "dwell.db-wal"
        size = log.stat().st_size if log.exists() else 0
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if log.exists() and log.stat().st_size != size:
                break
            time.sleep(0.001)
        time.sleep(0.002 * (delay % 5))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
        if process.returncode == 0 or kills == 4:
            break
    dwell.run("replay", "in")
    assert stored(dwell) == EXPECTED
    assert dwell.totals()["accepted"] == len(EVENTS)


def test_zstd(dwell):
    packed = subprocess.run(["zstd", "-c"], input=as_lines(), capture_output=True, check=True)
    dwell.write("in.zst", packed.stdout)
    dwell.run("replay", "in.zst")
    assert stored(dwell) == EXPECTED


def test_a_cut_packed_file_keeps_what_was_whole(dwell):
    packed = gzip.compress(as_lines())
    dwell.write("in.gz", packed[:-40])
    answer = dwell.run("replay", "in.gz", status=1)
    assert "in.gz: its gzip data end too early behind byte" in answer.err
    assert 0 < len(dwell.rows()) < len(EVENTS)
    dwell.write("in.gz", packed)
    dwell.run("replay", "in.gz")
    assert stored(dwell) == EXPECTED


def test_what_is_wrong_in_an_array_is_rejected_alone(dwell):
    good = [event(f"cam-{n}", "enter", BASE).decode().strip() for n in range(4)]
    dwell.write("in.json", f"[{good[0]},\n7,\n{good[1][:-1]},\n{good[2]},\noops\n{good[3]}\n]\n")
    answer = dwell.run("replay", "in.json", "--json")
    assert answer.json["run"]["records"] == 6
    assert [row.device for row in dwell.rows()] == ["cam-0", "cam-2", "cam-3"]
    assert [(reason, what.strip().strip(b",")) for reason, _, what in dwell.rejects()] == [
        ("malformed", b"7"), ("malformed", good[1][:-1].encode()), ("malformed", b"oops")]
    assert "in.json:2" in dwell.run("rejects").out


def test_a_row_that_is_wrong_is_rejected_alone(dwell):
    dwell.write("in.csv", "device_id,event_type,timestamp\n"
                          f'a,device_enter,{BASE}\n"b,device_enter,{BASE}\nc,device_enter,{BASE}\n'
                          f"d,device_enter,soon\ne,device_enter,{BASE},more\nf\n")
    dwell.run("replay", "in.csv")
    assert [row.device for row in dwell.rows()] == ["a", "c"]
    assert [reason for reason, _, _ in dwell.rejects()] == [
        "malformed", "invalid_timestamp", "malformed", "invalid_event_type"]


def test_columns_are_named_as_in_the_mapping(dwell):
    dwell.write("in.csv", f"who;what;when;where\nann;in;{BASE // 1000};hall\n")
    dwell.run("replay", "in.csv", "--input-device-id", "{/who}@{/where}", "--input-event-type",
              "/what", "--input-enter", "in", "--input-exit", "out", "--input-timestamp", "/when")
    assert stored(dwell) == [("ann@hall", ENTER, BASE)]


@pytest.mark.parametrize("content,said", [
    (as_lines().decode().encode("utf-16"), "is UTF-16, which Dwell does not read; iconv -f UTF-16"),
    (as_lines().decode().encode("utf-16-le"), "is UTF-16LE"),
    (b"PK\x03\x04....", "is a zip archive, which Dwell does not read; unzip -p "),
    (b"PAR1\x15\x04", "is Parquet"),
    (b"\x89PNG\r\n\x1a\n", "is a PNG picture"),
    (b"\x7fELF\x02\x01\x01\x00\n", "is not text: byte 0x02 at 4"),
], ids=["utf-16", "utf-16 without a mark", "zip", "parquet", "png", "binary"])
def test_other_kinds_are_refused_by_name(dwell, content, said):
    dwell.write("in", content)
    assert f"{dwell.folder}/in: {said}" in dwell.run("replay", "in", status=2).err
    assert f"-: {said}" in dwell.run("replay", "-", stdin=content, status=2).err
    assert dwell.totals()["malformed"] == 0


@pytest.mark.parametrize("content,said", [
    (json.dumps(objects()).encode(), "is a JSON array, or objects over several lines, and only one"),
    (gzip.compress(as_lines()), "is packed by gzip, and only one JSON object a line can be followed"),
    (as_csv(), "is CSV, and only one JSON object a line"),
    (b"PK\x03\x04....", "is a zip archive"),
], ids=["array", "gzip", "csv", "zip"])
def test_run_takes_lines_alone(dwell, content, said):
    dwell.write("in", content)
    for source in ("in", "-"):
        answer = dwell.run("run", "--from", source, "--listen", "127.0.0.1:0", stdin=content,
                           status=2)
        assert said in answer.err
