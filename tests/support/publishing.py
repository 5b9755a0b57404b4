"""Publishes a batch the way the command does, again if need be."""

from lienthong.adapters.publishing import Draft, Published, Publisher
from lienthong.domain.facts import Fact


async def published(publisher: Publisher, facts: tuple[Fact, ...]) -> Published:
    """Publish a batch that the gate lets through, or that stands already. Raises redis.RedisError."""
    report = await publisher.check(facts)
    standing = next((each for each in (await publisher.register()).batches if each.batch_id == report.batch_id), None)
    assert standing is not None or report.passed, report.faults
    base = report.base if standing is None else standing.base
    done = await publisher.publish_batch(Draft(facts=facts, name=None, base=base), lambda _: None)
    assert isinstance(done, Published), done
    return done
