"""Which model reads which type in which version."""

from collections.abc import Iterator

from lienthong_schemas.batches import BatchSealed, FactAnnulled, GenerationSwitched
from lienthong_schemas.cards import CardRecorded, CardWithdrawn
from lienthong_schemas.dead_letters import DeadLetterRecorded, DeadLetterReplayed
from lienthong_schemas.decisions import EligibilityDecided
from lienthong_schemas.facilities import ContractRecorded, FacilityRecorded, FacilityReorganised
from lienthong_schemas.guidance import GuidanceRecorded, TableRecorded
from lienthong_schemas.lookups import LookupAnswered, LookupRequested
from lienthong_schemas.territory import TerritoryReorganised, UnitRecorded
from lienthong_schemas.vocabulary import Message

_MODELS: dict[str, dict[int, type[Message]]] = {
    "card.recorded": {1: CardRecorded},
    "card.withdrawn": {1: CardWithdrawn},
    "territory.unit_recorded": {1: UnitRecorded},
    "territory.reorganised": {1: TerritoryReorganised},
    "facility.recorded": {1: FacilityRecorded},
    "facility.reorganised": {1: FacilityReorganised},
    "contract.recorded": {1: ContractRecorded},
    "guidance.recorded": {1: GuidanceRecorded},
    "table.recorded": {1: TableRecorded},
    "fact.annulled": {1: FactAnnulled},
    "batch.sealed": {1: BatchSealed},
    "generation.switched": {1: GenerationSwitched},
    "lookup.requested": {1: LookupRequested},
    "lookup.answered": {1: LookupAnswered},
    "eligibility.decided": {1: EligibilityDecided},
    "dead_letter.recorded": {1: DeadLetterRecorded},
    "dead_letter.replayed": {1: DeadLetterReplayed},
}


def latest(event_type: str) -> int | None:
    """Return the newest version of a type, None where the type is not known."""
    versions = _MODELS.get(event_type)
    return None if versions is None else max(versions)


def model_of(event_type: str, version: int) -> type[Message] | None:
    """Return the model of a type's version, None where either is not known."""
    return _MODELS.get(event_type, {}).get(version)


def messages() -> Iterator[tuple[str, int, type[Message]]]:
    """Yield every type, version and model, in the order of the table."""
    for event_type, versions in _MODELS.items():
        for version, model in sorted(versions.items()):
            yield event_type, version, model
