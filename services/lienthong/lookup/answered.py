"""Which look-ups the log holds answers to, for where the store may have forgotten that they were answered."""

import asyncio
from typing import Final
from uuid import UUID

import msgspec

from lienthong.adapters.event_log import EventLog, Trimmed, entries_per_read, partition_of
from lienthong_schemas.streams import ANSWERS

#: What a failover of the store may have forgotten while nobody looked: the answers of its last second, and more.
RECENT_ANSWERS: Final = 2_000


class _Answer(msgspec.Struct):
    id: str


_ANSWER: Final = msgspec.json.Decoder(_Answer)


class AnsweredBefore:
    """The ids of the answers in the log, for look-ups of one partition that stand before the position `until`.

    An answer is kept under the key of its look-up, the facility, so the answers to a partition of look-ups are in one
    partition of answers; only that one is read, when first it is asked about. An answer is kept as long as its look-up.
    `recent` limits it to the newest answers.
    """

    def __init__(self, log: EventLog, until: int, recent: int | None = None) -> None:
        self._log = log
        self._recent = recent
        self._ids: dict[int, frozenset[bytes]] = {}
        self._reading = asyncio.Lock()
        self.until = until

    async def holds(self, facility_code: str, decision_id: str) -> bool:
        """Say whether the log holds an answer under that id to a look-up of the facility. Raises as the log does."""
        partition = partition_of(facility_code, self._log.partitions(ANSWERS.name))
        async with self._reading:
            if partition not in self._ids:
                self._ids[partition] = await self._read(partition)
        return UUID(decision_id).bytes in self._ids[partition]

    async def _read(self, partition: int) -> frozenset[bytes]:
        found: set[bytes] = set()
        bounds = (await self._log.bounds(ANSWERS.name, [partition]))[partition]
        position = bounds.first if self._recent is None else max(bounds.first, bounds.end - self._recent)
        while True:
            entries = await self._log.read(ANSWERS.name, partition, position, entries_per_read(ANSWERS))
            if isinstance(entries, Trimmed):
                position = entries.first
                continue
            if not isinstance(entries, tuple) or not entries:
                return frozenset(found)
            for entry in entries:
                decision_id = _id_of(entry.value)
                if decision_id is not None:
                    found.add(decision_id)
            position = entries[-1].offset + 1


def _id_of(value: bytes) -> bytes | None:
    """Return the 16 bytes of an answer's id, None where it is none of ours."""
    try:
        return UUID(_ANSWER.decode(value).id).bytes
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
        return None
