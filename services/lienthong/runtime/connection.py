"""Opens clients of the log's and the projection's servers, none of which repeats what may have been carried out."""

from collections.abc import Callable, Sequence
from pathlib import Path

from redis.asyncio import Redis

from lienthong.runtime.cluster import ClusterRedis
from lienthong.runtime.linked import LinkedRedis
from lienthong.runtime.settings import BadSettings, Settings
from lienthong.runtime.store_address import Access, Address, StoreUrl, Tls, parse_store_url

# A server that fsyncs every write answers within milliseconds; one that stays silent this long is not answering.
ANSWER_TIMEOUT_S = 5.0
# Enough for every partition of the widest stream to be written at once; callers beyond that wait for their turn.
CONNECTIONS_MAX = 32


def connect(socket: Path, *, timeout_s: float = ANSWER_TIMEOUT_S, connections_max: int = CONNECTIONS_MAX) -> Redis:
    """Return a client for the server behind `socket`; nothing is opened before the first command.

    Functions and appends, which are most of what is sent, share one connection; all else takes one from a pool. Close
    it with `aclose()`.
    """
    return LinkedRedis.to(socket, timeout_s=timeout_s, connections_max=connections_max)


def connect_store(
    settings: Settings, socket: Path, libraries: Sequence[str] = (), *, timeout_s: float = ANSWER_TIMEOUT_S
) -> Redis:
    """Return a client of the projection's store: a server elsewhere or a cluster if settings name one, else `socket`.

    A cluster's server that lacks the Functions gets the `libraries` (their sources). Raises `BadSettings` where the
    files of certificates cannot be used; nothing is opened yet.
    """
    if settings.projection_url is None:
        return connect(socket, timeout_s=timeout_s)
    url = parse_store_url(settings.projection_url.get_secret_value())
    access = _access(settings, url)

    def client_of(address: Address, on_lost: Callable[[], None] | None = None) -> LinkedRedis:
        return LinkedRedis.to(
            address, timeout_s=timeout_s, connections_max=CONNECTIONS_MAX, access=access, on_lost=on_lost
        )

    return ClusterRedis(url.servers, client_of, libraries) if url.cluster else client_of(url.servers[0])


async def servers(client: Redis) -> list[tuple[str, Redis]]:
    """Return the servers behind a client that take writes, each with a name to tell them apart ('' for a single one).

    Raises redis.ConnectionError where no server of a cluster answers.
    """
    if not isinstance(client, ClusterRedis):
        return [("", client)]
    return [(str(address), each) for address, each in await client.nodes.primaries()]


def _access(settings: Settings, url: StoreUrl) -> Access:
    """Return how the servers are entered; what has a setting of its own counts before what stands in the address."""
    username, password = settings.projection_username or url.username, settings.projection_password or url.password
    if username is not None and password is None:
        raise BadSettings(("LIENTHONG_PROJECTION_USERNAME needs LIENTHONG_PROJECTION_PASSWORD.",))
    if not url.encrypted:
        return Access(username=username, password=password)
    tls = Tls(
        ca_file=settings.projection_ca_file,
        certificate_file=settings.projection_certificate_file,
        key_file=settings.projection_key_file,
    )
    try:
        context = tls.context()
    except OSError as fault:
        problem = (
            "LIENTHONG_PROJECTION_CA_FILE, _CERTIFICATE_FILE and _KEY_FILE must be readable files in PEM, "
            f"the key being that of the certificate ({type(fault).__name__})."
        )
        raise BadSettings((problem,)) from fault
    return Access(username=username, password=password, tls=tls, context=context)
