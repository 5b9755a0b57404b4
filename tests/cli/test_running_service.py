"""The commands against one running service: real servers, real processes, a small country and a thousand cards."""

import asyncio
import json
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from lienthong.adapters.publishing import Publisher
from lienthong.adapters.valkey_log import ValkeyLog
from lienthong.cli.sources import load_register
from lienthong.domain.facts import digest_hex
from lienthong.runtime.clock import SystemClock
from lienthong_schemas.streams import CARDS, REGISTER
from tests.support.command_line import Called, program
from tests.support.real_service import RealService, real_service
from tests.support.waiting import DEADLINE_S

pytestmark = pytest.mark.asyncio(loop_scope="module")

CARD_COUNT = 1_000
QUESTION = {
    "presented": {"kind": "insurance_number", "number": "0000012345"},
    "facility_code": "01004",
    "clerk_id": "NV01",
    "on": "2025-08-01",
}


def free_ports() -> tuple[str, str]:
    """Return two ports that nothing listens on at this moment, as options write them."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return str(one.getsockname()[1]), str(other.getsockname()[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A service, and the commands that reach it."""

    service: RealService
    generated: Called

    async def call(self, *arguments: str, given: bytes = b"") -> Called:
        return await program(*arguments, given=given, settings={"LIENTHONG_DATA_DIR": str(self.service.directory.root)})

    async def status(self) -> Called:
        return await self.call("status", "--json")


async def killed_while_publishing(service: RealService, entries: int) -> None:
    """Kill a publisher when so many of its facts are written, and see that none of them counts."""
    stream = f"{REGISTER.name}/0"
    async with service.client("log") as log:
        before = await log.xlen(stream)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "lienthong", "publish", "vn-hanoi-facilities", "--no-sample"),
            stdout=asyncio.subprocess.DEVNULL,
            env={**os.environ, "LIENTHONG_DATA_DIR": str(service.directory.root)},
        )
        async with asyncio.timeout(3 * DEADLINE_S):
            while await log.xlen(stream) < before + entries:
                assert process.returncode is None
        process.kill()
        await process.wait()
        assert (await Publisher(ValkeyLog(log), SystemClock()).register()).batches == ()


def batch_of(called: Called) -> Any:
    """Return what a call of `publish` says of the national reorganisation."""
    (batch,) = (batch for batch in called.json["batches"] if batch["name"] == "vn-2025-07-01")
    return batch


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[Running]:
    async with real_service() as service:
        await service.start()
        settings = {"LIENTHONG_DATA_DIR": str(service.directory.root)}
        for entries in (1, 4_000, 9_000):
            await killed_while_publishing(service, entries)
        published = await program("publish", "vn-hanoi-facilities", "--json", settings=settings)
        assert published.status == 0, published.err
        generated = await program("generate", "cards", "--count", str(CARD_COUNT), "--publish", settings=settings)
        yield Running(service=service, generated=generated)


async def test_generated_cards_are_sent_and_waited_for(running: Running) -> None:
    assert running.generated.status == 0
    assert "1,000 events of cards.v1 acknowledged" in running.generated.out
    assert "In answers" in running.generated.out


async def test_a_batch_whose_publisher_was_killed_three_times_stands_as_if_it_had_not_been(running: Running) -> None:
    register = load_register(["vn-hanoi-facilities"])
    found = (await running.call("digest", "--json")).json["register"]
    assert found["facts_digest"] == digest_hex(register.facts_digest)
    assert found["facts"] == len(register.facts.winners)


async def test_a_question_as_json_is_answered_with_the_decision(running: Running) -> None:
    called = await running.call("check", "--json", "--url", running.service.lookup_url, given=orjson.dumps(QUESTION))
    assert called.status == 0
    assert (called.json["outcome"], called.json["card"]["number"]) == ("eligible", "HC4*******2345")
    strange = await running.call("check", "--json", "--url", running.service.lookup_url, given=b'{"presented":1}')
    assert (strange.status, strange.json["status"]) == (2, 422)


async def test_the_national_reorganisation_is_in_force_without_a_byte_of_a_card(running: Running) -> None:
    before = (await running.call("digest", "--json")).json
    dry = await running.call("publish", "vn-2025-07-01", "--dry-run", "--json")
    assert dry.json["sample"]["outcomes_changed"] == 0
    assert dry.json["sample"]["cards"] == CARD_COUNT
    units = batch_of(dry)
    assert (units["units_before"]["province"], units["units_after"]["province"]) == (63, 34)
    assert (units["units_before"]["commune"], units["units_after"]["commune"]) == (10_035, 3_321)
    assert len(units["divided"]) == 471
    done = await running.call("publish", "vn-2025-07-01", "--no-sample", "--json")
    batch = batch_of(done)
    assert (batch["state"], batch["card_bytes_written"]) == ("published", 0)
    assert 0 <= batch["in_force_s"] < DEADLINE_S
    after = (await running.call("digest", "--json")).json
    assert after["cards"] == before["cards"]
    assert after["register"]["position"] == batch["position"]
    assert batch_of(await running.call("publish", "vn-2025-07-01", "--json"))["state"] == "already_published"


async def test_digests_of_log_and_projection_agree(running: Running) -> None:
    called = await running.call("digest", "--from-log", "--json")
    assert called.status == 0
    assert called.json["agree"]
    assert called.json["cards"]["facts"] == CARD_COUNT
    assert called.json["cards"]["facts_digest"] == called.json["cards_from_log"]["facts_digest"]
    assert "agree" in (await running.call("digest", "--from-log")).out


async def test_status_tells_what_runs_and_what_stands(running: Running) -> None:
    called = await running.status()
    assert called.status == 0
    found = called.json
    assert found["sound"]
    assert all(found["processes"].values())
    assert (found["cards"]["cards"], found["cards"]["lag"]) == (CARD_COUNT, 0)
    assert found["register"]["batches"][0]["name"] == "vn-before-2025-07-01"
    spoken = (await running.call("status")).out
    assert "vn-hanoi-facilities" in spoken
    assert "complete" in spoken


async def test_look_ups_sent_as_events_are_counted_once(running: Running) -> None:
    url = ("--url", running.service.monitor_url, "--json")
    before = (await running.call("volumes", *url)).json["lookups"]
    sent = await running.call("generate", "lookups", "--count", "60", "--cards", str(CARD_COUNT), "--publish")
    assert sent.status == 0
    async with asyncio.timeout(DEADLINE_S):
        while (await running.call("volumes", *url)).json["lookups"] < before + 60:
            pass
    by_outcome = (await running.call("volumes", "--by", "outcome", *url)).json
    assert by_outcome["lookups"] == before + 60
    assert (await running.status()).json["lookups"] == {"waiting": 0}


async def test_what_cannot_be_read_is_listed_shown_and_replayed(running: Running) -> None:
    async with running.service.client("log") as log:
        await log.xadd(f"{CARDS.name}/3", {"k": "0000000001", "v": b"{broken"}, id="0-*")
    async with asyncio.timeout(DEADLINE_S):
        while not (listed := (await running.call("dead-letters", "list", "--json")).json):
            pass
    (letter,) = listed
    assert (letter["origin"]["stream"], letter["reason"]["code"]) == (CARDS.name, "not_json")
    assert "{broken" not in (await running.call("dead-letters", "list")).out
    shown = await running.call("dead-letters", "show", letter["id"], "--json")
    assert "original" not in shown.json
    whole = await running.call("dead-letters", "show", letter["id"], "--original", "--json")
    assert whole.json["original"] == "{broken"
    replayed = await running.call("dead-letters", "replay", letter["id"], "--json")
    assert replayed.json["stream"] == CARDS.name
    again = await running.call("dead-letters", "list", "--json")
    assert again.json[0]["replayed_to"] == [replayed.json["offset"]]
    missing = await running.call("dead-letters", "show", "none")
    assert missing.status == 2
    assert "There is no dead letter none" in missing.err


async def test_a_second_instance_is_refused_in_one_sentence(running: Running) -> None:
    elsewhere = await running.call("up", "--port", str(running.service.lookup_port))
    assert "cannot be listened on" in elsewhere.err
    lookup, monitor = free_ports()
    refused = await running.call("up", "--port", lookup, "--monitor-port", monitor)
    assert refused.status == 2
    assert f"already runs on {running.service.directory.root}" in refused.err
    assert len(refused.err.splitlines()) == 1


async def test_every_other_command_says_that_nothing_runs(tmp_path: Path) -> None:
    for command in (("status",), ("digest",), ("dead-letters", "list"), ("publish", "vn-tables")):
        called = await program(*command, settings={"LIENTHONG_DATA_DIR": str(tmp_path)})
        assert called.status == 2
        assert "lienthong up" in called.err
        assert called.out == ""


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
async def test_the_service_speaks_for_people_and_stops_cleanly(sign: signal.Signals) -> None:
    with tempfile.TemporaryDirectory(prefix="lienthong-") as directory:
        lookup, monitor = free_ports()
        process = await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-m",
                "lienthong",
                "up",
                "--data-dir",
                directory,
                "--port",
                lookup,
                "--monitor-port",
                monitor,
            ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        lines: list[str] = []
        async with asyncio.timeout(3 * DEADLINE_S):
            while "Ctrl+C" not in (lines or [""])[-1]:
                lines.append((await process.stdout.readline()).decode())
            process.send_signal(sign)
            rest, errors = await process.communicate()
        assert process.returncode == 0
        said = "".join(lines)
        assert f"http://127.0.0.1:{lookup}/docs" in said
        assert f"http://127.0.0.1:{monitor}" in said
        assert "Nothing that was acknowledged is lost" in rest.decode()
        assert all(json.loads(line)["level"] != "error" for line in errors.decode().splitlines())
