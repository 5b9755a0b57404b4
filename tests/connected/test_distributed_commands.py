"""An operator's first day with servers elsewhere: topics, a register, cards, a question, and what became of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import orjson
import pytest

from lienthong.cli.sources import load_register
from lienthong.domain.facts import digest_hex
from lienthong_schemas.streams import STREAMS
from tests.support.command_line import Called, program
from tests.support.distributed.installation import MASTER_KEY
from tests.support.real_service import UP, RealService, real_service
from tests.support.waiting import until_so

PARTITIONS = 6
QUESTION = {
    "presented": {"kind": "insurance_number", "number": "0000012345"},
    "facility_code": "01004",
    "clerk_id": "NV01",
    "on": "2025-08-01",
}


class Operator:
    """The service of one machine whose servers are all elsewhere, and the commands that reach it."""

    def __init__(self, service: RealService, environment: dict[str, str]) -> None:
        self.service = service
        self._settings = {"LIENTHONG_DATA_DIR": str(service.directory.root), **environment}
        self.read: list[str] = []

    async def calls(self, *arguments: str, given: bytes = b"") -> Called:
        """Call a command, which must succeed, and keep what an operator read of it."""
        called = await program(*arguments, given=given, settings=self._settings)
        assert called.status == 0, called.err
        self.read += [called.out, called.err]
        return called

    async def counted(self) -> bool:
        """Tell whether an answer has come through the log to the history."""
        async with httpx.AsyncClient(base_url=self.service.monitor_url) as monitor:
            return bool((await monitor.get("/v1/volumes", params={"by": "day"})).json()["lookups"])


@pytest.fixture
async def operator(empty_kafka: str, store_url: str, fresh_database: str) -> AsyncIterator[Operator]:
    environment = {
        "LIENTHONG_KAFKA_SERVERS": empty_kafka,
        "LIENTHONG_CARD_PARTITIONS": str(PARTITIONS),
        "LIENTHONG_PROJECTION_URL": store_url,
        "LIENTHONG_HISTORY_URL": fresh_database,
        "LIENTHONG_KEYS_URL": fresh_database,
        "LIENTHONG_MASTER_KEY": MASTER_KEY,
    }
    async with real_service(environment) as service:
        yield Operator(service, environment)


async def test_everything_elsewhere_is_set_up_run_asked_and_looked_at_by_commands(operator: Operator) -> None:
    made = await operator.calls("topics", "create", "--json")
    assert [topic["made"] for topic in made.json["topics"]] == [True] * len(STREAMS)
    await operator.service.start()
    await operator.calls("publish", "vn-tables", "--json")
    await operator.calls("generate", "cards", "--count", "60", "--publish")
    asked = ("check", "--json", "--url", operator.service.lookup_url)
    decision = (await operator.calls(*asked, given=orjson.dumps(QUESTION))).json
    assert (decision["outcome"], decision["card"]["number"]) == ("eligible", "HC4*******2345")
    await until_so(operator.counted)

    found = (await operator.calls("status", "--json")).json
    assert found["sound"]
    assert found["processes"].keys() == {UP}
    assert found["decisions"] == {"counted": 1, "lag": 0}
    assert set(found["lag"].values()) == {0}
    assert found["addresses"]["log"].startswith("kafka://127.0.0.1:")
    digest = (await operator.calls("digest", "--json")).json
    assert digest["register"]["facts_digest"] == digest_hex(load_register(["vn-tables"]).facts_digest)
    assert (digest["cards"]["facts"], len(digest["positions"]["cards.v1"])) == (60, PARTITIONS)
    volumes = await operator.calls("volumes", "--json", "--url", operator.service.monitor_url)
    assert volumes.json["lookups"] == 1
    assert (await operator.calls("topics", "check", "--json")).json["sound"]

    await operator.service.stop()
    assert kept(operator.service.directory.root) == {"run", "keys", "history", "VERSION", "account.log"}
    assert MASTER_KEY not in "".join(operator.read) + str(operator.service.accounts())


def kept(root: Path) -> set[str]:
    return {path.name for path in root.iterdir()}
