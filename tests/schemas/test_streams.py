"""The table of streams."""

from datetime import timedelta

from lienthong_schemas.registry import latest, messages
from lienthong_schemas.streams import BY_NAME, CARD_IMAGES, CARDS, REGISTER, STREAMS


def test_every_type_travels_on_a_stream_and_every_stream_carries_known_types() -> None:
    carried = {event_type for stream in STREAMS for event_type in stream.types}
    assert carried == {event_type for event_type, _, _ in messages()}


def test_facts_are_kept_for_ever_and_personal_data_for_a_term() -> None:
    assert {stream.name for stream in STREAMS if stream.kept_for is None} == {"cards.v1", "register.v1", "desks.v1"}
    assert CARD_IMAGES.kept_for == timedelta(hours=1)
    assert {stream.name: stream.sealed_by for stream in STREAMS if stream.sealed_by} == {
        "card-images.v1": "hour",
        "decisions.v1": "day",
        "dead-letters.v1": "day",
    }


def test_the_embedded_log_has_the_partitions_that_it_was_laid_out_with() -> None:
    assert {stream.name: stream.partitions for stream in STREAMS} == {
        "cards.v1": 16,
        "register.v1": 1,
        "desks.v1": 1,
        "lookups.v1": 4,
        "card-images.v1": 4,
        "decisions.v1": 4,
        "answers.v1": 4,
        "notices.v1": 1,
        "dead-letters.v1": 1,
    }
    assert REGISTER.partitions == 1


def test_a_distributed_log_has_as_many_partitions_as_processes_may_share() -> None:
    assert {stream.name: stream.partitions_distributed for stream in STREAMS} == {
        "cards.v1": 128,
        "register.v1": 1,
        "desks.v1": 1,
        "lookups.v1": 16,
        "card-images.v1": 16,
        "decisions.v1": 16,
        "answers.v1": 16,
        "notices.v1": 1,
        "dead-letters.v1": 1,
    }


def test_streams_are_found_by_name() -> None:
    assert BY_NAME["cards.v1"] is CARDS
    assert len(BY_NAME) == len(STREAMS)


def test_a_type_that_nobody_defined_has_no_version() -> None:
    assert latest("card.renamed") is None
