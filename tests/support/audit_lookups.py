"""Compares what was answered with what was asked, and what was counted with a recount of the decisions."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson

from lienthong.adapters.event_log import EventLog
from lienthong.adapters.history import History, VolumeFilter
from lienthong.adapters.wire import Event, decode
from lienthong.runtime.clock import VIETNAM
from lienthong_schemas.streams import ANSWERS, DECISIONS, Stream
from tests.support.audit import Finding, Ledger, Partitions, read_stream

_PLACE = ("outboxcell", "outboxepoch", "outboxseq")


async def audit_lookups(log: EventLog, ledger: Ledger) -> list[Finding]:
    """Find look-ups without exactly one distinct decision and answer, and decisions that nobody asked for.

    A decision that was relayed twice is one decision if its bytes are the same. A decision over HTTP may be there
    although its answer did not arrive, and only then is it not in the ledger.
    """
    decisions = _by_id(DECISIONS, await read_stream(log, DECISIONS.name))
    answers = _by_id(ANSWERS, await read_stream(log, ANSWERS.name))
    expected = set(ledger.lookups.values())
    found = [Finding("decision missing", each) for each in (expected | ledger.answered) - decisions.keys()]
    found += [Finding("answer missing", each) for each in expected - answers.keys()]
    for kind, events in (("decision", decisions), ("answer", answers)):
        found += [Finding(f"{kind} given twice", each) for each, copies in events.items() if len(copies) > 1]
    found += [Finding("answer without its decision", each) for each in answers.keys() - decisions.keys()]
    lookup_ids = {decision_id: lookup_id for lookup_id, decision_id in ledger.lookups.items()}
    for decision_id, copies in answers.items():
        said = orjson.loads(next(iter(copies)))["data"]
        if lookup_ids.get(decision_id, said["lookup_id"]) != said["lookup_id"]:
            found.append(Finding("answer to another look-up", decision_id))
    return found + _audit_places(decisions)


def _by_id(stream: Stream, partitions: Partitions) -> dict[str, set[bytes]]:
    """Return the bytes under each id; what is no event of the stream counts for nothing."""
    events: dict[str, set[bytes]] = defaultdict(set)
    for values in partitions:
        for value in values:
            event = decode(value, stream)
            if isinstance(event, Event):
                events[event.envelope.id].add(value)
    return events


def _audit_places(decisions: dict[str, set[bytes]]) -> list[Finding]:
    """Find places of the outbox that were used for two decisions: consumers would take one of them for a repeat."""
    places: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    for decision_id, copies in decisions.items():
        for value in copies:
            event = orjson.loads(value)
            places[tuple(event[name] for name in _PLACE)].add(decision_id)
    return [Finding("place of the outbox used twice", str(place)) for place, ids in places.items() if len(ids) > 1]


async def audit_volumes(log: EventLog, history: History) -> list[Finding]:
    """Compare the counts with a recount of the distinct decisions in the log."""
    found = []
    partitions = await read_stream(log, DECISIONS.name)
    for partition, values in enumerate(partitions):
        position = history.position(DECISIONS.name, partition)
        if position != len(values):
            found.append(Finding("decisions not counted", f"{partition}: {position} of {len(values)}"))
    distinct = [orjson.loads(min(copies)) for copies in _by_id(DECISIONS, partitions).values()]
    everything = VolumeFilter()
    by_facility: Counter[Any] = Counter({row[:-1]: row.lookups for row in history.by_facility(everything)})
    by_minute: Counter[Any] = Counter(dict(history.by_minute(everything)))
    by_unit: Counter[Any] = Counter({row[:-1]: row.lookups for row in history.by_unit(everything)})
    for name, counted, seen in (
        ("facility", by_facility, _facilities(distinct)),
        ("minute", by_minute, [_minute(event) for event in distinct]),
        ("unit", by_unit, _units(distinct)),
    ):
        recounted: Counter[Any] = Counter(seen)
        differing = [key for key in counted | recounted if counted[key] != recounted[key]]
        found += [
            Finding(f"volume of a {name} differs", f"{key}: {counted[key]}, {recounted[key]}") for key in differing
        ]
    return found


def _minute(event: dict[str, Any]) -> str:
    return f"{datetime.fromisoformat(event['time']).astimezone(VIETNAM):%Y-%m-%dT%H:%M}"


def _facilities(events: Iterable[dict[str, Any]]) -> Iterable[tuple[str, ...]]:
    for event in events:
        data = event["data"]
        yield data["facility_code"], _minute(event)[:10], data["channel"], data["outcome"]


def _units(events: Iterable[dict[str, Any]]) -> Iterable[tuple[str, ...]]:
    for event in events:
        data, printed = event["data"], event["data"]["printed_references"]["address"]
        if printed is not None:
            since = "-" if printed["version"] is None else printed["version"].rpartition("/")[2]
            yield printed["level"], printed["code"], since, _minute(event)[:10], data["channel"], data["outcome"]
