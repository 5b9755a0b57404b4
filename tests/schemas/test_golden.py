"""The exported JSON Schemas: what stands in the repository is what the models say, and it says enough."""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped] # it ships no types

from lienthong_schemas.asyncapi import export_asyncapi
from lienthong_schemas.export import export, schema
from lienthong_schemas.registry import messages
from tests.support.messages import EXAMPLES, document_of

GOLDEN = Path(__file__).parents[2] / "schemas" / "golden"
ALL = {f"{event_type}.{version}": schema(event_type, version, model) for event_type, version, model in messages()}


def parts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from parts(part)


def bounded(part: dict[str, Any]) -> bool:
    if "enum" in part or "const" in part or "maxLength" in part:
        return True
    quantifiers = re.sub(r"\\.|\[[^\]]*\]", "x", part.get("pattern", "*"))
    return not re.search(r"[*+]", quantifiers)


def test_the_golden_schemas_are_what_the_models_say(tmp_path: Path) -> None:
    export(tmp_path)
    export_asyncapi(tmp_path)
    exported = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    golden = {path.name: path.read_text(encoding="utf-8") for path in GOLDEN.iterdir()}
    assert golden == exported, "run `lienthong schemas export schemas/golden` and read what changed"


def test_exporting_writes_one_file_for_each_type_and_version(tmp_path: Path) -> None:
    written = export(tmp_path / "new")
    assert [path.name for path in written] == [f"{name}.json" for name in ALL]


@pytest.mark.parametrize("name", ALL)
def test_every_text_and_list_is_bounded_and_nothing_is_a_fraction(name: str) -> None:
    for part in parts(ALL[name]):
        kind = part.get("type")
        assert kind != "number"
        assert kind != "string" or bounded(part), part
        assert kind != "array" or "maxItems" in part, part
        if kind == "object":
            assert part.get("additionalProperties") is False or "maxProperties" in part, part


@pytest.mark.parametrize("event_type", EXAMPLES)
def test_an_independent_reader_of_the_schema_accepts_the_example_and_refuses_departures(event_type: str) -> None:
    golden = json.loads((GOLDEN / f"{event_type}.1.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(golden)
    reader = Draft202012Validator(golden)
    document = document_of(event_type, EXAMPLES[event_type], dataschema=f"urn:lienthong:{event_type}:1")
    assert reader.is_valid(document)
    assert reader.is_valid({key: value for key, value in document.items() if key != "dataschema"})
    assert not reader.is_valid(document | {"unknown": 1})
    assert not reader.is_valid(document | {"type": "another.type"})
    assert not reader.is_valid(document | {"dataschema": f"urn:lienthong:{event_type}:2"})
    for key in EXAMPLES[event_type]:
        departed = deepcopy(document)
        departed["data"][key] = 1.5
        assert not reader.is_valid(departed)
