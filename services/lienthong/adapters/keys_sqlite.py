"""Keeps keys in a file from which each leaves for good.

The SQLite file runs with `secure_delete`, which overwrites deleted content in the file, and with a rollback journal
kept in place (`PERSIST`): a write-ahead log would keep copies of the pages that held the key until it happens to be
overwritten, and a journal that is deleted or truncated gives its blocks, with those pages in them, back to the file
system unchanged. The kept journal is overwritten after each destruction.
"""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from lienthong.adapters.key_records import KeyRecord, KeysAway

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
_SELECT = "SELECT key_id, purpose, begins_at, ends_at, destroy_at, wrapped FROM period_keys"
_FIELDS = KeyRecord.__slots__


class SqliteKeyRecords:
    """`keys.sqlite` in a directory; several processes may have it open."""

    def __init__(self, directory: Path) -> None:
        """Open or create the file, for its owner alone. Raises KeysAway."""
        self._file = directory / "keys.sqlite"
        self.name = str(self._file)
        self._lock = threading.Lock()
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self._file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        self._database = sqlite3.connect(
            self._file, timeout=LOCK_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        with self._held():
            for pragma in ("secure_delete = ON", "journal_mode = PERSIST", "synchronous = FULL"):
                self._database.execute(f"PRAGMA {pragma}")
            self._database.execute(_SCHEMA)

    def close(self) -> None:
        """Close the file; a thread that uses it finishes first, and none does afterwards."""
        with self._lock:
            self._database.close()

    def newest(self) -> KeyRecord | None:
        """Return a key of the latest period that has one."""
        return self._one(f"{_SELECT} ORDER BY ends_at DESC LIMIT 1")

    def find(self, key_id: str) -> KeyRecord | None:
        """Return the key of that name."""
        return self._one(f"{_SELECT} WHERE key_id = ?", key_id)

    def of_period(self, purpose: str, begins_at: int) -> KeyRecord | None:
        """Return the key of a purpose's period."""
        return self._one(f"{_SELECT} WHERE purpose = ? AND begins_at = ?", purpose, begins_at)

    def add(self, record: KeyRecord) -> None:
        """Keep a new key; where its period has one, of another process, keep that one instead."""
        with self._held():
            self._database.execute(
                "INSERT INTO period_keys VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (purpose, begins_at) DO NOTHING",
                [getattr(record, field) for field in _FIELDS],
            )

    def destroy(self, until: int) -> Sequence[str]:
        """Destroy the keys whose `destroy_at` has come, and return their names.

        1. Delete them, which overwrites them in the file.
        2. Overwrite the journal, which holds the pages as they were.
        """
        with self._held():
            # 1
            gone = self._database.execute(
                "DELETE FROM period_keys WHERE destroy_at <= ? RETURNING key_id", (until,)
            ).fetchall()
            if gone:
                # 2
                self._wipe_journal()
        return [key_id for (key_id,) in gone]

    def _one(self, query: str, *values: str | int) -> KeyRecord | None:
        with self._held():
            row = self._database.execute(query, values).fetchone()
        return None if row is None else KeyRecord(**dict(zip(_FIELDS, row, strict=True)))

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        """Use the file alone, and speak of its faults in words of our own."""
        with self._lock:
            try:
                yield
            except sqlite3.Error as fault:
                raise KeysAway(self.name, fault) from fault

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
