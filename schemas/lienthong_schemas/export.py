"""The contract for programs in other languages: one JSON Schema (2020-12) per type and version, envelope included."""

import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from lienthong_schemas.envelope import Envelope, dataschema
from lienthong_schemas.registry import latest, messages
from lienthong_schemas.vocabulary import Message


def schema(event_type: str, version: int, model: type[Message]) -> dict[str, Any]:
    """Return the JSON Schema of a whole event of the type and version.

    Older versions require `dataschema`, for without it the newest version is meant. That an id agrees with its data,
    and that a day exists, are checked beyond what JSON Schema can say.
    """
    event = Envelope.model_json_schema()
    data = model.model_json_schema(ref_template="#/$defs/{model}")
    definitions = data.pop("$defs", {})
    name = dataschema(event_type, version)
    properties = event["properties"]
    properties["type"] = {"const": event_type}
    properties["dataschema"] = {"const": name}
    properties["data"] = data
    required = [*event["required"], "data"]
    if version != latest(event_type):
        required.append("dataschema")
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        "$id": name,
        "title": f"{event_type} {version}",
        "description": model.__doc__,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
        "$defs": definitions,
    }


def export(directory: Path) -> list[Path]:
    """Write `TYPE.VERSION.json` for every message into the directory, and return the files in order of the table.

    The directory is created where it is missing; a file that is there is overwritten. Raises OSError.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for event_type, version, model in messages():
        path = directory / f"{event_type}.{version}.json"
        write(path, schema(event_type, version, model))
        written.append(path)
    return written


def write(path: Path, document: dict[str, Any]) -> None:
    """Write a document so that a change of it reads as what changed. Raises OSError."""
    text = json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")
