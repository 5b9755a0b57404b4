"""Seals personal data with the key of its period, opens it while that key lives, and names cards by pseudonyms."""

import asyncio
import base64
import hashlib
import hmac
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NoReturn

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lienthong.adapters.keys import NONCE_BYTES, PSEUDONYM, KeyStore, PeriodKey
from lienthong.runtime.clock import Clock

# 120 bits: two of 100 million cards share a pseudonym with a probability below one in 10^20.
PSEUDONYM_BYTES = 15
#: A key is fetched or made so long before its period begins: the store of the keys may be away for a day.
PREPARE_AHEAD: Final = timedelta(days=1)
PREPARE_INTERVAL_S: Final = 60.0
#: Keys of a purpose in memory: of this period, of the next, and of the one in which the last second began.
_HELD_MAX = 3

_log = structlog.stdlib.get_logger("lienthong.keys")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """Encrypted bytes and the name of the key that opens them."""

    key_id: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDestroyed:
    """What was sealed with this key can no longer be read by anyone."""

    key_id: str


class SealBroken(Exception):
    """The bytes are not what was sealed under that key: damaged, cut short, or sealed for something else."""

    def __init__(self, key_id: str) -> None:
        self.key_id = key_id
        super().__init__(f"What was sealed with key {key_id} is damaged.")


class Sealer:
    """Seals and opens with keys held in memory: microseconds each, where they were prepared.

    What was not prepared is read from the store of the keys, or made there, by whoever needs it first. A key leaves
    the memory when its retention has ended, whichever process destroys it: when it is asked for, when another key is
    first used, or when expired keys are destroyed here.
    """

    def __init__(self, keys: KeyStore, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        # The newest period first.
        self._by_purpose: dict[str, tuple[tuple[PeriodKey, AESGCM], ...]] = {}
        self._by_id: dict[str, tuple[PeriodKey, AESGCM]] = {}

    def seal(self, purpose: str, plaintext: bytes, at: datetime | None = None) -> Sealed:
        """Encrypt with the key of the purpose's period around `at`, now by default.

        The result is a 12-byte random nonce, the ciphertext and its tag (AES-256-GCM), bound to the key's name: with
        random nonces a key may seal 2^32 times, far above what a day or an hour brings. Raises KeyError for an
        unknown purpose.
        """
        key, cipher = self._current(purpose, self._clock.now() if at is None else at)
        nonce = os.urandom(NONCE_BYTES)
        return Sealed(key_id=key.key_id, data=nonce + cipher.encrypt(nonce, plaintext, key.key_id.encode()))

    def open(self, key_id: str, data: bytes) -> bytes | KeyDestroyed:
        """Return what was sealed, or that its key is gone. Raises SealBroken."""
        held = self._held(key_id)
        if held is None:
            return KeyDestroyed(key_id=key_id)
        try:
            return held[1].decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], key_id.encode())
        except (InvalidTag, ValueError):
            raise SealBroken(key_id) from None

    def pseudonym(self, number: str, at: datetime | None = None) -> str:
        """Return 24 characters that stand for a card: the same for a calendar year, and nobody's without the key.

        Give the ten-digit insurance number, which is the same on every form of a card.
        """
        key, _ = self._current(PSEUDONYM.name, self._clock.now() if at is None else at)
        digest = hmac.digest(key.key, number.encode(), hashlib.sha256)
        return base64.b32encode(digest[:PSEUDONYM_BYTES]).decode().lower()

    def prepare(self, purposes: Iterable[str]) -> None:
        """Hold the keys of now and of `PREPARE_AHEAD` from now, so that sealing will not have to wait for them.

        Raises KeysAway, and KeyError for an unknown purpose.
        """
        now = self._clock.now()
        for purpose in purposes:
            for at in (now, now + PREPARE_AHEAD):
                self._current(purpose, at)

    def destroy_expired(self) -> list[str]:
        """Destroy the keys whose retention has ended by now and return their names; call it every few minutes."""
        self._forget_expired()
        return self._keys.destroy_expired(self._clock.now())

    def _forget_expired(self) -> None:
        """Let go of the keys in memory; another thread may be using others meanwhile, so no dict is walked in place."""
        now = self._clock.now()
        for key_id, (key, _) in list(self._by_id.items()):
            if key.destroy_at <= now:
                self._by_id.pop(key_id, None)
        for purpose, held in list(self._by_purpose.items()):
            self._by_purpose[purpose] = tuple(each for each in held if each[0].destroy_at > now)

    def _current(self, purpose: str, at: datetime) -> tuple[PeriodKey, AESGCM]:
        for held in self._by_purpose.get(purpose, ()):
            if held[0].begins_at <= at < held[0].ends_at:
                return held
        self._forget_expired()
        key = self._keys.current(purpose, at)
        found = (key, AESGCM(key.key))
        others = [each for each in self._by_purpose.get(purpose, ()) if each[0].begins_at != key.begins_at]
        newest_first = sorted([found, *others], key=lambda each: each[0].begins_at, reverse=True)
        self._by_purpose[purpose] = tuple(newest_first[:_HELD_MAX])
        return found

    def _held(self, key_id: str) -> tuple[PeriodKey, AESGCM] | None:
        held = self._by_id.get(key_id)
        if held is None:
            self._forget_expired()
            key = self._keys.find(key_id)
            if key is None:
                return None
            held = self._by_id[key_id] = (key, AESGCM(key.key))
        if held[0].destroy_at <= self._clock.now():
            self._by_id.pop(key_id, None)
            return None
        return held


async def keep_prepared(sealer: Sealer, purposes: Sequence[str]) -> NoReturn:
    """Prepare the keys of these purposes in a thread until cancelled; a store that is away is asked again."""
    while True:
        try:
            await asyncio.to_thread(sealer.prepare, purposes)
        except OSError as fault:
            _log.warning("keys_not_prepared", fault=type(fault).__name__)
        await asyncio.sleep(PREPARE_INTERVAL_S)
