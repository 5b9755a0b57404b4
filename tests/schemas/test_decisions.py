"""The native answer's schema and the domain's Decision say the same."""

import dataclasses
import types
import typing
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from lienthong.domain import decision as domain
from lienthong.domain.question import PresentedKind
from lienthong.domain.succession import Place, State, Step
from lienthong_schemas import decisions as wire
from lienthong_schemas.questions import Presented

Named = type[Any]


def dataclass_in(annotation: Any) -> Named | None:
    if dataclasses.is_dataclass(annotation):
        return typing.cast("Named", annotation)
    return next(filter(None, map(dataclass_in, typing.get_args(annotation))), None)


def model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation if issubclass(annotation, BaseModel) else None
    return next(filter(None, map(model_in, typing.get_args(annotation))), None)


def test_the_answer_on_the_wire_has_the_domains_fields_at_every_depth() -> None:
    def compare(value: Named, model: type[BaseModel]) -> None:
        hints = typing.get_type_hints(value)
        assert [field.name for field in dataclasses.fields(value)] == list(model.model_fields)
        for name, info in model.model_fields.items():
            inner, shown = dataclass_in(hints[name]), model_in(info.annotation)
            assert (inner is None) == (shown is None), name
            if inner is not None and shown is not None:
                compare(inner, shown)

    compare(domain.Decision, wire.Decision)


@pytest.mark.parametrize(
    ("words", "enumeration"),
    [
        (wire.Outcome, domain.Outcome),
        (wire.PlaceState, State),
        (wire.Decision.model_fields["payment_here"].annotation, domain.PaymentHere),
    ],
)
def test_the_words_of_the_wire_are_the_domains(words: Any, enumeration: type[StrEnum]) -> None:
    assert list(typing.get_args(words)) == [word.value for word in enumeration]


def test_the_channels_are_the_kinds_of_presentation() -> None:
    assert list(typing.get_args(wire.Channel)) == [kind.value for kind in PresentedKind]
    presentations = typing.get_args(typing.get_args(Presented)[0])
    kinds = {typing.get_args(model.model_fields["kind"].annotation)[0] for model in presentations}
    assert kinds == set(PresentedKind)


days = st.dates()
times = st.datetimes(
    datetime(2, 1, 1),  # noqa: DTZ001 -- the zones are added
    datetime(9998, 12, 31),  # noqa: DTZ001 -- as above
    timezones=st.sampled_from((UTC, timezone(timedelta(hours=7)))),
)
texts = st.text(st.characters(categories=("L", "N", "P", "Zs")), min_size=1, max_size=20)
codes = st.text("ABC0189._-", min_size=1, max_size=16)
words = st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True)
births = st.one_of(days.map(date.isoformat), days.map(lambda day: day.isoformat()[:7]))
places = st.builds(
    Place,
    level=codes,
    code=codes,
    name=texts,
    parent_code=st.none() | codes,
    province_code=st.none() | codes,
    valid_from=st.none() | days,
    valid_to=st.none() | days,
)
shown_places = st.none() | st.builds(
    domain.ShownPlace,
    state=st.sampled_from(State),
    printed=st.none() | places,
    today=st.lists(places, max_size=5).map(tuple),
)
periods = st.builds(
    domain.ShownPeriod,
    valid_from=days,
    valid_to=st.none() | days,
    group=st.none() | st.sampled_from(("HC", "TE")),
    benefit_level=st.none() | st.integers(1, 5),
    share_percent=st.none() | st.sampled_from((80, 95, 100)),
)
cards = st.builds(
    domain.ShownCard,
    number=st.sampled_from(("HC4*******2345", "******2345", "HC4********2345")),
    holder=st.none()
    | st.builds(domain.ShownHolder, name=texts, birth=births, sex=st.none() | st.sampled_from(("male", "female"))),
    period=st.none() | periods,
    next_period=st.none() | periods,
)
decisions = st.builds(
    domain.Decision,
    decision_id=st.uuids().map(str),
    outcome=st.sampled_from(domain.Outcome),
    decided_at=times,
    on=days,
    card=st.none() | cards,
    address=shown_places,
    registered_place=shown_places,
    payment_here=st.sampled_from(domain.PaymentHere),
    payable_until=st.none() | days,
    routes=st.lists(st.sampled_from(("1.1", "1.12", "2", "3.6")), unique=True).map(tuple),
    notices=st.lists(
        st.builds(domain.Notice, code=words, vi=texts, en=texts, document=st.none() | texts), max_size=4
    ).map(tuple),
    proof=st.lists(st.builds(Step, id=texts, document=st.none() | texts, effective_on=days), max_size=4).map(tuple),
    freshness=st.builds(
        domain.Freshness,
        register_position=st.integers(0, 2**53 - 1),
        cards_caught_up_at=st.none() | times,
        complete=st.booleans(),
    ),
    illustrative=st.booleans(),
)


@given(decisions)
def test_every_answer_of_the_domain_written_out_is_an_answer_on_the_wire(decision: domain.Decision) -> None:
    document = orjson.loads(orjson.dumps(decision))
    assert wire.Decision.model_validate(document).model_dump(mode="json") == document
