"""A store elsewhere is entered over TLS and as a user with few rights; who is not let in is told what to change."""

import re
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import exceptions
from redis.asyncio import Redis

from lienthong.adapters.generations import Generations
from lienthong.adapters.outbox import Message, OutboxCell, SourceMove, load_outbox_functions
from lienthong.adapters.projection import Projection
from lienthong.adapters.projection_reads import CitizenRead, NumberRead, ProjectionReads
from lienthong.adapters.projection_servers import RIGHTS, ProjectionRefused, library_sources
from lienthong.adapters.register_mirror import MirrorEntry, RegisterMirror
from lienthong.runtime.clock import SystemClock
from tests.support.audit_projection import audit_cards
from tests.support.card_facts import usual_card
from tests.support.distributed.certificates import CertificateAuthority, Credentials
from tests.support.distributed.proxy import proxied
from tests.support.distributed.store_cluster import StoreCluster
from tests.support.distributed.store_server import StoreServer
from tests.support.projecting import Projecting
from tests.support.stores import store_at

CELLS = 4
USER, PASSWORD = "service", "open sesame"
LOGIN = {"projection_username": USER, "projection_password": PASSWORD}
WRONG = "LIENTHONG_PROJECTION_USERNAME"


async def served(store: Redis) -> None:
    """Do with the store whatever the service does."""
    projecting = await Projecting.of(store, CELLS)
    await load_outbox_functions(store)
    projecting.publish(usual_card(f"00000{serial:05d}") for serial in range(40))
    await projecting.project()
    assert await audit_cards(projecting.partitions, projecting.projection) == []
    await projecting.projection.mark_incomplete(0)
    await projecting.projection.caught_up(dict.fromkeys(range(CELLS), (0, 1)))
    await ProjectionReads(store, SystemClock(), CELLS).round_trip(
        [NumberRead("0000000001"), CitizenRead("000000000001")]
    )
    mirror = RegisterMirror(store)
    await mirror.append(MirrorEntry(position=1, previous="0-0", batch_id="one", batch=b"{}"))
    assert [entry.position for entry in await mirror.read_after("0-0", block_ms=10)] == [1]
    assert await mirror.read_after("0-1", block_ms=10) == []
    await mirror.caught_up(1, 1)
    assert (await mirror.stands()).entries == 1
    await mirror.clear()
    cell = OutboxCell(store, "lookups-0")
    message = Message(stream="decisions.v1", key="one", value=b"{}")
    await cell.append([message])
    await cell.append_from(SourceMove(expected=0, next=1, ids=(bytes(16),)), [[message]])
    assert await store.xlen("{o.lookups-0}outbox") == 2
    await store.xtrim("{o.lookups-0}outbox", minid="0-9", approximate=False)
    assert (await Generations(store).plan()).current == 1
    await projecting.projection.forget()
    assert await store.ping()


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path)


@pytest.fixture
async def encrypted(store_server: StoreServer, authority: CertificateAuthority) -> AsyncIterator[str]:
    """The address of a server that speaks TLS with those whose certificate is of the same authority."""
    certificate = authority.issue("server")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificate.certificate, certificate.key)
    async with proxied(store_server.port, tls=context) as proxy:
        yield f"rediss://{proxy.address}"


def shown(credentials: Credentials) -> dict[str, Path]:
    """Return the settings with which a client shows its certificate."""
    return {"projection_certificate_file": credentials.certificate, "projection_key_file": credentials.key}


async def test_everything_is_done_over_tls(encrypted: str, authority: CertificateAuthority) -> None:
    client = authority.issue("client")
    async with store_at(encrypted, projection_ca_file=authority.certificate, **shown(client)) as store:
        await served(store)


async def test_a_server_of_another_authority_is_not_trusted(
    encrypted: str, authority: CertificateAuthority, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    stranger = CertificateAuthority(tmp_path / "other")
    client = authority.issue("client")
    for trusted in ({"projection_ca_file": stranger.certificate}, {}):
        async with store_at(encrypted, **trusted, **shown(client)) as store:
            with pytest.raises(exceptions.ConnectionError):
                await store.ping()
            with pytest.raises(exceptions.ConnectionError):
                await store.hget("{1.0}state", "position")


async def test_a_client_that_shows_no_certificate_is_not_let_in(
    encrypted: str, authority: CertificateAuthority
) -> None:
    async with store_at(encrypted, projection_ca_file=authority.certificate) as store:
        with pytest.raises(exceptions.RedisError):
            await store.hget("{1.0}state", "position")


@pytest.mark.parametrize("name", ["projection_ca_file", "projection_certificate_file", "projection_key_file"])
async def test_a_file_that_cannot_be_used_is_refused_before_anything_is_opened(
    authority: CertificateAuthority, tmp_path: Path, name: str
) -> None:
    (tmp_path / "broken.pem").write_text("no certificate", encoding="utf-8")
    given = {"projection_ca_file": authority.certificate, **shown(authority.issue("client"))}
    for file in ("missing.pem", "broken.pem"):
        with pytest.raises(ProjectionRefused, match="_CA_FILE, _CERTIFICATE_FILE and _KEY_FILE"):
            async with store_at("rediss://127.0.0.1:1", **{**given, name: tmp_path / file}):
                pass


@pytest.fixture(params=["server", "cluster"])
def elsewhere(request: pytest.FixtureRequest) -> tuple[str, list[StoreServer]]:
    """The address of a store, and its servers, each with the user that the documentation describes."""
    if request.param == "server":
        server: StoreServer = request.getfixturevalue("store_server")
        return server.url, [server]
    cluster: StoreCluster = request.getfixturevalue("store_cluster")
    return cluster.url, [cluster.nodes[number] for number in cluster.primaries]


@pytest.fixture
def users(elsewhere: tuple[str, list[StoreServer]]) -> Iterator[Any]:
    """Give the user of the tests rights on every server."""
    _, servers = elsewhere

    def granted(*rights: str) -> None:
        for server in servers:
            server.ask("ACL", "SETUSER", USER, "reset", "on", f">{PASSWORD}", *rights)

    granted(*RIGHTS.split())
    yield granted
    for server in servers:
        server.ask("ACL", "DELUSER", USER)


@pytest.mark.usefixtures("users")
async def test_the_documented_rights_are_enough(elsewhere: tuple[str, list[StoreServer]]) -> None:
    url, _ = elsewhere
    async with store_at(url, **LOGIN) as store:
        await served(store)


def test_the_documented_rights_are_those_to_every_command_that_a_function_calls(store_server: StoreServer) -> None:
    granted = [right.removeprefix("+") for right in RIGHTS.split() if right.startswith("+")]
    categories = [right.removeprefix("@") for right in granted if right.startswith("@")]
    listed = [store_server.ask("COMMAND", "LIST", "FILTERBY", "ACLCAT", each) for each in categories]
    allowed = {name.decode() for names in listed if isinstance(names, list) for name in names} | set(granted)
    called = {name.lower() for text in library_sources() for name in re.findall(r"redis\.p?call\('(\w+)'", text)}
    assert {"hset", "time"} <= called
    # Of a command with parts, the rights to the command as a whole stand for the rights to each.
    assert {name for name in called if not any(each.split("|")[0] == name for each in allowed)} == set()


@pytest.mark.usefixtures("users")
async def test_a_wrong_password_is_refused_with_what_to_set(elsewhere: tuple[str, list[StoreServer]]) -> None:
    url, _ = elsewhere
    async with store_at(url, projection_username=USER, projection_password="wrong") as store:  # noqa: S106 -- of a test
        with pytest.raises(ProjectionRefused, match=WRONG):
            await Projection(store, CELLS).open()


@pytest.mark.parametrize("missing", ["function|load", "config|get", "fcall", "fcall_ro", "@read"])
async def test_a_user_who_lacks_a_right_is_told_which_to_grant(
    elsewhere: tuple[str, list[StoreServer]], users: Any, missing: str
) -> None:
    url, _ = elsewhere
    users(*RIGHTS.split(), f"-{missing}")
    async with store_at(url, **LOGIN) as store:
        with pytest.raises(ProjectionRefused, match=r"ACL SETUSER|allow CONFIG GET"):
            await Projection(store, CELLS).open()
