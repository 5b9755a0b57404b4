"""The contract of the streams as an AsyncAPI 3 document: who sends and receives which message, on which topic."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from lienthong_schemas.export import schema, write
from lienthong_schemas.registry import messages
from lienthong_schemas.streams import (
    ANSWERS,
    CARD_IMAGES,
    CARDS,
    DEAD_LETTERS,
    DECISIONS,
    LOOKUPS,
    REGISTER,
    STREAMS,
    Stream,
)
from lienthong_schemas.vocabulary import Message

FILE_NAME: Final = "asyncapi.json"
VERSION: Final = "3.0.0"
CONTENT_TYPE: Final = "application/cloudevents+json"
_KAFKA_BINDING: Final = "0.5.0"

_ABOUT: Final = """\
Every message is a CloudEvent 1.0 in structured JSON. Each exists as a JSON Schema of its own beside this document,
under the name that `x-json-schema` gives. Operations are those of Lien Thong's processes and commands: what one of
them receives, others may send. Delivery is at least once: a message is known by its id, and what an outbox relayed by
its cell, epoch and sequence. Partitions are chosen by murmur2 of the key, as Kafka's Java client does it."""

Action = Literal["send", "receive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What one process or command does with a stream; `types` None is all that the stream carries."""

    who: str
    action: Action
    stream: Stream
    summary: str
    types: tuple[str, ...] | None = None
    answered_on: Stream | None = None

    @property
    def name(self) -> str:
        """The operation's id, unique in the document."""
        return f"{self.who}.{self.action}.{self.stream.name}"


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(who="publish", action="send", stream=CARDS, summary="Publish whole records of cards."),
    Operation(
        who="publish",
        action="send",
        stream=REGISTER,
        summary="Publish facts of places, facilities and guidance, and the seal that puts them in force together.",
        types=tuple(each for each in REGISTER.types if each != "generation.switched"),
    ),
    Operation(
        who="rebuild",
        action="send",
        stream=REGISTER,
        summary="Move look-ups to another generation of the projection.",
        types=("generation.switched",),
    ),
    Operation(who="projector", action="receive", stream=CARDS, summary="Keep the highest revision of every card."),
    Operation(
        who="projector", action="receive", stream=REGISTER, summary="Mirror what is sealed to where look-ups read."
    ),
    Operation(
        who="lookup",
        action="receive",
        stream=LOOKUPS,
        summary="Answer a question of a desk.",
        answered_on=ANSWERS,
    ),
    Operation(
        who="lookup",
        action="receive",
        stream=CARD_IMAGES,
        summary="Answer a question that carries a sealed image.",
        answered_on=ANSWERS,
    ),
    Operation(who="lookup", action="send", stream=ANSWERS, summary="Tell the facility that asked by an event."),
    Operation(who="lookup", action="send", stream=DECISIONS, summary="Record what was answered, however it was asked."),
    Operation(who="monitor", action="receive", stream=DECISIONS, summary="Count and archive what was answered."),
    *(
        Operation(
            who=who,
            action="send",
            stream=DEAD_LETTERS,
            summary="Set a message aside that could not be read.",
            types=("dead_letter.recorded",),
        )
        for who in ("projector", "lookup", "monitor")
    ),
    Operation(who="dead-letters", action="receive", stream=DEAD_LETTERS, summary="List and show what was set aside."),
    Operation(
        who="dead-letters",
        action="send",
        stream=DEAD_LETTERS,
        summary="Note that a message was given back to its stream.",
        types=("dead_letter.replayed",),
    ),
)


def export_asyncapi(directory: Path) -> Path:
    """Write the document beside the JSON Schemas, into a directory that is there. Raises OSError."""
    path = directory / FILE_NAME
    write(path, document())
    return path


def document() -> dict[str, Any]:
    """Return the document: a channel a stream, a message a type and version, an operation a process and stream."""
    payloads, schemas = _payloads()
    return {
        "asyncapi": VERSION,
        "id": "urn:lienthong",
        "info": {
            "title": "Lien Thong",
            "version": "1.0.0",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {stream.name: _channel(stream) for stream in STREAMS},
        "operations": {operation.name: _operation(operation) for operation in OPERATIONS},
        "components": {
            "messages": {
                _name(event_type, version): _message(event_type, version, model, payloads[event_type, version])
                for event_type, version, model in messages()
            },
            "schemas": schemas,
        },
    }


def _name(event_type: str, version: int) -> str:
    return f"{event_type}.{version}"


def _versions(types: tuple[str, ...]) -> list[str]:
    """Return the names of all messages of these types, in the order of the registry."""
    return [_name(event_type, version) for event_type, version, _ in messages() if event_type in types]


def _channel(stream: Stream) -> dict[str, Any]:
    term = "for ever" if stream.kept_for is None else f"for {stream.kept_for.total_seconds() / 3600:g} hours"
    sealed = f" Personal data in it are sealed with a key of the {stream.sealed_by}." if stream.sealed_by else ""
    retention_ms = -1 if stream.kept_for is None else int(stream.kept_for.total_seconds() * 1000)
    return {
        "address": stream.name,
        "description": f"Keyed by {stream.key}, kept {term}, never compacted.{sealed}",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _versions(stream.types)},
        "bindings": {
            "kafka": {
                "topic": stream.name,
                "partitions": stream.partitions_distributed,
                "topicConfiguration": {"cleanup.policy": ["delete"], "retention.ms": retention_ms},
                "bindingVersion": _KAFKA_BINDING,
            }
        },
        "x-key": stream.key,
        "x-event-bytes-max": stream.event_bytes_max,
    }


def _operation(operation: Operation) -> dict[str, Any]:
    channel = f"#/channels/{operation.stream.name}"
    types = operation.stream.types if operation.types is None else operation.types
    described: dict[str, Any] = {
        "action": operation.action,
        "channel": {"$ref": channel},
        "summary": operation.summary,
        "messages": [{"$ref": f"{channel}/messages/{name}"} for name in _versions(types)],
        "tags": [{"name": operation.who}],
    }
    if operation.answered_on is not None:
        answers = f"#/channels/{operation.answered_on.name}"
        described["reply"] = {
            "channel": {"$ref": answers},
            "messages": [{"$ref": f"{answers}/messages/{name}"} for name in _versions(operation.answered_on.types)],
        }
    return described


def _message(event_type: str, version: int, model: type[Message], payload: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": event_type,
        "title": f"{event_type} {version}",
        "summary": (model.__doc__ or "").partition("\n")[0],
        "contentType": CONTENT_TYPE,
        "payload": payload,
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": _KAFKA_BINDING}},
        "x-json-schema": f"{_name(event_type, version)}.json",
    }


def _payloads() -> tuple[dict[tuple[str, int], dict[str, Any]], dict[str, Any]]:
    """Return the schema of every message, and by their names the parts that several share.

    They are the exported JSON Schemas, with their shared parts where AsyncAPI keeps them. Raises ValueError where two
    messages mean different things by one name.
    """
    payloads: dict[tuple[str, int], dict[str, Any]] = {}
    shared: dict[str, Any] = {}
    for event_type, version, model in messages():
        whole = _adapted(schema(event_type, version, model))
        for name, part in whole.pop("$defs").items():
            if shared.setdefault(name, part) != part:
                message = f"two models are named {name}"
                raise ValueError(message)
        # Both would tell a reader of the document to look for references elsewhere.
        payloads[event_type, version] = {
            key: part for key, part in whole.items() if key not in {"$schema", "$id", "description"}
        }
    return payloads, dict(sorted(shared.items()))


def _adapted(part: Any) -> Any:
    """Return a part of a JSON Schema as AsyncAPI has it: other places of references, and no OpenAPI discriminators.

    Each branch that a discriminator would choose carries its constant, so nothing is lost without it.
    """
    if isinstance(part, list):
        return [_adapted(each) for each in part]
    if not isinstance(part, dict):
        return part
    return {
        key: value.replace("#/$defs/", "#/components/schemas/") if key == "$ref" else _adapted(value)
        for key, value in part.items()
        if key != "discriminator"
    }
