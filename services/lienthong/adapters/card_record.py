"""Between the data of a card fact and the domain's card; each direction undoes the other exactly."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from lienthong.domain.card import Address, Card, Ended, Holder, Issuer, Period, RegisteredPlace, Sex


def card_from(data: Mapping[str, Any]) -> Card:
    """Return the card of valid `card.recorded` or `card.withdrawn` data; which of the two follows from `withdrawn`."""
    return Card(
        number=data["id"],
        revision=data["revision"],
        holder=_holder_from(data["holder"]),
        citizen_ids=tuple(data["citizen_ids"]),
        address=None if data["address"] is None else _address_from(data["address"]),
        periods=tuple([_period_from(period) for period in data["periods"]]),
        withdrawn=_ended_from(data["withdrawn"]) if "withdrawn" in data else None,
    )


def card_data(card: Card) -> dict[str, Any]:
    """Return the data of the card's fact, every key present: `card.withdrawn` where it is withdrawn."""
    data = {
        "id": card.number,
        "revision": card.revision,
        "holder": {
            "name": card.holder.name,
            "birth": card.holder.birth,
            "sex": None if card.holder.sex is None else card.holder.sex.value,
        },
        "citizen_ids": list(card.citizen_ids),
        "address": None if card.address is None else _address_data(card.address),
        "periods": [_period_data(period) for period in card.periods],
    }
    if card.withdrawn is not None:
        data["withdrawn"] = _ended_data(card.withdrawn)
    return data


def card_type(card: Card) -> str:
    """Return the type of the card's fact."""
    return "card.recorded" if card.withdrawn is None else "card.withdrawn"


def _holder_from(data: Mapping[str, Any]) -> Holder:
    sex = data["sex"]
    return Holder(name=data["name"], birth=data["birth"], sex=None if sex is None else Sex(sex))


def _address_from(data: Mapping[str, Any]) -> Address:
    return Address(level=data["level"], code=data["code"], recorded_on=_day(data["recorded_on"]), detail=data["detail"])


def _period_from(data: Mapping[str, Any]) -> Period:
    place, ended = data["registered_place"], data["ended"]
    return Period(
        valid_from=date.fromisoformat(data["valid_from"]),
        valid_to=_day(data["valid_to"]),
        number=data["number"],
        group=data["group"],
        benefit_level=data["benefit_level"],
        area=data["area"],
        issuer=Issuer(data["issuer"]),
        registered_place=None
        if place is None
        else RegisteredPlace(code=place["code"], recorded_on=_day(place["recorded_on"])),
        five_years_on=_day(data["five_years_on"]),
        ended=None if ended is None else _ended_from(ended),
    )


def _ended_from(data: Mapping[str, Any]) -> Ended:
    return Ended(on=date.fromisoformat(data["on"]), reason=data["reason"])


def _address_data(address: Address) -> dict[str, Any]:
    return {
        "level": address.level,
        "code": address.code,
        "recorded_on": _text(address.recorded_on),
        "detail": address.detail,
    }


def _period_data(period: Period) -> dict[str, Any]:
    place = period.registered_place
    return {
        "valid_from": period.valid_from.isoformat(),
        "valid_to": _text(period.valid_to),
        "number": period.number,
        "group": period.group,
        "benefit_level": period.benefit_level,
        "area": period.area,
        "issuer": period.issuer.value,
        "registered_place": None if place is None else {"code": place.code, "recorded_on": _text(place.recorded_on)},
        "five_years_on": _text(period.five_years_on),
        "ended": None if period.ended is None else _ended_data(period.ended),
    }


def _ended_data(ended: Ended) -> dict[str, Any]:
    return {"on": ended.on.isoformat(), "reason": ended.reason}


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
