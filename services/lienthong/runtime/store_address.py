"""Where a store's servers are and how they are to be reached, read from one setting and those beside it."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

PORT: Final = 6379

#: What each scheme says of a store: whether it is a cluster, and whether its connections are encrypted.
_SCHEMES: Final = {
    "redis": (False, False),
    "rediss": (False, True),
    "redis+cluster": (True, False),
    "rediss+cluster": (True, True),
}


class Address(NamedTuple):
    """A server's host (a name or an IP address) and port; a tuple, for it is looked up at every call."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """The files that encrypted connections are made with; without `ca_file` the system's authorities are trusted."""

    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Read the files. Raises OSError (of which `ssl.SSLError` is one) where they cannot be used."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.certificate_file is not None:
            context.load_cert_chain(self.certificate_file, self.key_file)
        return context


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How every server of a store is entered: as which user, and with which encryption."""

    username: str | None = None
    password: SecretStr | None = None
    tls: Tls | None = None
    context: ssl.SSLContext | None = field(default=None, compare=False, repr=False)

    def introduction(self) -> tuple[str, ...] | None:
        """Return the command by which a connection says who it is, None where nobody asks."""
        if self.password is None:
            return None
        secret = self.password.get_secret_value()
        return ("AUTH", secret) if self.username is None else ("AUTH", self.username, secret)


#: How a server is entered that asks nothing, as an embedded one does.
OPEN: Final = Access()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreUrl:
    """What the setting says: servers to begin with, whether they are a cluster, whether to encrypt, and as whom."""

    servers: tuple[Address, ...]
    cluster: bool
    encrypted: bool
    username: str | None
    password: SecretStr | None


def parse_store_url(url: str) -> StoreUrl:
    """Return what `redis://USER:PASSWORD@HOST:PORT` or `redis+cluster://HOST:PORT,HOST:PORT` says, `rediss` to encrypt.

    User and password may be left out, and a port, which is 6379 then. Raises ValueError for anything else.
    """
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError
    cluster, encrypted = _SCHEMES[parts.scheme]
    who, _, where = parts.netloc.rpartition("@")
    username, _, password = (unquote(part) for part in who.partition(":"))
    servers = tuple(_address(text) for text in where.split(","))
    if (not cluster and len(servers) > 1) or (username and not password):
        raise ValueError
    return StoreUrl(
        servers=servers,
        cluster=cluster,
        encrypted=encrypted,
        username=username or None,
        password=SecretStr(password) if password else None,
    )


def _address(text: str) -> Address:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError
    return Address(parts.hostname, PORT if parts.port is None else parts.port)
