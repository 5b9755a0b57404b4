"""Keeps the keys of periods, wrapped by a master key, and destroys each when its retention ends.

The log does not forget, so personal data leaves it by the destruction of the key that it was encrypted with. A key
must therefore leave the disk for good. The SQLite file runs with `secure_delete`, which overwrites deleted content
in the file, and with a rollback journal kept in place (`PERSIST`): a write-ahead log would keep copies of the pages
that held the key until it happens to be overwritten, and a journal that is deleted or truncated gives its blocks,
with those pages in them, back to the file system unchanged. The kept journal is overwritten after each destruction.
"""

import contextlib
import os
import secrets
import sqlite3
import stat
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lienthong.runtime.clock import VIETNAM
from lienthong_schemas.streams import STREAMS

KEY_BYTES = 32
NONCE_BYTES = 12
# Another process holds the file for one commit, which is one fsync.
LOCK_TIMEOUT_S = 10.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS period_keys (
    key_id TEXT PRIMARY KEY,
    purpose TEXT NOT NULL,
    begins_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    destroy_at INTEGER NOT NULL,
    wrapped BLOB NOT NULL,
    UNIQUE (purpose, begins_at)
) STRICT
"""

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


class KeyStoreRefused(Exception):
    """The key store cannot be used; the text says why and what to do."""


class WrongMasterKey(KeyStoreRefused):
    """The keys were wrapped by another master key than the one that was given."""

    def __init__(self, file: Path) -> None:
        super().__init__(f"The keys in {file} were wrapped by another master key; give the one they were made with.")


class KeysAway(OSError):
    """The file of the keys cannot be read or written at this moment; a later attempt may succeed."""

    def __init__(self, file: Path, fault: sqlite3.Error) -> None:
        super().__init__(f"{file}: {fault}")


class MasterKeyExposed(KeyStoreRefused):
    """Others than the owner may read the master key's file, or it is damaged."""

    def __init__(self, file: Path) -> None:
        super().__init__(f"{file} must hold {KEY_BYTES} bytes that its owner alone can read (chmod 600).")


class KeyStore:
    """The keys of one installation; several processes may have the same file open.

    A use of a key that is in memory costs no input or output; that is the caller's cache (see sealing).
    """

    def __init__(self, directory: Path, master: bytes | None = None, purposes: Iterable[Purpose] = PURPOSES) -> None:
        """Open or create `keys.sqlite` in the directory, wrapped by `master` or the directory's `master.key`.

        Raises MasterKeyExposed and WrongMasterKey.
        """
        self._purposes = {purpose.name: purpose for purpose in purposes}
        self._file = directory / "keys.sqlite"
        self._lock = threading.Lock()
        self._master = AESGCM(_master_key(directory / "master.key") if master is None else master)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self._file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        self._database = sqlite3.connect(
            self._file, timeout=LOCK_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        for pragma in ("secure_delete = ON", "journal_mode = PERSIST", "synchronous = FULL"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.execute(_SCHEMA)
        newest = self._database.execute("SELECT key_id FROM period_keys ORDER BY ends_at DESC LIMIT 1").fetchone()
        if newest is not None:
            self.find(newest[0])

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def current(self, purpose: str, at: datetime) -> PeriodKey:
        """Return the key of the purpose's period that contains `at`, making it if there is none.

        Of processes that make it at the same moment one succeeds, and all get that one. Raises KeyError for an
        unknown purpose, and KeysAway.
        """
        wanted = self._purposes[purpose]
        begins_at, ends_at = _bounds(wanted.period, at)
        key_id = f"{purpose}/{_label(wanted.period, begins_at)}/{secrets.token_hex(4)}"
        row = (purpose, _seconds(begins_at), _seconds(ends_at), _seconds(ends_at + wanted.kept_for))
        with self._held():
            found = self._period(purpose, begins_at)
            if found is None:
                self._database.execute(
                    "INSERT INTO period_keys VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (purpose, begins_at) DO NOTHING",
                    (key_id, *row, self._wrap(key_id, secrets.token_bytes(KEY_BYTES))),
                )
                found = self._period(purpose, begins_at)
        assert found is not None, "the row was inserted, or found by its unique period"  # noqa: S101  # an invariant
        return found

    def find(self, key_id: str) -> PeriodKey | None:
        """Return the key of that name, None if it was destroyed or never was here. Raises KeysAway."""
        with self._held():
            row = self._database.execute(
                "SELECT key_id, begins_at, ends_at, destroy_at, wrapped FROM period_keys WHERE key_id = ?", (key_id,)
            ).fetchone()
        return None if row is None else self._unwrapped(row)

    def destroy_expired(self, now: datetime) -> list[str]:
        """Destroy the keys whose retention has ended and return their names.

        1. Delete them, which overwrites them in the file.
        2. Overwrite the journal, which holds the pages as they were.

        Raises KeysAway.
        """
        with self._held():
            gone = self._database.execute(
                "DELETE FROM period_keys WHERE destroy_at <= ? RETURNING key_id", (_seconds(now),)
            ).fetchall()
            if gone:
                self._wipe_journal()
        return [key_id for (key_id,) in gone]

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        """Use the file alone, and speak of its faults in words of our own."""
        with self._lock:
            try:
                yield
            except sqlite3.Error as fault:
                raise KeysAway(self._file, fault) from fault

    def _wipe_journal(self) -> None:
        """Overwrite the journal while no other process can be writing it: the file's lock is held, nothing changed."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            with contextlib.suppress(FileNotFoundError), Path(f"{self._file}-journal").open("r+b") as journal:
                size = journal.seek(0, os.SEEK_END)
                journal.seek(0)
                journal.write(bytes(size))
                journal.flush()
                os.fsync(journal.fileno())
        finally:
            self._database.execute("ROLLBACK")

    def _period(self, purpose: str, begins_at: datetime) -> PeriodKey | None:
        row = self._database.execute(
            "SELECT key_id, begins_at, ends_at, destroy_at, wrapped FROM period_keys"
            " WHERE purpose = ? AND begins_at = ?",
            (purpose, _seconds(begins_at)),
        ).fetchone()
        return None if row is None else self._unwrapped(row)

    def _wrap(self, key_id: str, key: bytes) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._master.encrypt(nonce, key, key_id.encode())

    def _unwrapped(self, row: tuple[str, int, int, int, bytes]) -> PeriodKey:
        key_id, begins_at, ends_at, destroy_at, wrapped = row
        try:
            key = self._master.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], key_id.encode())
        except InvalidTag:
            raise WrongMasterKey(self._file) from None
        return PeriodKey(
            key_id=key_id,
            begins_at=datetime.fromtimestamp(begins_at, UTC),
            ends_at=datetime.fromtimestamp(ends_at, UTC),
            destroy_at=datetime.fromtimestamp(destroy_at, UTC),
            key=key,
        )


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
