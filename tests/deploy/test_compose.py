"""deploy/: the compose file and the Dockerfile, as far as can be said without a Docker engine."""

import os
import pathlib
import re
import subprocess

import pytest

from dwell_cli import Dwell, binary
from kafka_fixtures import ROOT

import yaml  # noqa: E402 - the import above makes it findable

DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
PYTHON = ROOT / "build" / "python" / "bin"
VARIABLE = re.compile(r"\$(?:\$|\{(\w+)(?::-([^}]*))?\})")
PROFILES = {"store": {"kafka", "postgres", "kafka-ui", "topics", "dwell"},
            "connect": {"kafka", "postgres", "kafka-ui", "topics-beside-connect",
                        "dwell-beside-connect", "connect"},
            "observe": {"kafka", "postgres", "kafka-ui", "topics", "dwell-observed", "collector",
                        "prometheus", "grafana"}}
PORTS = {"store": {9092, 5432, 10015, 8080}, "connect": {9092, 5432, 10015, 8080, 8083},
         "observe": {9092, 5432, 10015, 8080, 9090, 3000}}
# What each image has to look after itself with, seen in its own build file.
TOOLS = {"apache/kafka": "bash", "dwell-connect": "bash", "dwell": "curl",
         "kafbat/kafka-ui": "wget", "timescale/timescaledb": "pg_isready",
         "prom/prometheus": "wget", "grafana/grafana": "curl"}
BARE = {"collector"}  # nothing but the program is in its image


def resolve(value, variables):
    """As compose does it, for the forms that the file uses; anything else fails."""
    if isinstance(value, dict):
        return {name: resolve(one, variables) for name, one in value.items()}
    if isinstance(value, list):
        return [resolve(one, variables) for one in value]
    if not isinstance(value, str):
        return value
    assert "$" not in VARIABLE.sub("", value), value

    def replace(match):
        if match[0] == "$$":
            return "$"
        assert match[2] is not None, f"{match[0]} has no default"
        return variables.get(match[1]) or match[2]

    return VARIABLE.sub(replace, value)


def services(profile="store", **variables):
    found = resolve(yaml.safe_load(COMPOSE.read_text()), variables)["services"]
    return {name: one for name, one in found.items() if profile in one.get("profiles", [profile])}


def example():
    lines = (DEPLOY / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def every_service():
    return [(profile, name) for profile in PROFILES for name in sorted(PROFILES[profile])]


def dwells(profile, **variables):
    return {name: one for name, one in services(profile, **variables).items()
            if one["image"] == "dwell:local"}


def roles(service):
    command = service["command"]
    return set(command[command.index("--roles") + 1].split(",")) if command[0] == "run" else set()


def test_it_is_valid():
    done = subprocess.run([PYTHON / "python", "-m", "check_jsonschema", "--builtin-schema",
                           "vendor.compose-spec", COMPOSE], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("profile", PROFILES)
def test_the_services_of_a_profile(profile):
    found = services(profile)
    assert set(found) == PROFILES[profile]
    for service in found.values():
        assert set(service.get("depends_on", {})) <= set(found)


@pytest.mark.parametrize("profile, name", every_service())
def test_a_service_has_a_health_check_or_ends(profile, name):
    service = services(profile)[name]
    users = [one["depends_on"][name]["condition"] for one in services(profile).values()
             if name in one.get("depends_on", {})]
    if name.startswith("topics"):
        assert service["restart"] == "no" and "healthcheck" not in service
        assert users == ["service_completed_successfully"]
        return
    assert service["restart"] == "unless-stopped" and service["stop_grace_period"]
    assert set(users) <= {"service_healthy"}
    if name in BARE:
        assert "healthcheck" not in service and not users
        return
    check = service["healthcheck"]
    assert {"interval", "timeout", "retries", "start_period"} <= set(check)
    kind, *command = check["test"]
    assert kind in ("CMD", "CMD-SHELL")
    assert command[0].split()[0] == TOOLS[service["image"].split(":")[0]]


@pytest.mark.parametrize("profile, name", every_service())
def test_images_are_pinned(profile, name):
    service = services(profile)[name]
    if "build" in service:
        assert service["image"].endswith(":local")
        assert (DEPLOY / service["build"]["context"]).resolve() == ROOT
        stages = (ROOT / service["build"]["dockerfile"]).read_text()
        assert f" AS {service['build']['target']}\n" in stages
    else:
        assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+\.\d+(-pg\d+)?", service["image"])


def test_base_images_are_pinned_and_kafka_is_the_one_of_the_tests():
    text = (DEPLOY / "Dockerfile").read_text()
    stages = set(re.findall(r" AS (\S+)$", text, re.M))
    images = set(re.findall(r"^FROM (\S+)", text, re.M)) - stages
    assert all(re.search(r":\d+\.\d+", image) for image in images), images
    version = re.search(r"<kafka.version>(.*)<", (ROOT / "tests/kafka/pom.xml").read_text())[1]
    assert f"apache/kafka:{version}" in images
    assert services()["kafka"]["image"] == f"apache/kafka:{version}"


@pytest.mark.parametrize("profile", PROFILES)
def test_the_ports_are_those_promised_and_open_to_this_machine_alone(profile):
    published = [port for one in services(profile).values() for port in one.get("ports", [])]
    hosts, ours, _ = zip(*(port.split(":") for port in published))
    assert set(hosts) == {"127.0.0.1"}
    assert sorted(map(int, ours)) == sorted(PORTS[profile])


def test_kafka_tells_each_side_an_address_that_it_reaches():
    kafka = services()["kafka"]
    told = dict(one.split("://") for one in
                kafka["environment"]["KAFKA_ADVERTISED_LISTENERS"].split(","))
    assert told == {"NETWORK": "kafka:29092", "HOST": "localhost:9092"}
    bound = dict(one.split("://:") for one in kafka["environment"]["KAFKA_LISTENERS"].split(","))
    assert all(address.endswith(":" + bound[name]) for name, address in told.items())
    assert kafka["ports"] == [f"127.0.0.1:9092:{bound['HOST']}"]


def test_data_is_in_volumes_with_names():
    whole = yaml.safe_load(COMPOSE.read_text())
    assert set(whole["volumes"]) == {"kafka-data", "postgres-data", "dwell-data",
                                     "prometheus-data"}
    kafka = whole["services"]["kafka"]
    assert f"kafka-data:{kafka['environment']['KAFKA_LOG_DIRS']}" in kafka["volumes"]
    for service in whole["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in whole["volumes"] or (DEPLOY / source).exists(), volume


def test_the_profile_connect_has_no_store_of_dwell():
    assert [roles(one) for one in dwells("store").values()] == [set(), {"clean", "store", "serve"}]
    assert [roles(one) for one in dwells("connect").values()] == [set(), {"clean", "serve"}]


def test_the_profile_observe_is_the_profile_store_that_is_looked_at():
    store, observed = services("store"), services("observe")
    dwell, plain = observed["dwell-observed"], store["dwell"]
    told = dict(dwell["environment"])
    endpoint = told.pop("OTEL_EXPORTER_OTLP_ENDPOINT")
    assert told == plain["environment"] and dwell["command"] == plain["command"]
    assert dwell["depends_on"] == plain["depends_on"]
    collector = yaml.safe_load((DEPLOY / "observe" / "collector.yaml").read_text())
    listens = collector["receivers"]["otlp"]["protocols"]["http"]["endpoint"]
    assert endpoint == f"http://collector:{listens.rpartition(':')[2]}"
    scraped = yaml.safe_load((DEPLOY / "observe" / "prometheus.yaml").read_text())
    targets = [target for job in scraped["scrape_configs"]
               for one in job["static_configs"] for target in one["targets"]]
    port = dwell["environment"]["DWELL_HTTP_LISTEN"].rpartition(":")[2]
    assert targets == [f"dwell:{port}", "collector:8888"]
    assert dwell["networks"] == {"default": {"aliases": ["dwell"]}}
    source = (DEPLOY / "observe/provisioning/datasources/prometheus.yaml").read_text()
    assert yaml.safe_load(source)["datasources"][0]["url"] == "http://prometheus:9090"


def test_the_rows_of_the_profile_connect_are_never_taken_back():
    """Which its sink could not do."""
    assert {one["environment"]["DWELL_ORDER_MODE"] for one in dwells("connect").values()} == {
        "arrival"}
    assert all("DWELL_ORDER_MODE" not in one["environment"] for one in dwells("store").values())


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("variables", [{}, {
    "KAFKA_BROKER": "other:1", "KAFKA_DEVICE_EVENTS_TOPIC": "in",
    "KAFKA_DEVICE_EVENTS_CLEANED_TOPIC": "out",
    "KAFKA_DEVICE_EVENTS_CLEANED_COMPACTED_TOPIC": "states"}])
def test_dwell_knows_its_settings(tmp_path, profile, variables):
    for service in dwells(profile, **variables).values():
        given = {name: value for name, value in service["environment"].items()
                 if name.startswith("DWELL_")}
        inside = given["DWELL_CONFIG"]
        assert f"./dwell.toml:{inside}:ro" in service["volumes"]
        shown = Dwell(tmp_path).run("config", **{**given, "DWELL_CONFIG":
                                                 os.fspath(DEPLOY / "dwell.toml")}).out
        for name, value in given.items():
            if name != "DWELL_CONFIG":
                line = rf'= "{re.escape(value)}"  # environment {name}$'
                assert re.search(line, shown, re.M), (name, shown)
        assert re.search(r'^instance.id = "dwell-1"  # \S*dwell.toml:\d+$', shown, re.M), shown
        if variables:
            assert set(variables.values()) <= set(given.values())


def test_the_example_lists_each_variable_with_its_default():
    used = {name: default for name, default in VARIABLE.findall(COMPOSE.read_text()) if name}
    given = example()
    assert given.pop("COMPOSE_PROFILES") == "store"
    assert given == used
    assert services(**given) == services()


def test_all_sides_know_the_same_names():
    found = services("connect", DB_USER="u", DB_PASSWORD="p@/:w", DB_NAME="n",
                     KAFKA_DEVICE_EVENTS_CLEANED_TOPIC="out")
    database, dwell, sink = (found[name]["environment"]
                             for name in ("postgres", "dwell-beside-connect", "connect"))
    assert {"POSTGRES_USER": "u", "POSTGRES_PASSWORD": "p@/:w",
            "POSTGRES_DB": "n"}.items() <= database.items()
    assert {"PGUSER": "u", "PGPASSWORD": "p@/:w", "PGDATABASE": "n"}.items() <= dwell.items()
    assert {"SINK_DATABASE_USER": "u", "SINK_DATABASE_PASSWORD": "p@/:w"}.items() <= sink.items()
    assert "/n?" in sink["SINK_DATABASE_URL"]
    assert sink["SINK_TOPIC"] == dwell["DWELL_TOPICS_CLEANED"] == "out"
    assert sink["SINK_BROKERS"] == dwell["DWELL_BROKERS"]


def test_connect_gets_what_its_files_read():
    connect = services("connect")["connect"]
    files = [DEPLOY / "connect" / name for name in ("worker.properties", "sink.properties")]
    text = "".join(line for path in files for line in path.read_text().splitlines(True)
                   if not line.startswith("#"))
    read = set(re.findall(r"\$\{env:(\w+)\}", text))
    assert read == {name for name in connect["environment"] if name.startswith("SINK_")}
    command = re.search(r"^CMD (\[.*connect-standalone.*\])$",
                        (DEPLOY / "Dockerfile").read_text(), re.M)
    assert [path.name for path in files] == yaml.safe_load(command[1])[1:]
    assert "./connect:/etc/connect:ro" in connect["volumes"]


def test_the_dockerfile_is_clean():
    """But for versions of Debian's packages, which a stable release keeps by itself."""
    done = subprocess.run([PYTHON / "hadolint", "--ignore", "DL3008", DEPLOY / "Dockerfile"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_the_dockerfile_copies_is_there():
    text = (DEPLOY / "Dockerfile").read_text()
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.M):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists() and source not in ignored, line


def test_the_image_has_the_libraries_of_the_binary():
    """Those linked to directly; their packages bring what they need themselves."""
    if not pathlib.Path("/etc/debian_version").read_text().startswith("12."):
        pytest.skip("SKIP: the image is Debian 12")
    stage = re.search(r"AS dwell\n.*?apt-get install([^&]*)&&",
                      (DEPLOY / "Dockerfile").read_text(), re.S)[1]
    installed = set(stage.replace("\\", " ").split())
    linked = subprocess.run(["ldd", binary()], capture_output=True, text=True, check=True).stdout
    places = dict(re.findall(r"^\s+(\S+) => (\S+) ", linked, re.M))
    head = subprocess.run(["objdump", "-p", binary()], capture_output=True, text=True, check=True)
    needed = re.findall(r"^ +NEEDED +(\S+)$", head.stdout, re.M)
    always = {"libc6", "libgcc-s1", "libstdc++6"}  # come with those that are named
    paths = [os.path.realpath(places[name]).removeprefix("/usr") for name in needed]
    # Debian's list names a file under /lib or /usr/lib, which are one folder.
    owners = subprocess.run(["dpkg", "-S", *paths, *("/usr" + path for path in paths)],
                            capture_output=True, text=True).stdout
    packages = {line.split(":")[0] for line in owners.splitlines()}
    assert len(owners.splitlines()) == len(set(paths))
    assert packages - always <= installed, packages - always - installed
    assert "tzdata" in installed  # what the library of time zones reads


def test_make_says_when_there_is_no_docker(tmp_path):
    (tmp_path / "docker").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "docker").chmod(0o755)
    for target in ("up", "down"):
        done = subprocess.run(["make", "-s", "-C", ROOT, target], capture_output=True, text=True,
                              env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
        assert done.returncode != 0
        assert done.stderr.splitlines()[0] == ("This needs Docker with its compose plugin; "
                                               "make up-local runs the same system without.")
