from dataclasses import replace
from datetime import timedelta

import pytest

from lienthong.adapters.kafka_admin import TopicsUnusable
from lienthong.adapters.kafka_topics import (
    BATCH_BYTES,
    Drift,
    FoundTopic,
    Topic,
    drifts,
    topic_of,
    topics,
    unusable,
)
from lienthong.runtime.settings import Settings
from lienthong_schemas.streams import CARD_IMAGES, CARDS, DECISIONS, LOOKUPS, REGISTER, STREAMS

WANTED = topics(card_partitions=64)
HOUR_MS = 3_600_000


def as_it_must_be(topic: Topic) -> FoundTopic:
    options = {name: option.value for name, option in topic.options.items()}
    return FoundTopic(partitions=topic.partitions, replication=topic.replication, options=options)


def wanted(name: str) -> Topic:
    return next(topic for topic in WANTED if topic.name == name)


def departed(name: str, changed: dict[str, str]) -> tuple[Drift, ...]:
    """Return the drift of a topic with other options than it must have."""
    found = as_it_must_be(wanted(name))
    return drifts([wanted(name)], {name: replace(found, options=found.options | changed)})


def value(topic: Topic, option: str) -> str:
    return topic.options[option].value


def test_every_stream_has_a_topic_and_cards_have_as_many_partitions_as_the_installation_says() -> None:
    assert [topic.name for topic in WANTED] == [stream.name for stream in STREAMS]
    partitions = {topic.name: topic.partitions for topic in WANTED}
    assert partitions == {stream.name: stream.partitions_distributed for stream in STREAMS} | {"cards.v1": 64}


def test_the_table_and_the_settings_name_the_same_default_number_of_card_partitions() -> None:
    assert Settings.model_fields["card_partitions"].default == CARDS.partitions_distributed


def test_facts_are_kept_for_ever_by_time_and_by_size() -> None:
    for stream in (CARDS, REGISTER):
        topic = wanted(stream.name)
        assert (value(topic, "retention.ms"), value(topic, "retention.bytes")) == ("-1", "-1")


@pytest.mark.parametrize("topic", WANTED, ids=lambda topic: topic.name)
def test_nothing_is_compacted_or_led_by_a_broker_that_lacks_entries(topic: Topic) -> None:
    assert value(topic, "cleanup.policy") == "delete"
    assert value(topic, "unclean.leader.election.enable") == "false"
    assert value(topic, "min.insync.replicas") == "2"


def test_an_image_is_gone_minutes_after_its_hour_for_its_segment_is_closed_by_then() -> None:
    topic = wanted(CARD_IMAGES.name)
    assert value(topic, "retention.ms") == str(HOUR_MS)
    assert value(topic, "segment.ms") == str(HOUR_MS // 12)


def test_no_segment_stays_open_longer_than_a_twelfth_of_its_term_or_a_week() -> None:
    for stream in STREAMS:
        segment = timedelta(milliseconds=int(value(wanted(stream.name), "segment.ms")))
        assert segment <= timedelta(days=7)
        assert stream.kept_for is None or segment <= stream.kept_for / 12


def test_a_topic_takes_its_largest_event_and_any_batch_that_a_broker_takes_by_default() -> None:
    for stream in STREAMS:
        allowed = int(value(wanted(stream.name), "max.message.bytes"))
        assert allowed >= BATCH_BYTES
        assert allowed > stream.event_bytes_max


def test_one_copy_needs_no_second_broker_to_agree() -> None:
    topic = topic_of(REGISTER, card_partitions=1, replication=1)
    assert value(topic, "min.insync.replicas") == "1"


def test_topics_as_they_must_be_have_no_drift_and_other_topics_are_nobodys_business() -> None:
    found = {topic.name: as_it_must_be(topic) for topic in WANTED}
    stranger = FoundTopic(partitions=7, replication=1, options={"cleanup.policy": "compact"})
    assert drifts(WANTED, found | {"orders": stranger}) == ()


def test_a_missing_topic_is_one_drift_that_names_the_command() -> None:
    found = {topic.name: as_it_must_be(topic) for topic in WANTED if topic.name != "cards.v1"}
    (drift,) = drifts(WANTED, found)
    assert drift.what == "topic"
    assert drift.sentence == "cards.v1 is missing: lienthong topics create makes it."


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        (CARDS.name, "set LIENTHONG_CARD_PARTITIONS=7"),
        (REGISTER.name, "publish the register again"),
        (LOOKUPS.name, "delete the topic with what is in it"),
    ],
)
def test_another_number_of_partitions_says_what_can_be_done_for_that_stream(name: str, advice: str) -> None:
    (drift,) = drifts([wanted(name)], {name: replace(as_it_must_be(wanted(name)), partitions=7)})
    assert (drift.what, drift.found) == ("partitions", "7")
    assert drift.sentence.startswith(f"{name} has 7 partitions and not {wanted(name).partitions}")
    assert advice in drift.sentence


def test_too_few_copies_are_told() -> None:
    (drift,) = drifts([wanted("cards.v1")], {"cards.v1": replace(as_it_must_be(wanted("cards.v1")), replication=1)})
    assert (drift.what, drift.found, drift.wanted) == ("replication", "1", "3")
    assert "--replication 1" in drift.sentence


def test_a_compacted_topic_is_told_with_the_reason_and_the_way_out() -> None:
    (drift,) = departed("cards.v1", {"cleanup.policy": "compact"})
    assert "compaction keeps the last entry of a key and not its highest revision" in drift.sentence
    assert "--entity-name cards.v1 --add-config cleanup.policy=delete" in drift.sentence


@pytest.mark.parametrize(
    ("option", "departs", "allowed"),
    [
        ("retention.ms", str(HOUR_MS), str(400 * 24 * HOUR_MS)),
        ("retention.bytes", "1000000", "-1"),
        ("min.insync.replicas", "1", "2"),
        ("cleanup.policy", "compact,delete", "delete"),
        ("message.timestamp.type", "CreateTime", "LogAppendTime"),
        ("unclean.leader.election.enable", "true", "false"),
        ("compression.type", "zstd", "producer"),
        ("max.message.bytes", "1000", "99999999"),
        ("segment.ms", str(30 * 24 * HOUR_MS), "60000"),
        ("segment.bytes", "1048576", "2147483647"),
    ],
)
def test_each_option_departs_and_is_allowed_as_it_should(option: str, departs: str, allowed: str) -> None:
    (drift,) = departed(DECISIONS.name, {option: departs})
    assert (drift.what, drift.found) == (option, departs)
    assert departed(DECISIONS.name, {option: allowed}) == ()


def test_an_option_that_the_broker_does_not_tell_of_is_a_drift() -> None:
    found = replace(as_it_must_be(wanted("cards.v1")), options={})
    assert {drift.what for drift in drifts([wanted("cards.v1")], {"cards.v1": found})} == set(
        wanted("cards.v1").options
    )


def test_every_drift_is_one_sentence() -> None:
    found = {
        topic.name: FoundTopic(partitions=99, replication=9, options={}) for topic in WANTED if topic.partitions > 1
    }
    for drift in drifts(WANTED, found):
        assert drift.sentence.endswith(".")
        assert ". " not in drift.sentence


def test_a_process_starts_on_topics_with_other_options_but_not_without_them_or_with_other_partitions() -> None:
    found = {topic.name: replace(as_it_must_be(topic), options={}, replication=1) for topic in WANTED}
    assert unusable(WANTED, found) == ()
    del found["answers.v1"]
    found["cards.v1"] = replace(found["cards.v1"], partitions=63)
    refused = TopicsUnusable(unusable(WANTED, found))
    assert str(refused).startswith("Missing topics: answers.v1; lienthong topics create")
    assert "cards.v1 has 63 partitions and not 64" in str(refused)
