"""The AsyncAPI document: every stream and message is in it, and programs that know nothing of us can read it."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped] # it ships no types

from lienthong_schemas.asyncapi import OPERATIONS, document
from lienthong_schemas.registry import messages
from lienthong_schemas.streams import BY_NAME, STREAMS
from tests.support.messages import EXAMPLES, document_of

GOLDEN = Path(__file__).parents[2] / "schemas" / "golden"
PARSER = Path(__file__).parents[1] / "support" / "asyncapi"
DOCUMENT = document()


def last(reference: dict[str, str]) -> str:
    return reference["$ref"].rpartition("/")[2]


def test_every_stream_is_a_channel_with_its_partitions_and_its_term() -> None:
    assert set(DOCUMENT["channels"]) == {stream.name for stream in STREAMS}
    for name, channel in DOCUMENT["channels"].items():
        stream, kafka = BY_NAME[name], channel["bindings"]["kafka"]
        kept_ms = -1 if stream.kept_for is None else stream.kept_for.total_seconds() * 1000
        assert channel["address"] == kafka["topic"] == name
        assert kafka["partitions"] == stream.partitions_distributed
        assert kafka["topicConfiguration"] == {"cleanup.policy": ["delete"], "retention.ms": kept_ms}


def test_every_message_is_described_once_and_travels_on_the_channels_of_its_type() -> None:
    described = DOCUMENT["components"]["messages"]
    assert set(described) == {f"{event_type}.{version}" for event_type, version, _ in messages()}
    for name, message in described.items():
        assert (GOLDEN / message["x-json-schema"]).is_file()
        channels = {name for name, channel in DOCUMENT["channels"].items() if message_of(channel, message["name"])}
        assert channels == {stream.name for stream in STREAMS if message["name"] in stream.types}, name


def message_of(channel: dict[str, Any], event_type: str) -> list[str]:
    return [name for name in channel["messages"] if name.rpartition(".")[0] == event_type]


def test_every_operation_is_named_once_and_moves_messages_of_its_channel() -> None:
    assert len(DOCUMENT["operations"]) == len(OPERATIONS)
    for operation in DOCUMENT["operations"].values():
        carried = DOCUMENT["channels"][last(operation["channel"])]["messages"]
        assert operation["messages"]
        assert {last(each) for each in operation["messages"]} <= set(carried)


def test_every_stream_that_carries_something_is_received_or_sent_and_a_process_never_sends_what_it_answers_from() -> (
    None
):
    moved = {(operation.action, operation.stream.name) for operation in OPERATIONS}
    assert {name for _, name in moved} == {stream.name for stream in STREAMS if stream.types}
    assert {operation.stream.name for operation in OPERATIONS if operation.answered_on} == {
        "lookups.v1",
        "card-images.v1",
    }


@pytest.mark.parametrize("event_type", EXAMPLES)
def test_a_payload_accepts_the_example_of_its_type_and_refuses_departures(event_type: str) -> None:
    payload = DOCUMENT["components"]["messages"][f"{event_type}.1"]["payload"]
    reader = Draft202012Validator({**payload, "components": DOCUMENT["components"]})
    example = document_of(event_type, EXAMPLES[event_type])
    assert reader.is_valid(example)
    assert not reader.is_valid(example | {"unknown": 1})
    assert not reader.is_valid(example | {"type": "another.type"})
    for key in EXAMPLES[event_type]:
        assert not reader.is_valid({**example, "data": {**example["data"], key: 1.5}})


@pytest.fixture(scope="module")
def parser() -> Path:
    """Return the directory in which the parser is installed, fetched by npm the first time."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        leave_out("there is no node and npm on this machine")
    wanted = json.loads((PARSER / "package.json").read_text(encoding="utf-8"))["dependencies"]["@asyncapi/parser"]
    installed = PARSER / "node_modules" / "@asyncapi" / "parser" / "package.json"
    if not installed.exists() or json.loads(installed.read_text(encoding="utf-8"))["version"] != wanted:
        fetched = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],  # noqa: S607  # npm is on the PATH of whoever has node
            cwd=PARSER,
            capture_output=True,
            check=False,
        )
        if fetched.returncode != 0:
            leave_out("npm could not fetch it")
    return PARSER


def leave_out(why: str) -> None:
    sentence = f"The AsyncAPI document is not validated: {why}."
    if os.environ.get("CI"):
        pytest.fail(sentence)
    pytest.skip(sentence)


def validated(parser: Path, file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # our own script and file
        ["node", "validate.mjs", file],  # noqa: S607  # as above
        cwd=parser,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_parser_of_asyncapi_finds_nothing_wrong(parser: Path) -> None:
    found = validated(parser, GOLDEN / "asyncapi.json")
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout) == {"channels": len(STREAMS), "operations": len(OPERATIONS)}


@pytest.mark.parametrize(
    ("place", "planted"),
    [
        (("channels", "cards.v1", "messages", "card.recorded.1"), {"$ref": "#/components/messages/nothing"}),
        (("operations", "lookup.receive.lookups.v1", "action"), "answer"),
        (("channels", "cards.v1", "bindings", "kafka", "partitions"), "many"),
        (("components", "messages", "card.recorded.1", "payload", "type"), "card"),
    ],
    ids=["a reference to nothing", "an unknown action", "partitions that are no number", "an unknown type"],
)
def test_the_parser_notices_what_is_wrong(
    parser: Path, tmp_path: Path, place: tuple[str, ...], planted: object
) -> None:
    broken = document()
    part = broken
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = planted
    (tmp_path / "broken.json").write_text(json.dumps(broken), encoding="utf-8")
    assert validated(parser, tmp_path / "broken.json").returncode == 1
