"""What the topics of a distributed log must be, derived from the one table of streams, and how found ones depart.

Nothing here talks to a broker. Every option that an acknowledged entry or the term of personal data hangs on is
written out, so that no default of a cluster decides it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from lienthong_schemas.streams import CARDS, REGISTER, STREAMS, Stream

# A broker bounds a batch of entries and not an entry; this is what a broker allows by default.
BATCH_BYTES: Final = 1_048_588
# Beside its value an entry has a key, and its batch a frame.
FRAME_BYTES: Final = 4_096
# A segment is removed as a whole, once its newest entry is past the term: so what began it stays up to this part of
# the term longer. A larger part would keep images for hours, a smaller one would open files without need.
SEGMENTS_A_TERM: Final = 12
SEGMENT_LONGEST: Final = timedelta(days=7)
SEGMENT_BYTES: Final = 1_073_741_824
FOR_EVER: Final = "-1"
# With three copies of which two must agree, one broker may be lost and nothing waits.
REPLICATION: Final = 3
MIN_INSYNC: Final = 2

Comparison = Literal["exactly", "at least", "at most"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """An option of a topic: the value it must have, and why another one does harm."""

    value: str
    reason: str
    compared: Comparison = "exactly"

    def allows(self, found: str | None) -> bool:
        """Tell whether a topic may have this value; None is an option that the broker did not tell of."""
        if found is None or self.compared == "exactly":
            return found == self.value
        return int(found) >= int(self.value) if self.compared == "at least" else int(found) <= int(self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic as it must be; `options` by the names that brokers know them by."""

    name: str
    partitions: int
    replication: int
    options: Mapping[str, Option]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTopic:
    """A topic as it is; `replication` is that of its partition with the fewest copies."""

    partitions: int
    replication: int
    options: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A departure: which topic, what of it, what it is and must be, and one sentence that says what to do."""

    topic: str
    what: str
    found: str | None
    wanted: str
    sentence: str


def topic_of(stream: Stream, *, card_partitions: int, replication: int = REPLICATION) -> Topic:
    """Return the topic of a stream; an installation says how many partitions cards have, the table for all others."""
    partitions = card_partitions if stream is CARDS else stream.partitions_distributed
    return Topic(
        name=stream.name,
        partitions=partitions,
        replication=replication,
        options=_options(stream, min(MIN_INSYNC, replication)),
    )


def topics(*, card_partitions: int, replication: int = REPLICATION) -> tuple[Topic, ...]:
    """Return the topics of all streams, in the order of the table."""
    return tuple(topic_of(stream, card_partitions=card_partitions, replication=replication) for stream in STREAMS)


def _options(stream: Stream, min_insync: int) -> dict[str, Option]:
    term = stream.kept_for
    segment = SEGMENT_LONGEST if term is None else min(SEGMENT_LONGEST, term / SEGMENTS_A_TERM)
    bytes_max = max(BATCH_BYTES, stream.event_bytes_max + FRAME_BYTES)
    keeping = "entries would be lost" if term is None else "entries would go too early or stay beyond their term"
    return {
        "cleanup.policy": Option(
            value="delete",
            reason="compaction keeps the last entry of a key and not its highest revision, and destroys the past",
        ),
        "retention.ms": Option(value=FOR_EVER if term is None else _ms(term), reason=keeping),
        "retention.bytes": Option(
            value=FOR_EVER, reason="entries would go when there are many and not when it is time"
        ),
        "min.insync.replicas": Option(
            value=str(min_insync), reason="on as many brokers an entry must be to count as acknowledged"
        ),
        "unclean.leader.election.enable": Option(
            value="false", reason="a broker that lacks acknowledged entries must not become their leader"
        ),
        # A sender's clock may be years off, and its entry would go at once or never.
        "message.timestamp.type": Option(value="LogAppendTime", reason="terms are counted by the brokers' clocks"),
        "max.message.bytes": Option(value=str(bytes_max), reason="larger entries are refused", compared="at least"),
        "segment.ms": Option(
            value=_ms(segment), reason="entries stay until the newest of their segment is too old", compared="at most"
        ),
        "segment.bytes": Option(value=str(SEGMENT_BYTES), reason="files would be many", compared="at least"),
        # A broker that compresses anew spends its processor, and not every codec can be read everywhere.
        "compression.type": Option(value="producer", reason="entries are kept as they were sent"),
    }


def _ms(span: timedelta) -> str:
    return str(span // timedelta(milliseconds=1))


def drifts(wanted: Iterable[Topic], found: Mapping[str, FoundTopic]) -> tuple[Drift, ...]:
    """Return every departure of the topics found from those wanted; topics that are not ours are none."""
    return tuple(drift for topic in wanted for drift in _drifts(topic, found.get(topic.name)))


def unusable(wanted: Iterable[Topic], found: Mapping[str, FoundTopic]) -> tuple[Drift, ...]:
    """Return the departures that a process cannot start with: topics that are missing or laid out otherwise."""
    return tuple(each for each in drifts(wanted, found) if each.what in {"topic", "partitions"})


def _drifts(topic: Topic, found: FoundTopic | None) -> Iterable[Drift]:
    if found is None:
        sentence = f"{topic.name} is missing: lienthong topics create makes it."
        yield Drift(topic=topic.name, what="topic", found=None, wanted=topic.name, sentence=sentence)
        return
    if found.partitions != topic.partitions:
        yield _partitions_drift(topic, found.partitions)
    if found.replication != topic.replication:
        yield _replication_drift(topic, found.replication)
    for name, option in topic.options.items():
        if not option.allows(found.options.get(name)):
            yield _option_drift(topic, name, option, found.options.get(name))


def _partitions_drift(topic: Topic, found: int) -> Drift:
    if topic.name == CARDS.name:
        what_to_do = (
            f"set LIENTHONG_CARD_PARTITIONS={found} for every process and command, "
            "for the topic cannot get another number without moving its keys"
        )
    elif topic.name == REGISTER.name:
        what_to_do = (
            "seals are judged in one order, so stop every process, delete the topic, "
            "call lienthong topics create and publish the register again"
        )
    else:
        what_to_do = (
            "keys must not move, so stop every process, delete the topic with what is in it "
            "and call lienthong topics create"
        )
    return Drift(
        topic=topic.name,
        what="partitions",
        found=str(found),
        wanted=str(topic.partitions),
        sentence=f"{topic.name} has {found} partitions and not {topic.partitions}: {what_to_do}.",
    )


def _replication_drift(topic: Topic, found: int) -> Drift:
    return Drift(
        topic=topic.name,
        what="replication",
        found=str(found),
        wanted=str(topic.replication),
        sentence=(
            f"{topic.name} keeps {found} of every entry and not {topic.replication}: let kafka-reassign-partitions.sh "
            f"give it {topic.replication} replicas, or say --replication {found} if that is meant."
        ),
    )


def _option_drift(topic: Topic, name: str, option: Option, found: str | None) -> Drift:
    than = "" if option.compared == "exactly" else f" {option.compared}"
    return Drift(
        topic=topic.name,
        what=name,
        found=found,
        wanted=option.value,
        sentence=(
            f"{topic.name} has {name}={found} and not{than} {option.value} ({option.reason}): kafka-configs.sh "
            f"--alter --entity-type topics --entity-name {topic.name} --add-config {name}={option.value} mends it."
        ),
    )
