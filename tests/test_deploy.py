"""The container files keep what the documents promise: loopback only, no root, nothing writable but the data."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMPOSE = (ROOT / "deploy/compose.yaml").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")


def test_every_port_is_published_on_the_loopback_address_alone() -> None:
    published = re.findall(r'^ +- "?([0-9.:]+)"?$', COMPOSE, re.MULTILINE)
    assert published == ["127.0.0.1:8080:8080", "127.0.0.1:8081:8081"]
    assert "network_mode" not in COMPOSE


def test_the_container_may_do_no_more_than_it_needs() -> None:
    for line in ("read_only: true", "cap_drop: [ALL]", 'security_opt: ["no-new-privileges:true"]'):
        assert line in COMPOSE
    assert "privileged: true" not in COMPOSE


def test_the_last_user_is_not_root_and_the_service_is_process_one() -> None:
    users = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
    assert users[-1] == "10001:10001"
    command = re.findall(r"^CMD (.*)$", DOCKERFILE, re.MULTILINE)[-1]
    assert command.startswith('["lienthong", "up", "--insecure-listen"')


def test_both_stages_start_from_a_named_version() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert bases == ["python:3.11-slim-bookworm"] * 2


def test_the_build_context_holds_what_is_copied_and_no_more() -> None:
    allowed = {
        line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"
    }
    sources = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    assert {name for line in sources for name in line.split()} == allowed
