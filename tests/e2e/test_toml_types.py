"""Every setting x every type of TOML: a value is taken as what its author meant, or refused with the
line and the mend; and what could only fail later is found by `dwell check`."""

import re

import pytest

# type: (values, what a message calls it)
TYPES = {
    "date": (["1979-05-27", "07:32:00", "1979-05-27T07:32:00Z"], "is a date or time"),
    "table": (["{ a = 1 }", "{}"], "is a table"),
    "list": (["[1]", "[[]]", "[{ a = 1 }]", "[1979-05-27]", "[true]", "[]"], "is a list"),
    "texts": (['["127.0.0.1:1", "127.0.0.1:2"]'], "is a list"),
    "truth": (["true", "false"], "is true or false"),
    "number": (["5", "-1", "0x10", "1.5", "inf", "nan"], "is a number"),
}
TEXTS = ("db.path", "http.listen", "http.hosts", "brokers", "topics.", "instance.", "clean.group", "clean.listen",
         "database.url", "store.group", "store.listen", "input.device_id", "input.event_type",
         "input.time_zone", "input.timestamp", "input.enter", "input.exit")
LISTS = ("brokers", "input.enter")
POINTERS = ("input.device_id", "input.event_type", "input.timestamp")


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    from dwell_cli import Dwell
    page = Dwell(tmp_path_factory.mktemp("keys")).run("config", "--docs").out
    return [row.split("|")[1].strip(" `") for row in page.splitlines()[2:]]


def member(key):
    return key.replace(".NAME", ".client.id")


def problems(dwell, toml):
    """{line: message} of a file."""
    dwell.write("d.toml", toml)
    said = dwell.run("check", "d.toml", status=2).err.splitlines()
    assert len(said) == len(set(said))
    return {int(re.match(r"dwell: d\.toml:(\d+): ", line)[1]): line for line in said}


@pytest.mark.parametrize("kind", ["date", "table", "list", "texts"])
def test_what_is_neither_text_nor_number_is_never_taken_for_one(dwell, keys, kind):
    values, called = TYPES[kind]
    for value in values:
        # What both of enter and exit have, cannot be.
        wrong = [key for key in keys if kind != "texts" or key != "input.exit"]
        found = problems(dwell, "".join(f"{member(key)} = {value}\n" for key in wrong))
        for line, key in enumerate(wrong, 1):
            if kind == "texts" and key in LISTS:
                assert line not in found
            elif kind == "texts" and key == "http.hosts":  # a list, of names without ports
                assert 'http.hosts = "127.0.0.1:1,127.0.0.1:2": expected ' in found[line]
            elif kind == "texts" and key in POINTERS:
                assert f'{key} = "127.0.0.1:1,127.0.0.1:2": expected ' in found[line]
            elif kind == "table" and key.endswith(".NAME"):  # names may have dots
                assert line not in found or "client.id" in found[line]
            else:
                assert member(key) in found[line] and called in found[line], found[line]
                assert "expected " in found[line]


@pytest.mark.parametrize("kind", ["truth", "number"])
def test_a_text_is_in_quotes(dwell, keys, kind):
    """A number is taken where one is meant, and judged there."""
    values, called = TYPES[kind]
    texts = [key for key in keys if key.startswith(TEXTS) and key != "input.device_id_case"]
    others = [key for key in keys if key not in texts and not key.endswith(".NAME")]
    for value in values:
        found = problems(dwell, "".join(f"{key} = {value}\n" for key in texts))
        for line, key in enumerate(texts, 1):
            assert key in found[line] and called in found[line] and "expected " in found[line]
            assert "write it" in found[line]
        if kind == "truth":
            found = problems(dwell, "".join(f"{key} = {value}\n" for key in others))
            for line, key in enumerate(others, 1):
                assert f'{key} = "{value}": expected ' in found[line]


def test_a_list_of_texts_is_one_of_commas(dwell):
    dwell.write("d.toml", 'brokers = ["a:9092", "b:9092"]\n')
    assert 'brokers = "a:9092,b:9092"  # d.toml:1' in dwell.run("config", "--config", "d.toml").out
    dwell.run("check", "d.toml")
    for value in ("[]", '["a:1", 2]', '["a:1,b:1"]', '["a:1", ["b:1"]]', '[""]'):
        assert "brokers" in problems(dwell, f"brokers = {value}\n")[1]


def test_a_secret_is_not_shown_whatever_its_type(dwell):
    for key in ("database.url", "kafka.extra.sasl.password"):
        for value in ('["hush"]', '{ hush = 1 }', '[["hush"]]'):
            dwell.write("d.toml", f"{key} = {value}\n")
            said = dwell.run("check", "d.toml", status=2).err
            assert "d.toml:1" in said and "hush" not in said.replace("password.hush", "")


def test_numbers_and_truths_of_librdkafka_need_no_quotes(dwell):
    dwell.write("d.toml", "[kafka.extra]\nenable.ssl.certificate.verification = false\n"
                          'socket.timeout.ms = 1000\nclient.id = "me"\n')
    dwell.run("check", "d.toml")


@pytest.mark.parametrize("key, value", [
    *((key, value) for key in ("http.listen", "clean.listen", "store.listen")
      for value in ("nonsense", "8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "a.b:80",
                    ":80", "[::1", "127.0.0.1:80x", "127.0.0.1:-1", r"127.0.0.1\u0000:80", "")),
    ("http.listen", "off"),
    *((key, value) for key in ("db.path", "instance.folder")
      for value in ("", r"a\u0000b", "x" * 4096)),
    *((f"topics.{name}", value) for name in ("input", "keyed", "cleaned", "state", "rejected")
      for value in ("", ".", "..", "a b", "a/b", "ü", "x" * 250, r"a\u0000b", "a\\nb")),
    *((key, value) for key in ("clean.group", "store.group")
      for value in ("", "x" * 201, r"a\u0000b", "a\\nb", r"a\u202Eb")),
    *(("instance.id", value) for value in ("", "a b", "x" * 201, r"a\u0000b")),
    *(("brokers", value) for value in ("", ",", "a:1,", "a:1,,b:1", "a:0", "a:65536", "a:b", "a b",
                                       r"a\u0000:1", "postgresql://u:p@h/d")),
    *((key, value) for key in ("clean.session_timeout", "http.body_timeout", "checkpoint.interval")
      for value in ("", "5", "1 s", "-1s", "1y", "99999999d", r"1s\u0000")),
    ("database.url", ""), ("database.url", r"host=a\u0000b"),
    ("kafka.extra.no.such.setting", "x"), ("kafka.extra.socket.timeout.ms", "never"),
    ("kafka.extra.security.protocol", "nope"), ("kafka.extra.client.id", r"a\u0000b"),
])
def test_what_would_fail_later_is_found_by_check(dwell, key, value):
    assert key in problems(dwell, f'{key} = "{value}"\n')[1]


@pytest.mark.parametrize("key, values", [
    ("http.hosts", ["none", "a.example", "a.example,b.example"]),
    ("http.listen", ["localhost:80", "[::1]:0", "0.0.0.0:65535"]), ("clean.listen", ["off", "127.0.0.1:1"]),
    ("brokers", ["a", "a:1", "a:1,b:2", "a:1, b:2", "[::1]:9092", "SSL://a.b-c_d:1"]),
    ("topics.input", ["x" * 249, "a.b-c_D9"]), ("clean.group", ["my group", "日本", "x" * 200]),
    ("db.path", ["a b", "日本.db", ":memory:"]), ("instance.id", ["auto", "pod-0"]),
    ("database.url", ["default", "postgresql://u:p@h/d", "host=h dbname=d"])])
def test_what_works_passes(dwell, key, values):
    for value in values:
        dwell.write("d.toml", f'{key} = "{value}"\n')
        dwell.run("check", "d.toml")


def test_two_topics_are_never_one(dwell):
    """The cleaner would read what it writes."""
    names = ("input", "cleaned", "state", "rejected")
    for one in names:
        for other in names:
            if one != other:
                dwell.write("d.toml", f'[topics]\n{one} = "x"\n{other} = "x"\n')
                said = dwell.run("check", "d.toml", status=2).err
                assert f"topics.{one}" in said and f"topics.{other}" in said and "both x" in said
    dwell.run("clean", "--topics-input", "device_events_cleaned", status=2)
