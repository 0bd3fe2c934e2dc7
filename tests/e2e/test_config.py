"""Settings: file < environment < flag, every problem named, and pages that cannot go stale."""

import pathlib
import re
import shutil

import pytest

from dwell_cli import Dwell

SOURCE = pathlib.Path(__file__).resolve().parents[2]
# key, environment, flag, and a value for each of file, environment and flag
SAMPLE = [
    ("db.path", "DWELL_DB_PATH", "--db", ("f.db", "e.db", "g.db")),
    ("order.mode", "DWELL_ORDER_MODE", "--order", ("event_time", "arrival", "event_time")),
    ("order.horizon", "DWELL_ORDER_HORIZON", "--order-horizon", ("90s", "5min", "2h")),
    ("first_exit", "DWELL_FIRST_EXIT", "--first-exit", ("suppress", "accept", "suppress")),
    ("duplicate.window", "DWELL_DUPLICATE_WINDOW", "--duplicate-window", ("0", "64", "7")),
    ("clock.max_behind", "DWELL_CLOCK_MAX_BEHIND", "--clock-max-behind", ("1h", "off", "30d")),
    ("batch.bytes", "DWELL_BATCH_BYTES", "--batch-bytes", ("65KiB", "1GiB", "2MiB")),
]


@pytest.fixture
def dwell(tmp_path):
    return Dwell(tmp_path)


def effective(dwell, *flags, **environment):
    """{key: (value, where it came from)} as `dwell config` prints them."""
    lines = dwell.run("config", *flags, **environment).out.splitlines()
    return {m[1]: (m[2], m[3]) for m in
            (re.fullmatch(r'(\S+) = "(.*)"  # (.*)', line) for line in lines)}


@pytest.mark.parametrize("key, variable, flag, values", SAMPLE)
def test_precedence(dwell, key, variable, flag, values):
    in_file, in_environment, in_flag = values
    default = effective(dwell)[key]
    assert default[1] == "default"
    dwell.write("d.toml", f'\n{key} = "{in_file}"\n')
    assert effective(dwell, "--config", "d.toml")[key] == (in_file, "d.toml:2")
    assert effective(dwell, DWELL_CONFIG="d.toml")[key] == (in_file, "d.toml:2")
    both = {"DWELL_CONFIG": "d.toml", variable: in_environment}
    assert effective(dwell, **both)[key] == (in_environment, f"environment {variable}")
    assert effective(dwell, flag, in_flag, **both)[key] == (in_flag, f"flag {flag}")
    others = {k: v for k, v in effective(dwell, flag, in_flag, **both).items() if k != key}
    assert all(place == "default" for _, place in others.values())


def test_settings_work_from_every_place(dwell):
    """Not only shown: the database named by each is the one that is made."""
    dwell.write("in.ndjson", b'{"event_type":"device_enter","device_id":"a","timestamp":1751932800}\n')
    dwell.write("d.toml", '[db]\npath = "file.db"\n')
    dwell.run("replay", "in.ndjson", "--config", "d.toml")
    dwell.run("replay", "in.ndjson", "--config", "d.toml", DWELL_DB_PATH="environment.db")
    dwell.run("replay", "in.ndjson", "--config", "d.toml", "--db", "flag.db",
              DWELL_DB_PATH="environment.db")
    assert {path.name for path in dwell.folder.glob("*.db")} == {"file.db", "environment.db", "flag.db"}


def test_toml_numbers_and_tables(dwell):
    """Numbers need no quotes, dotted keys and tables are the same."""
    dwell.write("d.toml", 'duplicate.window = 7\nfirst_exit = "suppress"\n'
                          '[batch]\nrecords = 5\nbytes = 65_536\n')
    found = effective(dwell, "--config", "d.toml")
    assert found["duplicate.window"] == ("7", "d.toml:1")
    assert found["batch.records"] == ("5", "d.toml:4")
    assert found["batch.bytes"] == ("64KiB", "d.toml:5")
    assert "d.toml: ok" in dwell.run("check", "d.toml").out


@pytest.mark.parametrize("toml, words", [
    ('\n[order]\nmod = "arrival"\n', ["d.toml:3", "order.mod", "order.mode", "did you mean"]),
    ("batch.record = 5\n", ["d.toml:1", "batch.record", "did you mean batch.records?"]),
    ("completely_else = 1\n", ["d.toml:1", "completely_else", "no such setting"]),
    ("[else]\na = 1\n", ["d.toml:1", "else", "no such setting"]),
    ('[order]\nmode = "fast"\n', ["d.toml:2", "order.mode", "fast", "arrival or event_time"]),
    ("batch.records = 0\n", ["d.toml:1", "batch.records", '"0"', "whole number from 1 to 1000000"]),
    ("batch.records = 1.5\n", ["d.toml:1", "batch.records", "1.5", "whole number"]),
    ("batch.records = true\n", ["d.toml:1", "batch.records", "true", "whole number"]),
    ("batch.records = [1]\n", ["d.toml:1", "batch.records", "list", "whole number"]),
    ("batch.records = 99999999999999999999\n", ["d.toml:1"]),
    ("order.horizon = 5\n", ["d.toml:1", "order.horizon", '"5"', "duration"]),
    ('order.horizon = "5 parsecs"\n', ["d.toml:1", "order.horizon", "5 parsecs", "duration"]),
    ('order.horizon = "-1h"\n', ["d.toml:1", "order.horizon", "-1h", "duration"]),
    ('rejects.max_bytes = "1TB"\n', ["d.toml:1", "rejects.max_bytes", "1TB", "bytes"]),
    ('db.path = ""\n', ["d.toml:1", "db.path", "not empty"]),
    ("order = 5\n", ["d.toml:1", "order", "table"]),
    ("[first_exit]\na = 1\n", ["d.toml:1", "first_exit", "accept or suppress"]),
    ("a = \n", ["d.toml:1"]),
    ("first_exit = 'accept'\nfirst_exit = 'accept'\n", ["d.toml:2", "first_exit"]),
    (b"\xff\xfe", ["d.toml:1"]),
])
def test_a_problem_names_file_line_key_and_what_was_expected(dwell, toml, words):
    """`check` and every command that reads the file say the same."""
    dwell.write("d.toml", toml)
    checked = dwell.run("check", "d.toml", status=2)
    assert checked.raw == b"" and len(checked.err.splitlines()) == 1
    for word in words:
        assert word in checked.err
    for command in (("config", "--config", "d.toml"), ("who", "--config", "d.toml")):
        assert dwell.run(*command, status=2).err == checked.err
    assert dwell.run("who", status=2, DWELL_CONFIG="d.toml").err == checked.err


def test_all_problems_are_listed(dwell):
    """Of file, environment and flags together, one line each, and nothing is done."""
    dwell.write("d.toml", 'batch.records = 0\nnope = 1\n[order]\nmode = "x"\n')
    dwell.write("in.ndjson", b"")
    answer = dwell.run("replay", "in.ndjson", "--config", "d.toml", "--order-horizon", "x", status=2,
                       DWELL_BATCH_BYTES="1", DWELL_NO_SUCH="1")
    assert len(answer.err.splitlines()) == 6
    for word in ("d.toml:1", "d.toml:2", "d.toml:4", "DWELL_BATCH_BYTES", "DWELL_NO_SUCH",
                 "--order-horizon"):
        assert word in answer.err
    assert list(dwell.folder.glob("*.db*")) == []


@pytest.mark.parametrize("clean, store", [
    ("a", "a"), ("a", "a-key"), ("a-devices", "a"),
    ("a", "a-redrive-malformed")])
def test_groups_that_meet_are_refused(dwell, clean, store):
    groups = ("--clean-group", clean, "--store-group", store)
    dwell.write("d.toml", f'clean.group = "{clean}"\nstore.group = "{store}"')
    said = dwell.run("check", "d.toml", status=2).err
    assert f"clean.group {clean} and store.group {store} lead to one group" in said
    assert dwell.run("run", "--roles", "clean,store", *groups, status=2).err.count(
        "lead to one group") == 1


@pytest.mark.parametrize("name, value", [("transaction.timeout.ms", "1"), ("no.such", "1")])
def test_what_librdkafka_refuses_is_said_so(dwell, name, value):
    said = dwell.run("config", f"--kafka-extra={name}={value}", status=2).err
    assert f"kafka.extra.{name} = " in said
    assert "librdkafka has no such setting, or refuses this value" in said


def test_a_mistyped_setting_is_told_its_neighbour(dwell):
    """In the file, in the environment and as a flag."""
    for text, near in (('order.mod = "arrival"', "order.mode"), ('ordr.mode = "arrival"', "order"),
                       ('[ordr]\nmode = "arrival"', "order"), ("frist_exit = 1", "first_exit")):
        dwell.write("d.toml", text)
        assert f"did you mean {near}?" in dwell.run("check", "d.toml", status=2).err
    assert dwell.run("who", status=2, DWELL_ORDR_MODE="arrival").err == (
        "dwell: environment DWELL_ORDR_MODE: no such setting; did you mean DWELL_ORDER_MODE?\n")
    assert "dwell config --help" in dwell.run("who", status=2, DWELL_ZZZZ="1").err
    for flag, near in (("--ordr", "--order"), ("--first-exti", "--first-exit"),
                       ("--input-time-zon", "--input-time-zone")):
        said = dwell.run("replay", "in.ndjson", flag, "x", status=2).err
        assert f"did you mean {near}?" in said and " x" not in said


def tzdata(folder, version):
    """A tzdata of that version, for TZDIR."""
    system = pathlib.Path("/usr/share/zoneinfo")
    (folder / "Europe").mkdir(parents=True)
    shutil.copy(system / "Europe" / "Berlin", folder / "Europe")
    text = (system / "tzdata.zi").read_text("utf-8")
    (folder / "tzdata.zi").write_text(re.sub("^# version .*", f"# version {version}", text), "utf-8")
    return str(folder)


LOCAL = ('{"device_id":"a","event_type":"device_enter","timestamp":"2025-07-08 12:00:00"}\n'
         '{"device_id":"a","event_type":"device_exit","timestamp":"2025-10-26T02:30:00"}\n')


def test_a_database_keeps_its_time_zone_and_says_once_that_tzdata_changed(dwell):
    before, after = (tzdata(dwell.folder / v, v) for v in ("1999a", "1999b"))
    dwell.write("in.ndjson", LOCAL)
    first = dwell.run("replay", "in.ndjson", "--input-time-zone", "Europe/Berlin", TZDIR=before)
    assert "tzdata" not in first.err
    assert [row.timestamp for row in dwell.rows()] == [1751968800000, 1761438600000]
    shown = 'input.time_zone = "Europe/Berlin (tzdata 1999a)"  # database dwell.db'
    assert shown in dwell.run("config", TZDIR=before).out
    dwell.write("more.ndjson", LOCAL.replace("2025-07-08", "2025-07-09").replace('"a"', '"b"'))
    said = dwell.run("replay", "more.ndjson", TZDIR=after).err
    assert said.count("Europe/Berlin (tzdata 1999a), from now on as Europe/Berlin (tzdata 1999b)") == 1
    assert 1752055200000 in [row.timestamp for row in dwell.rows()]
    assert "tzdata" not in dwell.run("replay", "more.ndjson", TZDIR=after).err
    # Another zone is no other version.
    assert "tzdata" not in dwell.run("replay", "more.ndjson", "--input-time-zone", "UTC").err
    assert "tzdata" not in dwell.run("replay", "more.ndjson", "--input-time-zone", "off").err


def test_a_machine_without_tzdata_says_which_package_it_lacks(dwell):
    nowhere = str(dwell.folder / "nowhere")
    dwell.write("in.ndjson", LOCAL)
    command = ("replay", "in.ndjson", "--input-time-zone")
    said = dwell.run(*command, "Europe/Berlin", status=2, TZDIR=nowhere).err
    assert "install the package tzdata" in said and "input.time_zone" in said
    assert list(dwell.folder.glob("*.db*")) == []
    dwell.run(*command, "UTC", TZDIR=nowhere)
    dwell.run(*command, "Europe/Berlin")
    said = dwell.run("replay", "in.ndjson", status=1, TZDIR=nowhere).err
    assert "dwell.db" in said and "install the package tzdata" in said


@pytest.mark.parametrize("name, near", [
    ("Europe/Berlim", "Europe/Berlin"), ("Berlin", "Europe/Berlin"), ("CEST", "CET"),
    ("../zoneinfo/Europe/Berlin", ""), ("localtime", ""), ("posixrules", ""), ("Factory", ""),
    ("/usr/share/zoneinfo/Europe/Berlin", ""), ("+02:00", "")])
def test_a_time_zone_that_is_none(dwell, name, near):
    dwell.write("d.toml", f'input.time_zone = "{name}"')
    said = dwell.run("check", "d.toml", status=2).err
    assert said.startswith(f'dwell: d.toml:1: input.time_zone = "{name}": tzdata has no time zone')
    assert "expected off, or a name of tzdata such as Europe/Berlin" in said
    assert (f"the nearest is {near};" in said) if near else ("nearest" not in said)


def test_unknown_environment_variables_are_errors(dwell):
    """A mistyped variable must not be ignored in silence; others' variables are none of ours."""
    for command in (("config",), ("who",), ("timeline", "a"), ("rejects",)):
        assert "DWELL_ORDER_MOD" in dwell.run(*command, status=2, DWELL_ORDER_MOD="arrival").err
    dwell.run("config", DWELLING="1", DWELL_TEST_SEED="1", dwell_order_mode="x")


def test_a_settings_file_that_cannot_be_read(dwell):
    (dwell.folder / "folder").mkdir()
    for path in ("nope.toml", "folder"):
        for command in (("check", path), ("config", "--config", path)):
            answer = dwell.run(*command, status=2)
            assert path in answer.err and answer.raw == b""


def test_what_config_prints_passes_check_and_means_the_same(dwell):
    odd = 'a "b" \\ é # x.db'
    first = dwell.run("config", "--db", odd, "--clock-max-behind", "1h", "--rejects-max-bytes", "0",
                      "--order", "event_time").out
    dwell.write("d.toml", first)
    dwell.run("check", "d.toml")
    second = dwell.run("config", "--config", "d.toml").out
    origin = re.compile(r'  # [^"\n]*$', re.MULTILINE)
    assert origin.sub("", first) == origin.sub("", second)
    assert r'db.path = "a \"b\" \\ é # x.db"' in second and '"event_time"' in second


def test_every_setting_is_read_by_a_command_that_works(dwell):
    """`config` shows all of them: another command has to name each in its help."""
    commands = ["clean", "store", "serve", "replay", "timeline", "topics create"]
    helps = {name: dwell.run(*name.split(), "--help").out for name in [*commands, "run"]}
    rows = [line.split(" | ") for line in dwell.run("config", "--docs").out.splitlines()[2:]]
    assert len(rows) > 40
    for key, _, flag, *_ in rows:
        name = flag.strip("`") + " "
        readers = [command for command, text in helps.items() if name in text]
        assert "run" in readers and len(readers) > 1, key


def test_the_settings_page_lists_the_settings(dwell):
    page = (SOURCE / "docs" / "settings.md").read_text(encoding="utf-8")
    begin, end = "<!-- settings:begin -->", "<!-- settings:end -->"
    assert page.count(begin) == page.count(end) == 1
    block = page[page.index(begin) + len(begin):page.index(end)].strip("\n")
    assert block == dwell.run("config", "--docs").out.strip("\n"), (
        "run: scripts/regenerate-docs BINARY")


@pytest.mark.parametrize("flags, environment, toml", [
    (["--kafka-extra", "sasl.password=a=b"], {}, ""),
    ([], {"DWELL_KAFKA_EXTRA_SASL_PASSWORD": "a=b"}, ""),
    ([], {"DWELL_CONFIG": "d.toml"}, 'kafka.extra.sasl.password = "a=b"'),
    ([], {"DWELL_CONFIG": "d.toml"}, '[kafka.extra]\n"sasl.password" = "a=b"'),
])
def test_settings_of_librdkafka_are_taken_and_never_shown(dwell, flags, environment, toml):
    dwell.write("d.toml", toml)
    value, place = effective(dwell, *flags, **environment)["kafka.extra.sasl.password"]
    assert value == "***" and place != "default"
    refused = dwell.run("clean", "--kafka-extra", "no.such.setting=hush", status=2)
    assert "no.such.setting" in refused.err and "hush" not in refused.err


def test_help_lists_every_setting_with_its_default(dwell):
    of_replay = dwell.run("replay", "--help").out
    of_run = dwell.run("run", "--help").out
    of_clean = dwell.run("clean", "--help").out
    of_store = dwell.run("store", "--help").out
    of_serve = dwell.run("serve", "--help").out
    everything = dwell.run("config", "--help").out
    for row in dwell.run("config", "--docs").out.splitlines()[2:]:
        _, key, variable, flag, default, *_ = (cell.strip(" `") for cell in row.split("|"))
        assert flag in everything and f"default {default}]" in everything
        assert variable == "DWELL_" + key.upper().replace(".", "_")
        is_of_kafka = key.startswith(("brokers", "kafka.", "topics.", "instance.", "clean.", "checkpoint.",
                                      "input.partitioned_by", "input.keys"))
        is_of_file = key.startswith(("db.", "rejects."))
        is_of_database = key.startswith(("database.", "store."))
        is_of_serve = key.startswith("serve.")
        is_of_http = key.startswith("http.")
        is_of_services = key.startswith(("log.", "ready.", "telemetry."))
        assert flag in of_run
        assert (flag in of_replay) == (not is_of_kafka and not is_of_database and not is_of_http
                                       and not is_of_serve and not is_of_services)
        assert (flag in of_clean) == (not is_of_file and not is_of_database and not is_of_http
                                      and not is_of_serve)
        assert (flag in of_serve) == (is_of_http or is_of_serve or key.startswith(
            ("brokers", "kafka.", "topics.input", "topics.keyed", "topics.cleaned", "input.",
             "clean.group", "database.", "log.", "telemetry.")))
        assert (flag in of_store) == (is_of_database or key.startswith(
            ("brokers", "kafka.", "topics.cleaned", "topics.state", "topics.rejected", "instance.", "batch.",
             "clean.session_timeout", "input.max_record", "log.", "ready.", "telemetry.")))
