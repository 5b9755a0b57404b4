"""Which accepted batch `lienthong publish --annul` means, and the facts that undo it."""

from typing import NoReturn

from lienthong.adapters.publishing import Publisher
from lienthong.adapters.registers import FactLine
from lienthong.cli.console import fail
from lienthong.cli.sources import Source
from lienthong.domain.annulment import AnnulmentFault, AnnulmentRefused

#: So much of a batch's id is enough to name it, as long as no other begins so.
_PREFIX_MIN = 8


async def annulment(publisher: Publisher, named: str, reason: str) -> Source:
    """Return what undoes the batch of that id or name, as a source like any other.

    Ends the command where no batch or more than one is meant, or where nothing can undo it.
    """
    found = [
        each
        for each in (await publisher.register()).batches
        if each.name == named or (len(named) >= _PREFIX_MIN and each.batch_id.startswith(named))
    ]
    if len(found) != 1:
        fail(
            f"{'No' if not found else 'More than one'} accepted batch is called {named!r}.",
            "lienthong status lists the batches with their ids.",
        )
    facts = await publisher.annulment(found[0].batch_id, reason)
    if isinstance(facts, AnnulmentRefused):
        _refuse(facts)
    lines = tuple(FactLine(line=line, fact=fact) for line, fact in enumerate(facts, start=1))
    name = f"annul {found[0].name or found[0].batch_id[:16]}"
    return Source(name=name, origin=name, lines=lines, illustrative=any(fact.illustrative for fact in facts))


def _refuse(refused: AnnulmentRefused) -> NoReturn:
    match refused.reason:
        case AnnulmentFault.REVISED_LATER:
            some = ", ".join(fact_id for _, fact_id in refused.facts[:3])
            fail(
                f"A later batch revised {len(refused.facts)} of its facts ({some}…).",
                "Annul the later batch first, or publish corrected facts.",
            )
        case AnnulmentFault.NOTHING_STANDS:
            fail("Nothing of that batch stands, so there is nothing to undo.")
        case AnnulmentFault.NOT_ACCEPTED:
            fail("That batch was never accepted.", "lienthong status lists the batches with their ids.")
