"""No part of a secret is ever told: a marker stands in each, and in nothing that is said of any
failure that needs no server."""

import concurrent.futures

import pytest

MARK = "SEKRIT"
URLS = [f"postgresql://dwell:{MARK}@127.0.0.1:1/d", f"host=127.0.0.1 port=1 password={MARK} dbname=d"]
EXTRA = ["sasl.password", "ssl.key.password", "ssl.keystore.password", "ssl.key.pem",
         "ssl.certificate.pem", "ssl.ca.pem", "ssl.key.location", "ssl.ca.location",
         "ssl.keystore.location", "sasl.mechanism", "sasl.username", "sasl.oauthbearer.config",
         "sasl.oauthbearer.client.secret", "sasl.kerberos.keytab",
         "sasl.kerberos.service.name", "client.id", "client.rack", "ssl.cipher.suites",
         "ssl.curves.list", "ssl.engine.location", "security.protocol", "debug", "group.instance.id"]
COMMANDS = [("run",), ("clean",), ("store",), ("serve",), ("topics", "check"), ("topics", "create"),
            ("topics", "describe"), ("topics", "reset"), ("migrate", "up"), ("migrate", "status"),
            ("migrate", "down"), ("store", "reset"), ("rejects", "ls"), ("rejects", "redrive"),
            ("rejects", "show"), ("replay",), ("timeline",), ("who",), ("config",), ("check",),
            ("generate",), ("version",), ()]


def silent(answer):
    said = answer.raw.decode("utf-8", "replace") + answer.err
    assert MARK not in said, said
    return said


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_what_no_command_takes_is_not_shown(dwell, command):
    url = URLS[0]
    flags = [["--database-ur", url], [f"--database-ur={url}"], [f"-d{url}"], [f"--{url}"],
             ["--password", MARK], [f"--password={MARK}"], ["--kafka-extr", f"sasl.password={MARK}"],
             [f"--kafka-extra.sasl.password={MARK}"], [f"--database-url:{url}"],
             [f"--database-url{url}"]]
    words = [[url], ["migrate", "up", url], ["--", url, url]]
    takes_words = command in (("timeline",), ("check",), ("replay",))
    for wrong in flags + words * (not takes_words):
        silent(dwell.run(*command, *wrong, status=2))


def test_a_mistyped_flag_is_told_by_what_was_meant(dwell):
    assert "did you mean --database-url?" in dwell.run("serve", "--database-ur", "x", status=2).err
    assert "did you mean --brokers?" in dwell.run("clean", "--broker=x", status=2).err
    assert "--database-url is no flag of timeline" in dwell.run(
        "timeline", "d", "--database-url", "x", status=2).err
    assert "argument 3" in dwell.run("who", "--json", "extra", status=2).err


@pytest.mark.parametrize("text", [f"sasl.password:{MARK}", MARK, f"={MARK}", f"{MARK}=1",
                                  f"sasl.password {MARK}", f"sasl.password\n{MARK}=x",
                                  f"no.such.name={MARK}", f"security.protocol={MARK}"])
def test_a_setting_of_librdkafka_that_is_none(dwell, text):
    for command in ("clean", "config"):
        said = silent(dwell.run(command, "--kafka-extra", text, status=2))
        assert "kafka.extra" in said and "expected NAME=VALUE" in said


def test_variables(dwell):
    for name in ("DATABASE_UR", "KAFKA_EXTRA", "KAFKA_EXTRA_", "KAFKA_EXTRA_NO_SUCH", "PASSWORD",
                 "KAFKA_EXTRA_SECURITY_PROTOCOL", "HTTP_LISTEN", "BROKERS", "CLEAN_LISTEN"):
        for value in (URLS[0], f"sasl.password={MARK}@x"):
            silent(dwell.run("config", status=2, **{"DWELL_" + name: value}))
    told = silent(dwell.run("config", DWELL_DATABASE_URL=URLS[0], PGPASSWORD=MARK,
                            DWELL_KAFKA_EXTRA_SASL_PASSWORD=MARK))
    assert told.count("***") == 2


def test_a_secret_that_was_given_to_another_setting(dwell):
    for row in dwell.run("config", "--docs").out.splitlines()[2:]:
        flag, takes_text = row.split("|")[3].strip(" `"), "a path" in row
        if flag not in ("--database-url", "--clean-group", "--store-group", "--input-enter",
                        "--input-exit") and not takes_text:
            silent(dwell.run("config", flag, URLS[0], status=2))


@pytest.mark.parametrize("toml", [
    f"url = {URLS[0]}", f'url = "{URLS[0]}', f"url = '{URLS[0]}", f'url = "a\\{MARK}"',
    f'url = """\n{MARK}', f'url = ["{URLS[0]}"]', f'url = {{ password = "{MARK}" }}',
    f'url = {MARK}', f'url = "x" {MARK}', f'url = "x"\nurl = "{MARK}"', f'"url" "{MARK}"',
    f'url = "{MARK}\x01"', f'url = 5{MARK}', f'url == "{MARK}"', f"url = [ {MARK} ]",
    f'ur = "{MARK}"', f'[url]\nx = "{MARK}"', f'url = "{MARK}\\u0000"', f"url = +{MARK}",
    f"url = tru{MARK}", f"url = 1979-05-27{MARK}"])
@pytest.mark.parametrize("table", ["database", "kafka.extra"])
def test_files(dwell, toml, table):
    dwell.write("d.toml", f"[{table}]\n" + toml.replace("url", "url" if table == "database" else
                                                       "sasl.password", 1) + "\n")
    for command in (("check", "d.toml"), ("config", "--config", "d.toml"),
                    ("serve", "--config", "d.toml")):
        assert "d.toml" in silent(dwell.run(*command, status=2))


def test_files_that_put_a_secret_where_a_name_belongs(dwell):
    for toml in (f'kafka.extra = "sasl.password={MARK}"', f'database = "{URLS[0]}"',
                 f'kafka.extra."sasl.password={MARK}" = 1', f'kafka.extra."{MARK}" = ""'):
        dwell.write("d.toml", toml + "\n")
        silent(dwell.run("check", "d.toml", status=2))


def test_what_config_and_check_show(dwell):
    dwell.write("d.toml", f'database.url = "{URLS[1]}"\n[kafka.extra]\n' +
                "".join(f'"{name}" = "{MARK}"\n' for name in EXTRA
                        if name not in ("security.protocol", "debug", "sasl.oauthbearer.client.secret")))
    assert "***" in silent(dwell.run("config", "--config", "d.toml"))
    silent(dwell.run("check", "d.toml"))


def test_what_librdkafka_says_of_its_settings(dwell):
    """It quotes them, whole and in part, when it starts and when it warns. (Not sasl.kerberos.kinit.cmd:
    that is a command line, and the shell itself says which program it has not.)"""
    def ask(name, protocol, value):
        said = dwell.start("topics", "check", "--brokers", "127.0.0.1:1", "--kafka-extra",
                           f"security.protocol={protocol}", "--kafka-extra", f"{name}={value}")
        out, err = said.communicate(timeout=60)
        assert said.returncode != 0
        return name, protocol, value, (out + err).decode("utf-8", "replace")

    values = [MARK, f"principal=x {MARK}=y", f"first {MARK} last"]
    protocols = {"ssl": ["ssl"], "sasl": ["sasl_plaintext"]}
    cases = [(name, protocol, value) for name in EXTRA for value in values
             for protocol in protocols.get(name.split(".")[0], ["ssl"])]
    with concurrent.futures.ThreadPoolExecutor(36) as pool:
        asked = [pool.submit(ask, *case) for case in cases]
        leaks = [one.result() for one in asked if MARK in one.result()[3]]
    assert not leaks, leaks
