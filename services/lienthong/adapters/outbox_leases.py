"""Which look-up process relays which cells of the outbox: by a lease in the store, so that repeats stay few.

Nothing else hangs on it. Two relays of one cell deliver repeats, and a cell without a relay waits.
"""

import math
from collections.abc import Collection, Iterable
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from lienthong.adapters.outbox import call_outbox

#: How long a process that says nothing keeps its cells: it speaks every second, and a pause of two is no end.
LEASE_S: Final = 3.0

#: Not the name of any cell, and a slot of its own.
_LEASES: Final = "{o.leases}relays"


class Leases:
    """The leases of one process under the name `owner`, which no other living process has."""

    def __init__(self, redis: Redis, owner: str, lease_s: float = LEASE_S) -> None:
        self._redis = redis
        self._owner = owner
        self._lease_ms = math.ceil(lease_s * 1000)

    async def renew(self, cells: Iterable[str], rights: Collection[str] = ()) -> frozenset[str]:
        """Live for another term by the store's clock, and return the cells that are this process's to relay.

        It takes its share of `cells` from those that nobody relays, and the ones in `rights` from whoever has them:
        who stores their entries knows first that one waits. Raises the client's connection errors.
        """
        ordered = [*rights, *(cell for cell in cells if cell not in rights)]
        held = await call_outbox(
            self._redis, "lease", [_LEASES], self._owner, str(self._lease_ms), str(len(rights)), *ordered
        )
        return frozenset(cell.decode() for cell in held)

    async def release(self) -> None:
        """Give everything back, for others to take at once; a store that is away lets it lapse."""
        try:
            await call_outbox(self._redis, "release", [_LEASES], self._owner)
        except (RedisError, OSError):
            return
