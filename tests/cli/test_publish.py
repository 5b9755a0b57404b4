"""Publishing against real servers, with nothing running beside them but what a test starts itself."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest
import redis

from lienthong.adapters.card_layout import CardFact
from lienthong.adapters.event_log import partition_of
from lienthong.adapters.publishing import Draft, Publisher
from lienthong.adapters.valkey_log import ValkeyLog
from lienthong.cli import in_force
from lienthong.domain.facts import Fact
from lienthong.runtime.connection import connect
from lienthong.runtime.server_spec import ServerSpec
from lienthong_schemas.streams import CARDS, LOOKUPS, REGISTER
from tests.support.card_facts import usual_card
from tests.support.clocks import SetClock
from tests.support.command_line import Called, call
from tests.support.facts import commune, reorganised, revised, unit
from tests.support.projecting import Projecting, card_event

OLD, NEW = unit(commune("00001")), unit(commune("00002"), "2025-07-01")
MERGER = reorganised("2025-07-01", [(commune("00001"), commune("00002"), "whole")], [commune("00001")])


@pytest.fixture(autouse=True)
def nobody_projects(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait hardly at all for a projector, for none runs here."""
    monkeypatch.setattr(in_force, "REGISTER_WAIT_S", 0.01)
    monkeypatch.setattr(in_force, "STANDSTILL_S", 0.01)


@pytest.fixture
def data_dir(log_server: ServerSpec, projection_server: ServerSpec) -> Path:
    """The directory whose servers run, both empty."""
    assert log_server.socket.parent == projection_server.socket.parent
    return log_server.socket.parent.parent


def event(fact: Fact, **envelope: Any) -> bytes:
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": fact.sha256.hex()[:32],
            "type": fact.type,
            "source": "/tests",
            "subject": fact.id,
            "time": "2025-06-20T09:00:00+07:00",
            "data": fact.data,
            **envelope,
        }
    )


def lookup_event(number: str) -> bytes:
    question = {
        "presented": {"kind": "insurance_number", "number": number},
        "facility_code": "01004",
        "clerk_id": "NV01",
    }
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": f"lookup-{number}",
            "type": "lookup.requested",
            "source": "/tests",
            "subject": "01004",
            "time": "2025-08-01T09:00:00+07:00",
            "data": {"question": question},
        }
    )


def file_of(directory: Path, *lines: bytes, name: str = "events.jsonl") -> str:
    path = directory / name
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return str(path)


def publish(data_dir: Path, *arguments: str) -> Called:
    return call("publish", *arguments, "--data-dir", str(data_dir))


def length(server: ServerSpec, key: str) -> int:
    with redis.Redis(unix_socket_path=str(server.socket)) as client:
        return int(client.xlen(key))


def project(server: ServerSpec, cards: Iterable[CardFact]) -> None:
    """Put cards into the projection as the projector does."""

    async def projected() -> None:
        client = connect(server.socket)
        projecting = await Projecting.of(client, cells=CARDS.partitions)
        projecting.publish(cards)
        await projecting.project()
        await client.aclose()

    asyncio.run(projected())


def test_a_file_is_published_as_one_batch_and_recognised_when_it_comes_again(
    data_dir: Path, log_server: ServerSpec, tmp_path: Path
) -> None:
    file = file_of(tmp_path, event(OLD), event(NEW), b"", event(MERGER))
    first = publish(data_dir, file, "--json")
    assert first.status == 0
    (batch,) = first.json["batches"]
    assert (batch["state"], batch["count"], batch["position"]) == ("published", 3, 4)
    assert batch["in_force_s"] is None
    assert "as soon as the projector runs" not in first.err, "JSON says it"
    assert length(log_server, f"{REGISTER.name}/0") == 4

    again = publish(data_dir, file)
    assert again.status == 0
    assert "already published (position 4)" in again.out
    assert length(log_server, f"{REGISTER.name}/0") == 4


def test_a_dry_run_says_what_would_change_and_writes_nothing(
    data_dir: Path, log_server: ServerSpec, tmp_path: Path
) -> None:
    file = file_of(tmp_path, event(OLD), event(NEW), event(MERGER))
    called = publish(data_dir, file, "--dry-run", "--json")
    assert called.json["dry_run"]
    (batch,) = called.json["batches"]
    assert (batch["state"], batch["units_after"], batch["on"]) == ("checked", {"commune": 1}, "2025-07-01")
    assert called.json["sample"]["of_cards"] == 0
    assert length(log_server, f"{REGISTER.name}/0") == 0
    spoken = publish(data_dir, file, "--dry-run").out
    assert "nothing was written" in spoken
    assert "No cards are projected yet" in spoken


def test_a_dry_run_needs_no_service(tmp_path: Path) -> None:
    file = file_of(tmp_path, event(OLD))
    called = publish(tmp_path / "none", file, "--dry-run")
    assert called.status == 0
    assert "No service runs here" in called.out
    assert publish(tmp_path / "none", file).status == 2


def test_a_refused_batch_names_each_fault_with_its_line_in_both_languages(
    data_dir: Path, log_server: ServerSpec, tmp_path: Path
) -> None:
    file = file_of(tmp_path, event(NEW), event(unit(commune("00003"), parent=("district", "999"))), event(MERGER))
    called = publish(data_dir, file)
    assert called.status == 2
    assert f"{file}:2: commune 00003 belongs to district 999" in called.err
    assert f"{file}:3: test-2025-07-01/00002 takes from commune 00001" in called.err
    assert "không tồn tại" in called.err
    assert "refused for 2 reasons" in called.err
    assert length(log_server, f"{REGISTER.name}/0") == 0
    faults = publish(data_dir, file, "--json").json["faults"]
    assert [(fault["code"], fault["lines"]) for fault in faults] == [
        ("predecessor_unknown", [3]),
        ("parent_unknown", [2]),
    ]


def test_a_later_refused_file_keeps_the_earlier_one_from_being_written(
    data_dir: Path, log_server: ServerSpec, tmp_path: Path
) -> None:
    good = file_of(tmp_path, event(OLD))
    bad = file_of(tmp_path, event(unit(commune("00003"), parent=("district", "999"))), name="bad.jsonl")
    assert publish(data_dir, good, bad).status == 2
    assert length(log_server, f"{REGISTER.name}/0") == 0


def test_lines_that_are_no_events_are_named_and_nothing_is_written(
    data_dir: Path, log_server: ServerSpec, tmp_path: Path
) -> None:
    bad_card = orjson.loads(card_event(usual_card("0000000001")))
    bad_card["data"]["holder"]["birth"] = "17/05/1962"
    sealed = event(OLD, batchid="0" * 64)
    lines = [event(OLD), b"{", orjson.dumps(bad_card), sealed, b'{"a":"' + b"x" * 70_000 + b'"}']
    called = publish(data_dir, file_of(tmp_path, *lines))
    assert called.status == 2
    for line in (2, 3, 4, 5):
        assert f"events.jsonl:{line}:" in called.err
    assert "4 lines" in called.err
    assert "1962" not in called.err, "what stood in a line is never repeated"
    assert length(log_server, f"{REGISTER.name}/0") == 0


def test_cards_and_look_ups_of_a_file_go_to_their_streams(
    data_dir: Path, log_server: ServerSpec, tmp_path: Path
) -> None:
    numbers = [f"00000000{serial:02d}" for serial in range(40)]
    lines = [card_event(usual_card(number)) for number in numbers]
    called = publish(data_dir, file_of(tmp_path, event(OLD), *lines, lookup_event(numbers[0])), "--json")
    assert called.status == 0
    assert called.json["events"] == {CARDS.name: 40, LOOKUPS.name: 1}
    assert sum(length(log_server, f"{CARDS.name}/{cell}") for cell in range(CARDS.partitions)) == 40
    assert length(log_server, f"{LOOKUPS.name}/{partition_of('01004', LOOKUPS.partitions)}") == 1
    assert "as soon as the projector runs" in called.err


def test_a_bad_card_at_the_end_of_a_file_keeps_every_card_from_being_written(
    data_dir: Path, log_server: ServerSpec, tmp_path: Path
) -> None:
    lines = [card_event(usual_card(f"00000000{serial:02d}")) for serial in range(20)]
    assert publish(data_dir, file_of(tmp_path, *lines, b"no event")).status == 2
    assert sum(length(log_server, f"{CARDS.name}/{cell}") for cell in range(CARDS.partitions)) == 0


def test_answers_before_and_after_are_compared_and_no_outcome_changes(
    data_dir: Path, projection_server: ServerSpec, tmp_path: Path
) -> None:
    address = {"level": "commune", "code": "00001", "recorded_on": "2023-03-01", "detail": None}
    project(projection_server, [usual_card(f"00000000{serial:02d}", address=address) for serial in range(30)])
    file = file_of(tmp_path, event(OLD), event(NEW), event(MERGER))
    sample = publish(data_dir, file, "--dry-run", "--sample", "0", "--json").json["sample"]
    assert (sample["cards"], sample["of_cards"], sample["outcomes_changed"]) == (30, 30, 0)
    assert sample["outcomes"] == {"eligible": 30}
    assert sample["notices_that_come"]["address_succeeded"] == 30
    assert sample["notices_that_go"]["address_unknown"] == 30
    few = publish(data_dir, file, "--dry-run", "--sample", "16", "--json").json["sample"]
    assert few["cards"] == 16
    assert publish(data_dir, file, "--dry-run", "--no-sample", "--json").json["sample"] is None
    assert "0 of 30 sampled outcomes change" in publish(data_dir, file).out


def test_invented_facts_are_let_in_only_by_name(data_dir: Path, tmp_path: Path) -> None:
    invented = unit(commune("00009"), illustrative=True)
    file = file_of(tmp_path, event(invented))
    assert "--illustrative" in publish(data_dir, file).err
    assert "MINH HỌA" in publish(data_dir, file, "--illustrative").out


def test_a_shipped_set_brings_in_what_it_requires(data_dir: Path) -> None:
    called = publish(data_dir, "vn-hanoi-facilities", "--dry-run", "--json")
    assert [batch["name"] for batch in called.json["batches"]] == ["vn-before-2025-07-01", "vn-hanoi-facilities"]


def test_a_batch_is_annulled_and_the_annulment_annulled(data_dir: Path, tmp_path: Path) -> None:
    first = publish(data_dir, file_of(tmp_path, event(OLD)), "--json").json["batches"][0]["batch_id"]
    second = publish(data_dir, file_of(tmp_path, event(revised(OLD, name="Khác"))), "--json").json["batches"][0]
    assert "revised 1 of its facts" in publish(data_dir, "--annul", first, "--reason", "late").err
    undone = publish(data_dir, "--annul", second["batch_id"][:12], "--reason", "a mistake", "--json").json["batches"][0]
    assert undone["state"] == "published"
    assert publish(data_dir, "--annul", undone["name"], "--reason", "none after all").status == 0
    assert "No accepted batch" in publish(data_dir, "--annul", "f" * 64, "--reason", "none").err
    assert "--reason" in publish(data_dir, "--annul", first).err


def test_a_lost_race_is_told_and_the_repeated_command_goes_through(
    data_dir: Path, log_server: ServerSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = Publisher.publish_batch

    async def overtaken(publisher: Publisher, draft: Draft, advance: Any) -> Any:
        monkeypatch.setattr(Publisher, "publish_batch", check)
        client = connect(log_server.socket)
        rival = Publisher(ValkeyLog(client), SetClock())
        await rival.publish_batch(Draft(facts=(NEW,), name="rival", base=None), advance)
        await client.aclose()
        return await publisher.publish_batch(draft, advance)

    monkeypatch.setattr(Publisher, "publish_batch", overtaken)
    file = file_of(tmp_path, event(OLD))
    lost = publish(data_dir, file)
    assert lost.status == 2
    assert "Repeat the command" in lost.err
    assert publish(data_dir, file).status == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "Name files or sets"),
        (("no-such-set",), "There is no event file no-such-set"),
        (("vn-tables", "--annul", "x"), "Name files or sets"),
    ],
)
def test_a_wrong_call_is_told_in_one_sentence(tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    called = publish(tmp_path, *arguments)
    assert called.status == 2
    assert sentence in called.err


def test_brackets_in_the_name_of_a_file_are_shown_as_they_are(data_dir: Path, tmp_path: Path) -> None:
    file = file_of(tmp_path, event(OLD), name="decree [bold].jsonl")
    assert "decree [bold].jsonl: 1 facts" in publish(data_dir, file, "--dry-run").out
