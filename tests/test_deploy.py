"""The container files keep what the documents promise: loopback only, no root, nothing writable but the data."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from lienthong.adapters.projection_servers import RIGHTS
from lienthong.runtime.server_spec import ServerSpec
from lienthong.runtime.settings import PREFIX, Settings, load

ROOT = Path(__file__).parent.parent
COMPOSE = (ROOT / "deploy/compose.yaml").read_text(encoding="utf-8")
DISTRIBUTED = (ROOT / "deploy/compose.distributed.yaml").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")
README = (ROOT / "deploy/README.md").read_text(encoding="utf-8")

IMAGE = "lienthong:0.1.0"


def services(text: str) -> dict[str, dict[str, Any]]:
    return dict(YAML(typ="safe").load(text)["services"])


EMBEDDED, COUNTRY = services(COMPOSE), services(DISTRIBUTED)
OURS = {name: each for name, each in (EMBEDDED | COUNTRY).items() if each["image"] == IMAGE}


def test_every_port_is_published_on_the_loopback_address_alone() -> None:
    published = [port for each in (EMBEDDED | COUNTRY).values() for port in each.get("ports", ())]
    assert sorted(published) == [
        "127.0.0.1:8080:8080",
        "127.0.0.1:8080:8080",
        "127.0.0.1:8081:8081",
        "127.0.0.1:8081:8081",
        "127.0.0.1:8082:8080",
    ]
    assert "network_mode" not in COMPOSE + DISTRIBUTED


def test_servers_are_on_a_network_that_nothing_outside_reaches() -> None:
    networks = YAML(typ="safe").load(DISTRIBUTED)["networks"]
    assert networks["inside"] == {"internal": True}
    for name, each in COUNTRY.items():
        reachable = set(each["networks"]) - {"inside"}
        assert bool(reachable) == bool(each.get("ports")), name


@pytest.mark.parametrize("name", OURS)
def test_a_container_of_ours_may_do_no_more_than_it_needs(name: str) -> None:
    assert OURS[name]["read_only"] is True
    assert OURS[name]["cap_drop"] == ["ALL"]


def test_no_container_may_gain_rights() -> None:
    for name, each in (EMBEDDED | COUNTRY).items():
        assert each["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in each


def test_a_country_has_three_brokers_two_of_each_busy_process_and_one_that_makes_topics() -> None:
    kinds = [each["command"][1] for each in COUNTRY.values() if each["image"] == IMAGE]
    assert sorted(kinds) == ["lookup", "lookup", "monitor", "projector", "projector", "topics"]
    assert [each["environment"]["KAFKA_NODE_ID"] for name, each in COUNTRY.items() if name.startswith("kafka")] == [
        1,
        2,
        3,
    ]


def test_processes_of_a_country_share_their_settings_and_have_names_of_their_own() -> None:
    environments = {name: dict(each["environment"]) for name, each in COUNTRY.items() if each["image"] == IMAGE}
    names = [each.pop(f"{PREFIX}INSTANCE", None) for each in environments.values()]
    assert len(set(names)) == len(names)
    own = {f"{PREFIX}HOST", f"{PREFIX}INSECURE_LISTEN"}
    shared = [{name: value for name, value in each.items() if name not in own} for each in environments.values()]
    assert all(each == shared[0] for each in shared)


@pytest.mark.parametrize("name", [name for name, each in COUNTRY.items() if each["image"] == IMAGE])
def test_the_settings_written_out_are_settings_that_can_be_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in COUNTRY[name]["environment"].items():
        filled = "YWJj" * 10 + "YWI=" if variable == f"{PREFIX}MASTER_KEY" else re.sub(r"\$\{[^}]*\}", "abc", value)
        monkeypatch.setenv(variable, filled)
    settings = load()
    assert settings.kafka_servers == "kafka-1:9092,kafka-2:9092,kafka-3:9092"
    assert settings.card_partitions == Settings.model_fields["card_partitions"].default


def test_no_secret_is_written_into_a_file() -> None:
    for line in DISTRIBUTED.splitlines():
        if re.search(r"PASSWORD|MASTER_KEY|user \w+ on >", line):
            assert "${" in line, line


def test_the_store_of_a_country_is_set_as_the_embedded_one_and_its_user_has_the_rights_that_are_needed() -> None:
    written = YAML(typ="safe").load(DISTRIBUTED)["configs"]["store"]["content"]
    ours = ServerSpec(name="store", data=Path(), run=Path(), socket=Path(), binary=None).configuration()
    for option in ("appendfsync", "maxmemory-policy", "hash-max-listpack-value", "hash-max-listpack-entries"):
        (value,) = re.findall(rf'^{option} "(.*)"$', ours, re.MULTILINE)
        assert f"{option} {value}\n" in written
    assert "user default off\n" in written
    assert written.rstrip().endswith(f"}} {RIGHTS}")
    assert RIGHTS in README


def test_every_setting_is_told_of_once_and_nothing_else_is() -> None:
    rows = [
        line.partition("|")[2].partition("|")[0] for line in README.splitlines() if line.startswith("| `LIENTHONG_")
    ]
    told = [name for row in rows for name in re.findall(r"`LIENTHONG_([A-Z_]+)`", row)]
    assert sorted(told) == sorted(name.upper() for name in Settings.model_fields)
    mentioned = set(re.findall(rf"{PREFIX}([A-Z_]+)\b", README + COMPOSE + DISTRIBUTED + DOCKERFILE))
    assert {name.strip("_").lower() for name in mentioned} <= set(Settings.model_fields)


def test_the_last_user_is_not_root_and_the_service_is_process_one() -> None:
    users = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
    assert users[-1] == "10001:10001"
    command = re.findall(r"^CMD (.*)$", DOCKERFILE, re.MULTILINE)[-1]
    assert command.startswith('["lienthong", "up", "--insecure-listen"')


def test_every_image_has_a_named_version() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert bases == ["python:3.11-slim-bookworm"] * 2
    for each in (EMBEDDED | COUNTRY).values():
        assert re.search(r":\d+\S*$", each["image"]), each["image"]


def test_the_build_context_holds_what_is_copied_and_no_more() -> None:
    allowed = {
        line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"
    }
    sources = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    assert {name for line in sources for name in line.split()} == allowed
