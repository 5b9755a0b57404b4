"""Checks the servers behind the projection and equips them with the Functions, each of a cluster's primaries."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from lienthong.runtime.connection import connect_store, servers
from lienthong.runtime.settings import BadSettings, Settings

#: What a user needs who may do what the service does and nothing else, in the words of ACL SETUSER.
RIGHTS: Final = (
    "~{* +@read +@write +@transaction +fcall +fcall_ro +function|load +config|get +ping +time +asking +cluster|slots"
)
#: The Function libraries, each with its version in its own name and those of its Functions: of two versions neither
#: replaces the other, so that processes of both go on, and an older process takes nothing from a newer one.
_LIBRARIES: Final = ("functions.lua", "outbox.lua")

# What servers say where a user may call a Function and not what it does.
_LACKED_BY_A_FUNCTION = ("ACL failure in script", "The user executing the script")
#: A bucket holds some 64 records of up to 255 bytes; a server that unpacks one spends half as much memory again.
_LISTPACK_VALUE_BYTES_MIN = 255
_LISTPACK_ENTRIES_MIN = 128
_POLICY, _VALUE, _ENTRIES = "maxmemory-policy", "hash-max-listpack-value", "hash-max-listpack-entries"


class ProjectionRefused(Exception):
    """The server behind the projection is set up in a way that would lose or bloat it; the text says what to change."""


def library_source(name: str) -> str:
    """Return the source of a Function library, which is a file beside this module."""
    return files("lienthong.adapters").joinpath(name).read_text(encoding="utf-8")


def library_sources() -> tuple[str, ...]:
    """Return the sources of all Function libraries that a server of the projection has."""
    return tuple(library_source(name) for name in _LIBRARIES)


def connect_projection(settings: Settings, socket: Path) -> Redis:
    """Return a client of the projection's store, which is behind `socket` unless the settings say otherwise.

    Nothing is opened before the first command. Raises `ProjectionRefused` where the settings cannot be used.
    """
    try:
        return connect_store(settings, socket, library_sources())
    except BadSettings as fault:
        raise ProjectionRefused(str(fault)) from fault


async def check_server(redis: Redis) -> None:
    """Raise `ProjectionRefused` where a server may evict what was stored, or would unpack its buckets."""
    for name, server in await servers(redis):
        where = f"The projection's server {name}".rstrip()
        try:
            limits = await server.config_get(_POLICY, _VALUE, _ENTRIES)
        except ResponseError as fault:
            message = f"{where} does not show its configuration ({fault}); allow CONFIG GET."
            raise ProjectionRefused(message) from fault
        _check(where, limits)


def _check(where: str, limits: Mapping[str | None, str | None]) -> None:
    policy = limits.get(_POLICY)
    if policy != "noeviction":
        message = f"{where} would evict cards: set {_POLICY} to noeviction, not {policy}."
        raise ProjectionRefused(message)
    for name, least in ((_VALUE, _LISTPACK_VALUE_BYTES_MIN), (_ENTRIES, _LISTPACK_ENTRIES_MIN)):
        value = int(limits.get(name) or 0)
        if value < least:
            message = f"{where} would unpack its buckets: set {name} to {least} or more, not {value}."
            raise ProjectionRefused(message)


async def load_functions(redis: Redis) -> None:
    """Load this version's Functions of the projection, in place of an earlier load of the same version."""
    await redis.function_load(library_source(_LIBRARIES[0]), replace=True)


@asynccontextmanager
async def rights_explained() -> AsyncIterator[None]:
    """Turn a refusal of who we are, or of what we may do, into a `ProjectionRefused` that says what to grant."""
    try:
        yield
    except AuthenticationError as fault:
        message = (
            f"The projection's servers refuse the user ({fault}): set LIENTHONG_PROJECTION_USERNAME and "
            "LIENTHONG_PROJECTION_PASSWORD to those of one that is on and may connect."
        )
        raise ProjectionRefused(message) from fault
    except ResponseError as fault:
        if not isinstance(fault, NoPermissionError) and not any(words in str(fault) for words in _LACKED_BY_A_FUNCTION):
            raise
        message = f"The projection's user lacks a right ({fault}): grant it with ACL SETUSER <user> {RIGHTS}."
        raise ProjectionRefused(message) from fault
