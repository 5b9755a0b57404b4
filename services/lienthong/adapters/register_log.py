"""Reads the register's stream: which facts each batch brought, and which seals stand."""

from dataclasses import dataclass

from lienthong.adapters.event_log import Entry, EventLog, Recreated, Trimmed
from lienthong.adapters.generations import FIRST
from lienthong.adapters.registers import fact_of
from lienthong.adapters.wire import Event, Refusal, RefusalCode, decode
from lienthong.domain.facts import ANNULLED, FAMILY_OF
from lienthong.domain.register import Register
from lienthong.domain.seals import RefusedSeal, Seal, SealedBatch, SealLog
from lienthong_schemas.batches import BatchSealed, GenerationSwitched
from lienthong_schemas.streams import REGISTER

#: Entries fetched in one read: facts are some 400 bytes each.
_READ = 2_000

_WITHOUT_BATCH = Refusal(
    code=RefusalCode.INVALID_ENVELOPE, message="is missing: publishing gives it to each fact of a batch", path="batchid"
)


class RegisterGap(Exception):
    """The register's stream does not hold what comes next; nothing after it may be used."""

    def __init__(self, expected: int, found: int) -> None:
        super().__init__(f"the register's stream goes on at offset {found}, but {expected} comes next")
        self.expected = expected
        self.found = found


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """From `position` on answers come from this generation of the projection."""

    generation: int
    position: int


class RegisterLog:
    """Takes the entries of the stream in their order, from the first; every reader comes to the same batches.

    A generation of the projection once left is not taken up again: a switch that goes back counts for nothing.
    """

    def __init__(self) -> None:
        self._seals = SealLog()
        self._generation = FIRST

    def take(self, entry: Entry) -> SealedBatch | Switch | RefusedSeal | Refusal | None:
        """Read an entry: the batch it seals, a switch, a seal that does not stand, what cannot be read, or nothing.

        Entries may come again; a seal that stands gives its batch once, and is refused as accepted after that.
        """
        event = decode(entry.value, REGISTER)
        if isinstance(event, Refusal):
            return event
        if isinstance(event.message, GenerationSwitched):
            return self._switch(event.message.generation, entry.offset + 1)
        if isinstance(event.message, BatchSealed):
            return self._seals.seal(_seal(event.message, entry.offset + 1))
        return self._fact(event)

    def _switch(self, generation: int, position: int) -> Switch | None:
        if generation <= self._generation:
            return None
        self._generation = generation
        return Switch(generation=generation, position=position)

    def _fact(self, event: Event) -> Refusal | None:
        if event.type not in FAMILY_OF and event.type != ANNULLED:
            return None
        if event.envelope.batchid is None:
            return _WITHOUT_BATCH
        self._seals.add(event.envelope.batchid, fact_of(event.type, event.data))
        return None


def _seal(message: BatchSealed, position: int) -> Seal:
    return Seal(
        batch_id=message.batch_id,
        base=message.base,
        count=message.count,
        digest=message.digest,
        name=message.name,
        position=position,
    )


class RegisterReader:
    """Folds the register as the log holds it; each refresh reads only what is new."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._reading = RegisterLog()
        self._position = 0
        self._register = Register.empty()

    async def refresh(self) -> Register:
        """Return the register of now. Raises `RegisterGap` and the client's connection errors."""
        while True:
            found = await self._log.read(REGISTER.name, 0, self._position, _READ)
            if isinstance(found, Trimmed):
                raise RegisterGap(self._position, found.first)
            if isinstance(found, Recreated):
                raise RegisterGap(self._position, found.end)
            if not found:
                return self._register
            for entry in found:
                if entry.offset != self._position:
                    raise RegisterGap(self._position, entry.offset)
                taken = self._reading.take(entry)
                if isinstance(taken, SealedBatch):
                    self._register = self._register.with_batch(taken)
                self._position = entry.offset + 1
