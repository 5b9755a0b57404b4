"""Between bytes and validated messages: any bytes at all give an event or a refusal, and never an exception."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson
from pydantic import ValidationError

from lienthong_schemas.envelope import SCHEMA_PREFIX, Envelope, dataschema
from lienthong_schemas.lookups import LookupRequested
from lienthong_schemas.registry import latest, model_of
from lienthong_schemas.streams import CARD_IMAGES, EVENT_BYTES_MAX, Stream
from lienthong_schemas.vocabulary import Message

_PATH_LENGTH_MAX = 255  # As long as a dead letter's path may be.
_FIELD_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)

# pydantic's own words for these would repeat the input, or speak of Python to somebody who writes JSON.
_WORDS = {
    "extra_forbidden": "holds a field that this version does not know",
    "union_tag_invalid": "is not of a kind that is known",
    "union_tag_not_found": "does not say of which kind it is",
    "tuple_type": "should be a list",
    "model_type": "should be an object",
    "model_attributes_type": "should be an object",
    "missing": "is missing",
}
_OWN_PREFIX = "Value error, "


class RefusalCode(StrEnum):
    """Why bytes are no message."""

    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    NOT_AN_EVENT = "not_an_event"
    UNKNOWN_TYPE = "unknown_type"
    UNKNOWN_VERSION = "unknown_version"
    WRONG_STREAM = "wrong_stream"
    INVALID_ENVELOPE = "invalid_envelope"
    INVALID_DATA = "invalid_data"
    WRONG_SUBJECT = "wrong_subject"
    UNANSWERABLE = "unanswerable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why bytes are no message, for programs (`code`), for people (`message`), and where (`path`, empty for the whole).

    Neither the message nor the path repeats anything of the input, so both may be logged.
    """

    code: RefusalCode
    message: str
    path: str = ""


_WRONG_STREAM = Refusal(
    code=RefusalCode.WRONG_STREAM, message="is of a kind that this stream does not carry", path="type"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A validated message; `data` is the JSON object as received, which is what a fact's digest is taken of."""

    type: str
    version: int
    envelope: Envelope
    message: Message
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """An event to be written: `time` has an offset, `data` is JSON, `batch_id` is set on register facts alone."""

    id: str
    type: str
    source: str
    subject: str
    time: datetime
    data: Mapping[str, Any]
    batch_id: str | None = None


def encode(event: Outgoing) -> bytes:
    """Return the event as structured CloudEvents JSON in the newest version of its type.

    Raises ValueError for a type without a model or a time without an offset: both are faults of the caller.
    """
    version = latest(event.type)
    if version is None or event.time.tzinfo is None:
        message = f"{event.type} has no model, or its time {event.time.isoformat()} no offset"
        raise ValueError(message)
    document: dict[str, Any] = {
        "specversion": "1.0",
        "id": event.id,
        "type": event.type,
        "source": event.source,
        "subject": event.subject,
        "time": event.time.isoformat(),
        "dataschema": dataschema(event.type, version),
    }
    if event.batch_id is not None:
        document["batchid"] = event.batch_id
    document["data"] = event.data
    return orjson.dumps(document)


def decode(value: bytes, stream: Stream | None = None) -> Event | Refusal:
    """Return the event that the bytes are, or why they are none; never raises for any bytes.

    With a stream, its size limit holds and only its types are accepted; without, any type in up to 64 KiB. Where a
    JSON object names a key twice the last one counts, in this parser as in every other that the project uses.
    """
    bytes_max = EVENT_BYTES_MAX if stream is None else stream.event_bytes_max
    if len(value) > bytes_max:
        return Refusal(code=RefusalCode.TOO_LARGE, message=f"is {len(value)} bytes, at most {bytes_max} are read")
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError:
        return Refusal(code=RefusalCode.NOT_JSON, message="is not JSON in UTF-8")
    if not isinstance(document, dict) or "data" not in document:
        return Refusal(code=RefusalCode.NOT_AN_EVENT, message="is not an object with data in it")
    data = document.pop("data")
    try:
        envelope = Envelope.model_validate(document)
    except ValidationError as error:
        return _refused(RefusalCode.INVALID_ENVELOPE, error, ())
    return _with_data(envelope, data, stream)


def _with_data(envelope: Envelope, data: Any, stream: Stream | None) -> Event | Refusal:
    chosen = _model(envelope)
    if isinstance(chosen, Refusal):
        return chosen
    model, version = chosen
    if stream is not None and envelope.type not in stream.types:
        return _WRONG_STREAM
    try:
        message = model.model_validate(data)
    except ValidationError as error:
        return _refused(RefusalCode.INVALID_DATA, error, ("data",))
    expected = message.expected_subject()
    if expected is not None and envelope.subject != expected:
        return Refusal(code=RefusalCode.WRONG_SUBJECT, message="does not agree with the data", path="subject")
    if stream is not None and isinstance(message, LookupRequested) and not _travels_right(message, stream):
        return _WRONG_STREAM
    return Event(type=envelope.type, version=version, envelope=envelope, message=message, data=data)


def _travels_right(message: LookupRequested, stream: Stream) -> bool:
    """Tell whether an image, and nothing else, travels on the stream that keeps images for an hour."""
    return (message.question.presented.kind == "card_image") == (stream.name == CARD_IMAGES.name)


def _model(envelope: Envelope) -> tuple[type[Message], int] | Refusal:
    version = latest(envelope.type)
    if version is None:
        return Refusal(code=RefusalCode.UNKNOWN_TYPE, message="is not a type that is known", path="type")
    if envelope.dataschema is not None:
        named, _, number = envelope.dataschema.removeprefix(SCHEMA_PREFIX).rpartition(":")
        version = int(number) if named == envelope.type else 0
    model = model_of(envelope.type, version)
    if model is None:
        message = "is not a version of this type that is known"
        return Refusal(code=RefusalCode.UNKNOWN_VERSION, message=message, path="dataschema")
    return model, version


def _refused(code: RefusalCode, error: ValidationError, prefix: tuple[str, ...]) -> Refusal:
    location, message = words_of(error.errors(include_url=False, include_context=False, include_input=False)[0])
    return Refusal(code=code, message=message, path=_path((*prefix, *location)))


def words_of(fault: Mapping[str, Any]) -> tuple[tuple[int | str, ...], str]:
    """Return where one of pydantic's faults is and what is wrong there, without repeating anything of the input."""
    location = fault["loc"]
    if fault["type"] == "extra_forbidden":
        # The name of an unknown field is input like any other.
        location = (*location[:-1], "?")
    return location, _WORDS.get(fault["type"], fault["msg"].removeprefix(_OWN_PREFIX))


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += "." * bool(path) + (part if _FIELD_NAME.fullmatch(part) else "?")
    return path[:_PATH_LENGTH_MAX]
