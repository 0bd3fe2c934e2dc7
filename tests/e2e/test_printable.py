"""What others have named can move nothing on a terminal and forge no line of a log."""

import re

import pytest

from dwell_cli import event

BASE = 1_751_932_800_000
# None of them has a look of its own; only the first two are refused in device ids.
UNSEEN = {"newline": "\n", "escape": "\x1b", "override": "\u202e", "isolate": "\u2066",
          "no-width": "\u200b", "joiner": "\u200d", "line": "\u2028", "paragraph": "\u2029",
          "mark": "\ufeff", "hyphen": "\u00ad", "tag": "\U000e0041"}
ODD = "".join(UNSEEN.values())
RAW = re.compile("[" + ODD.replace("\n", "") + "\x00-\x09\x0b-\x1f\x7f-\x9f]")


def escaped(text):
    return "".join(f"\\x{byte:02x}" for byte in text.encode())


def plain(text):
    assert not RAW.search(text), repr(text)
    return text


@pytest.mark.parametrize("char", [c for c in UNSEEN.values() if c not in "\n\x1b"],
                         ids=[n for n in UNSEEN if n not in ("newline", "escape")])
def test_device_ids(dwell, char):
    device = f"cam{char}1"
    dwell.write("in", event(device, "enter", BASE))
    plain(dwell.run("replay", "in").out)
    assert f"cam{escaped(char)}1" in plain(dwell.run("who").out)
    assert dwell.run("who", "--json").json["devices"][0]["deviceID"] == device


@pytest.mark.parametrize("char", UNSEEN.values(), ids=UNSEEN)
def test_arguments_and_files(dwell, char):
    name = f"a{char}b"
    dwell.write(name, b"garbage\n" + event("d", "enter", BASE) + event("d", f"t{char}", BASE))
    done = dwell.run("replay", name, "--db", f"{name}.db")
    assert f"a{escaped(char)}b.db" in plain(done.out)
    assert f"a{escaped(char)}b" in plain(done.err)
    listed = plain(dwell.run("rejects", "--db", f"{name}.db").out)
    assert f"a{escaped(char)}b:1" in listed and len(listed.splitlines()) == 3
    assert f"no events of a{escaped(char)}b here" in plain(
        dwell.run("timeline", name, "--db", f"{name}.db").out)
    for command in (("replay", name + "-none"), ("check", name + "-none"), ("who", "--db", name + "-none"),
                    ("run", "--from", ".", "--listen", "127.0.0.1:0", "--db", name + ".db"),
                    ("who", name), ("config", "--clean-listen", name), ("timeline", "d", f"--{name}"),
                    ("config", "--config", name), ("rejects", "--reason", name), ("who", "--at", name)):
        answer = dwell.run(*command, status=1 if command[0] == "replay" or "-none" in command[-1] and
                           command[0] == "who" else 2)
        assert len(plain(answer.err).splitlines()) <= 2, answer.err


@pytest.mark.parametrize("char", UNSEEN.values(), ids=UNSEEN)
def test_the_log(dwell, char):
    process = dwell.start("run", "--listen", "127.0.0.1:0", "--db", f"a{char}2099-01-01 forged.db")
    try:
        said = []
        while not said or "ready:" not in said[-1]:
            said.append(process.stderr.readline().decode())
            assert said[-1], said
        process.terminate()
        said += process.communicate(timeout=60)[1].decode().splitlines(keepends=True)
    finally:
        process.kill()
    assert any(f"a{escaped(char)}2099" in line for line in said)
    for line in said:
        assert re.match(r"\d{4}-\d\d-\d\dT[0-9:.]+Z (info|warning) ", plain(line)), line
        assert not line.startswith("2099")


def test_settings_of_a_file(dwell):
    dwell.write("d.toml", f'"a{ODD.replace(chr(10), "").replace(chr(27), "")}" = 1\n"b\\nc\\u001b" = 2\n')
    answer = dwell.run("check", "d.toml", status=2)
    assert len(plain(answer.err).splitlines()) == 2
