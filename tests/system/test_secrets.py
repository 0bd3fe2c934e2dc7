"""No part of a secret is told where servers take part: over HTTP, in the log, on the terminal."""

import uuid

import pytest

from dwell_cli import Dwell
from dwell_service import Service, path_of, post_event, wait_until
from free_ports import free_ports
from postgres_server import PostgresServer

MARK = "SEKRIT"


def everything(service):
    """What anybody can ask for, and what is logged."""
    asked = [service.get(path) for path in ("/readyz", "/metrics", "/health", "/livez", "/presence",
                                            path_of("d"), path_of("d", resource="devices"),
                                            "/presence?after=0:1", "/nothing")]
    asked.append(service.post([post_event("d", "enter", 1)]))
    return "".join(reply.text for reply in asked) + service.log


def stays_silent(service):
    """Until each task said why it cannot work, and had tried again."""
    with service.start(is_ready=False):
        # By the time that the brokers are given up, the others have tried again too.
        wait_until(lambda: "trying again in" in service.log and "no answer from" in service.log)
        said = everything(service)
        service.stop()
    said += service.log
    assert MARK not in said, said
    return said


@pytest.fixture(scope="module")
def locked():
    """(address of a server that wants a password, its user)."""
    server = PostgresServer()
    try:
        server.start()
        from postgres_server import Database
        Database(server.url()).query("CREATE ROLE app LOGIN PASSWORD 'another'")
        rules = server.folder / "data" / "pg_hba.conf"
        rules.write_text("host all app 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
        Database(server.url()).query("SELECT pg_reload_conf()")
        yield f"127.0.0.1:{server.port}", "app"
    finally:
        server.remove()


def told(dwell, *command):
    """What a command says until it ends, or tries again what it cannot."""
    log = dwell.folder / f"{uuid.uuid4().hex}.log"
    with open(log, "wb") as file:
        process = dwell.start(*command, stdout=file, stderr=file)
    try:
        wait_until(lambda: process.poll() is not None or "trying again" in log.read_text())
    finally:
        process.kill()
        process.wait()
    assert process.returncode in (1, 2, -9), process.returncode
    return log.read_text("utf-8", "replace")


def nowhere():
    return f"127.0.0.1:{free_ports(1)[0]}"


@pytest.mark.parametrize("command", ["serve", "store", "run"])
def test_servers_that_are_away(tmp_path, command):
    flags = ["--brokers", nowhere(), "--kafka-extra", "security.protocol=sasl_plaintext",
             "--kafka-extra", "sasl.mechanism=PLAIN", "--kafka-extra", f"sasl.username={MARK}1",
             "--kafka-extra", f"sasl.password={MARK}2"]
    service = Service(tmp_path, *flags, "--database-url",
                      f"postgresql://dwell:{MARK}@{nowhere()}/d", command=command)
    if command == "store":
        process = service.dwell.start("store", *service.flags, "--store-listen", "127.0.0.1:0",
                                      "--instance-id", "one")
        wait_until(lambda: b"trying again in" in process.stderr.readline())
        process.terminate()
        out, err = process.communicate(timeout=60)
        assert MARK not in (out + err).decode("utf-8", "replace")
    else:
        stays_silent(service)


@pytest.mark.parametrize("command", [("serve",), ("store",), ("migrate", "up"), ("migrate", "status")],
                         ids=" ".join)
def test_a_wrong_password(tmp_path, locked, command):
    """Wherever it comes from."""
    address, user = locked
    host, port = address.split(":")
    dwell = Dwell(tmp_path)
    passfile = dwell.write("passfile", f"{host}:{port}:*:{user}:{MARK}\n")
    passfile.chmod(0o600)
    more = ["--brokers", nowhere()] if command[0] in ("serve", "store") else []
    more += ["--listen", "127.0.0.1:0"] if command[0] == "serve" else []
    for url, environment in (
            (f"postgresql://{user}:{MARK}@{address}/postgres", {}),
            (f"host={host} port={port} user={user} password={MARK} dbname=postgres", {}),
            (f"postgresql://{user}@{address}/postgres", {"PGPASSWORD": MARK}),
            (f"postgresql://{user}@{address}/postgres", {"PGPASSFILE": str(passfile)}),
            (f"postgresql://{user}@{address}/postgres?passfile={passfile}", {})):
        said = told(Dwell(tmp_path, DWELL_DATABASE_URL=url, **environment), *command, *more)
        assert MARK not in said and "password" in said, said


def test_brokers_that_refuse_a_login(broker, tmp_path):
    """They do not know SASL at all; librdkafka warns of it with what it was given."""
    for mechanism in ("PLAIN", "SCRAM-SHA-256", f"{MARK}"):
        for command in (["topics", "check"], ["rejects", "ls"], ["topics", "create"]):
            process = Dwell(tmp_path).start(
                *command, "--brokers", broker.address, "--kafka-extra",
                "security.protocol=sasl_plaintext", "--kafka-extra", f"sasl.mechanism={mechanism}",
                "--kafka-extra", f"sasl.username={MARK}1", "--kafka-extra", f"sasl.password={MARK}2")
            try:
                out, err = process.communicate(timeout=60)
            finally:
                process.kill()
            said = (out + err).decode("utf-8", "replace")
            assert process.returncode != 0 and MARK not in said, said


# Of libpq: its reasons hold parts of the address.
@pytest.mark.parametrize("url", [
    f"postgresql://dwell:pa@{MARK}@127.0.0.1/dwell", f"postgresql://dwell:{MARK}@[::1/dwell",
    f"postgresql://dwell:{MARK}%zz@h/d", f"host=h password=my {MARK} dbname=d",
    f"postgresql://dwell:a/{MARK}@127.0.0.1/d", f"postgresql://dwell:a?{MARK}@127.0.0.1/d",
    f"postgresql://dwell:a#{MARK}@127.0.0.1/d", f"postgresql://dwell:{MARK}:5@127.0.0.1/d",
    f"postgresql:/dwell:{MARK}@127.0.0.1/d", f"host=127.0.0.1 passwort={MARK}",
    f"host=127.0.0.1 password='{MARK}", f"postgresql://dwell@127.0.0.1/d?passwort={MARK}"])
def test_addresses_that_libpq_takes_otherwise(tmp_path, url):
    for command in (("serve", "--listen", "127.0.0.1:0", "--brokers", nowhere()), ("migrate", "up")):
        said = told(Dwell(tmp_path, DWELL_DATABASE_URL=url), *command)
        assert said and MARK not in said, said
