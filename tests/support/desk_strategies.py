"""Random desks: cards whose days lie close together, questions of every kind about them, and tables of any content."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st

from lienthong.domain.answer import Finding, Found, Freshness, NoRecord, StoreFault
from lienthong.domain.card import Address, Card, Ended, EndReason, Issuer, Period, RegisteredPlace
from lienthong.domain.facts import Fact
from lienthong.domain.faults import Fault, FaultCode, malformed
from lienthong.domain.question import Identity, NoCardReason, NothingPresented, Presentation, PresentedKind, Question
from tests.support.desk import BIRTH, HOLDER, NAME, NOW, NUMBER, PRINTED, card, citizen, period, scanned, typed
from tests.support.facts import contract, guidance, table
from tests.support.histories import START

_DAYS = [START + timedelta(days=number) for number in range(30)]
_CODES = ["00001", "00002", "00003"]
_FACILITIES = ["01C51", "01C52", "01X"]

days = st.sampled_from(_DAYS)
maybe_days = st.none() | days
_endings = st.none() | st.builds(Ended, on=days, reason=st.sampled_from([*EndReason, "unheard_of"]))
_places = st.none() | st.builds(RegisteredPlace, code=st.sampled_from(_FACILITIES), recorded_on=maybe_days)
_numbers = st.sampled_from([PRINTED, f"CN301{NUMBER}", NUMBER])


@st.composite
def periods(draw: st.DrawFn) -> Period:
    first, last = draw(days), draw(maybe_days)
    return replace(
        period(),
        valid_from=first,
        valid_to=None if last is None else max(first, last),
        number=draw(_numbers),
        group=draw(st.sampled_from(["HC", "CN", "ZZ", None])),
        benefit_level=draw(st.sampled_from([None, 1, 4])),
        issuer=draw(st.sampled_from([Issuer.VSS, Issuer.VSS, Issuer.VSS, *Issuer])),
        registered_place=draw(_places),
        ended=draw(_endings),
    )


_addresses = st.none() | st.builds(
    Address,
    level=st.sampled_from(["commune", "province"]),
    code=st.sampled_from(_CODES),
    recorded_on=maybe_days,
    detail=st.none(),
)
_holders = st.sampled_from([NAME, "Trần Văn Thử"]).map(lambda name: replace(card().holder, name=name))


@st.composite
def cards(draw: st.DrawFn) -> Card:
    return replace(
        card(),
        number=draw(st.sampled_from([NUMBER, NUMBER, "0000099999"])),
        revision=draw(st.integers(1, 3)),
        holder=draw(_holders),
        address=draw(_addresses),
        periods=tuple(draw(st.lists(periods(), max_size=4))),
        withdrawn=draw(st.none() | _endings),
    )


identities = st.none() | st.builds(
    Identity,
    name=st.sampled_from([None, NAME, "Ngô Tú Mai", "Lê Văn Khác"]),
    birth=st.sampled_from([None, BIRTH, "1962", "1999"]),
)
presentations: st.SearchStrategy[Presentation] = st.one_of(
    _numbers.map(typed),
    identities.map(scanned),
    identities.map(citizen),
    st.just(scanned(HOLDER)),
    st.sampled_from(list(NoCardReason)).map(lambda reason: NothingPresented(reason=reason)),
    st.sampled_from(list(FaultCode)).map(
        lambda code: malformed(PresentedKind.CARD_QR, Fault(code=code, position=None))
    ),
)
questions = st.builds(
    Question,
    presented=presentations,
    facility_code=st.sampled_from(_FACILITIES),
    clerk_id=st.just("NV01"),
    on=days,
    admitted_on=maybe_days,
    holder=identities,
)
freshnesses = st.builds(
    Freshness, register_position=st.just(7), cards_caught_up_at=st.sampled_from([None, NOW]), complete=st.booleans()
)
_several = st.lists(cards(), max_size=3, unique_by=lambda held: held.number).map(tuple)
findings: st.SearchStrategy[Finding] = st.one_of(
    st.builds(Found, cards=_several, freshness=freshnesses),
    st.builds(Found, cards=_several, freshness=freshnesses),
    st.builds(NoRecord, freshness=freshnesses),
    st.builds(StoreFault, register_position=st.just(7)),
)

_cells: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 400), st.sampled_from(["HC", "address_succeeded", "2020-01-10", "{old}"])
)
_columns = st.sampled_from(["group", "level", "percent", "days", "until", "document", "code", "vi", "en"])
_rows = st.lists(st.dictionaries(_columns, _cells, min_size=1), max_size=3)
_names = st.sampled_from(
    ["benefit_levels", "level_shares", "treatment_extension", "facility_code_grace", "notice_texts", "other"]
)
_day_texts = days.map(date.isoformat)
_rules: st.SearchStrategy[Fact] = st.one_of(
    st.builds(
        lambda name, day, rows, invented: table(name, day, rows, illustrative=invented),
        _names,
        _day_texts,
        _rows,
        st.booleans(),
    ),
    st.builds(lambda day: guidance("1/CV", "card_validity", day), _day_texts),
    st.builds(lambda code, first: contract(f"HĐ {code}", code, first, None), st.sampled_from(_FACILITIES), _day_texts),
    st.builds(
        lambda code, first: contract(f"HĐ cũ {code}", code, "2019-01-01", first),
        st.sampled_from(_FACILITIES),
        _day_texts,
    ),
)
rules = st.lists(_rules, max_size=6)
"""Tables, guidance and contracts with any cells at all: what a register may hold, and an answer must bear."""
