"""What readers are tested with: entries with numbers, and a sink whose position moves with its data."""

from collections.abc import Awaitable, Callable

from lienthong.adapters.followers import Batch
from tests.support.transports import Transport


class Sink:
    """Takes batches as a projection does: the position moves with the data."""

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.position = 0
        self.batches: list[int] = []
        # Whether offsets may lack between entries.
        self.gaps = False
        self.before: Callable[[Batch], Awaitable[None]] | None = None

    async def start(self) -> int:
        return self.position

    async def take(self, batch: Batch) -> None:
        if self.before is not None:
            await self.before(batch)
        assert batch.position == self.position
        assert self.gaps or batch.entries[0].offset == self.position
        self.values.extend(entry.value for entry in batch.entries)
        self.position = batch.next
        self.batches.append(len(batch.entries))


def values(first: int, end: int) -> list[bytes]:
    return [str(n).encode() for n in range(first, end)]


async def append(transport: Transport, first: int, end: int) -> None:
    """Append numbers to the one partition of the look-ups."""
    await transport.log.append_many(transport.lookups, [("k", value) for value in values(first, end)])
