"""Gives each period its key, wrapped by a master key, and destroys each key when its retention ends.

The log does not forget, so personal data leaves it by the destruction of the key that it was encrypted with. A key
must therefore leave the disk for good; how far each place where keys are kept can do that is told there.
"""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lienthong.adapters.key_records import KeyRecord, KeyRecords, KeyStoreRefused
from lienthong.adapters.keys_sqlite import SqliteKeyRecords
from lienthong.runtime.clock import VIETNAM
from lienthong.runtime.datadir import DataDirectory
from lienthong.runtime.settings import Settings
from lienthong_schemas.streams import STREAMS

KEY_BYTES = 32
NONCE_BYTES = 12

Period = Literal["hour", "day", "year"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """What keys are for: a new one each `period`, destroyed when `kept_for` has passed since its period ended."""

    name: str
    period: Period
    kept_for: timedelta


# A card is known by one pseudonym for a year; it can be told no longer than the decisions that carry it are kept.
PSEUDONYM = Purpose(name="pseudonym", period="year", kept_for=timedelta(days=400))

PURPOSES: tuple[Purpose, ...] = (
    *(
        Purpose(name=stream.name, period=stream.sealed_by, kept_for=stream.kept_for)
        for stream in STREAMS
        if stream.sealed_by is not None and stream.kept_for is not None
    ),
    PSEUDONYM,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodKey:
    """A key in the clear, for use in memory alone. It seals from `begins_at` up to before `ends_at`."""

    key_id: str
    begins_at: datetime
    ends_at: datetime
    destroy_at: datetime
    key: bytes


class WrongMasterKey(KeyStoreRefused):
    """The keys were wrapped by another master key than the one that was given."""

    def __init__(self, place: str) -> None:
        super().__init__(f"The keys in {place} were wrapped by another master key; give the one they were made with.")


class MasterKeyMissing(KeyStoreRefused):
    """Several machines share the keys, so none of them may make up a master key of its own."""

    def __init__(self) -> None:
        super().__init__(
            "LIENTHONG_KEYS_URL keeps the keys of several machines, so LIENTHONG_MASTER_KEY must give each the same"
            " master key: 32 random bytes in base64."
        )


class MasterKeyExposed(KeyStoreRefused):
    """Others than the owner may read the master key's file, or it is damaged."""

    def __init__(self, file: Path) -> None:
        super().__init__(f"{file} must hold {KEY_BYTES} bytes that its owner alone can read (chmod 600).")


class KeyStore:
    """The keys of one installation; several processes may have the same records open.

    A use of a key that is in memory costs no input or output; that is the caller's cache (see sealing).
    """

    def __init__(self, records: KeyRecords, master: bytes, purposes: Iterable[Purpose] = PURPOSES) -> None:
        """Take the records, whose keys are wrapped by `master`. Raises WrongMasterKey and KeysAway."""
        self._records = records
        self._purposes = {purpose.name: purpose for purpose in purposes}
        self._master = AESGCM(master)
        newest = records.newest()
        if newest is not None:
            self._unwrapped(newest)

    def close(self) -> None:
        """Let go of the records."""
        self._records.close()

    def current(self, purpose: str, at: datetime) -> PeriodKey:
        """Return the key of the purpose's period that contains `at`, making it if there is none.

        Of processes that make it at the same moment one succeeds, and all get that one. Raises KeyError for an
        unknown purpose, and KeysAway.
        """
        wanted = self._purposes[purpose]
        begins_at, ends_at = _bounds(wanted.period, at)
        found = self._records.of_period(purpose, _seconds(begins_at))
        if found is None:
            key_id = f"{purpose}/{_label(wanted.period, begins_at)}/{secrets.token_hex(4)}"
            made = KeyRecord(
                key_id=key_id,
                purpose=purpose,
                begins_at=_seconds(begins_at),
                ends_at=_seconds(ends_at),
                destroy_at=_seconds(ends_at + wanted.kept_for),
                wrapped=self._wrap(key_id, secrets.token_bytes(KEY_BYTES)),
            )
            self._records.add(made)
            found = self._records.of_period(purpose, made.begins_at)
        assert found is not None, "it was added, or another process's was kept instead"  # noqa: S101  # an invariant
        return self._unwrapped(found)

    def find(self, key_id: str) -> PeriodKey | None:
        """Return the key of that name, None if it was destroyed or never was here. Raises KeysAway."""
        found = self._records.find(key_id)
        return None if found is None else self._unwrapped(found)

    def destroy_expired(self, now: datetime) -> list[str]:
        """Destroy the keys whose retention has ended and return their names. Raises KeysAway."""
        return list(self._records.destroy(_seconds(now)))

    def _wrap(self, key_id: str, key: bytes) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._master.encrypt(nonce, key, key_id.encode())

    def _unwrapped(self, record: KeyRecord) -> PeriodKey:
        nonce, wrapped = record.wrapped[:NONCE_BYTES], record.wrapped[NONCE_BYTES:]
        try:
            key = self._master.decrypt(nonce, wrapped, record.key_id.encode())
        except InvalidTag:
            raise WrongMasterKey(self._records.name) from None
        return PeriodKey(
            key_id=record.key_id,
            begins_at=datetime.fromtimestamp(record.begins_at, UTC),
            ends_at=datetime.fromtimestamp(record.ends_at, UTC),
            destroy_at=datetime.fromtimestamp(record.destroy_at, UTC),
            key=key,
        )


def open_keys(settings: Settings, directory: DataDirectory) -> KeyStore:
    """Open the key store where the settings say: on their server, or in the data directory.

    Raises KeyStoreRefused and KeysAway.
    """
    master = settings.master_key_bytes()
    if settings.keys_url is None:
        return keys_in(directory.keys, master)
    if master is None:
        raise MasterKeyMissing
    from lienthong.adapters.keys_postgres import PostgresKeyRecords  # noqa: PLC0415 -- embedded nobody needs SQLAlchemy

    return _opened(PostgresKeyRecords(settings.keys_url.get_secret_value()), master)


def keys_in(directory: Path, master: bytes | None = None, purposes: Iterable[Purpose] = PURPOSES) -> KeyStore:
    """Open or create `keys.sqlite` in the directory, wrapped by `master` or the directory's `master.key`.

    Raises MasterKeyExposed, WrongMasterKey and KeysAway.
    """
    known = _master_key(directory / "master.key") if master is None else master
    return _opened(SqliteKeyRecords(directory), known, purposes)


def _opened(records: KeyRecords, master: bytes, purposes: Iterable[Purpose] = PURPOSES) -> KeyStore:
    try:
        return KeyStore(records, master, purposes)
    except BaseException:
        records.close()
        raise


def _bounds(period: Period, at: datetime) -> tuple[datetime, datetime]:
    """Return the beginning and the end of the period around `at`; days and years are those of Vietnam."""
    local = at.astimezone(VIETNAM).replace(minute=0, second=0, microsecond=0)
    if period == "hour":
        return local, local + timedelta(hours=1)
    local = local.replace(hour=0)
    if period == "day":
        return local, local + timedelta(days=1)
    first = local.replace(month=1, day=1)
    return first, first.replace(year=first.year + 1)


def _label(period: Period, begins_at: datetime) -> str:
    return begins_at.strftime({"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "year": "%Y"}[period])


def _seconds(at: datetime) -> int:
    return int(at.timestamp())


def _master_key(file: Path) -> bytes:
    """Read the master key, making it first if there is none; of processes that make it at once one succeeds."""
    if not file.exists():
        draft = file.with_name(f"{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as made:
            made.write(secrets.token_bytes(KEY_BYTES))
            made.flush()
            os.fsync(made.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
        draft.unlink()
    key = file.read_bytes()
    if len(key) != KEY_BYTES or stat.S_IMODE(file.stat().st_mode) & 0o077:
        raise MasterKeyExposed(file)
    return key
