"""Requests that arrive together travel together, and what befalls one of them is its own affair."""

import asyncio
from collections.abc import Sequence

import pytest

from lienthong.adapters.coalescing import BATCH_MAX, Coalescer, Patience
from tests.support.waiting import until

TIMEOUT_S = 5.0


class Server:
    """Answers with the square of each request, when it is let to."""

    def __init__(self) -> None:
        self.trips: list[list[int]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def send(self, requests: Sequence[int]) -> list[int]:
        """Answer one round trip; a negative request is more than the server can take."""
        self.trips.append(list(requests))
        await self.open.wait()
        if min(requests) < 0:
            raise ConnectionError
        return [request * request for request in requests]


async def test_a_lone_request_leaves_at_once() -> None:
    server = Server()
    assert await Coalescer(server.send, TIMEOUT_S).ask(3) == 9
    assert server.trips == [[3]]


async def test_requests_that_arrive_during_a_round_trip_share_the_next() -> None:
    server = Server()
    server.open.clear()
    coalescer = Coalescer(server.send, TIMEOUT_S)
    first = asyncio.create_task(coalescer.ask(0))
    await until(lambda: server.trips)
    others = [asyncio.create_task(coalescer.ask(number)) for number in range(1, BATCH_MAX + 11)]
    await asyncio.sleep(0)
    server.open.set()
    assert await asyncio.gather(first, *others) == [number * number for number in range(BATCH_MAX + 11)]
    assert [len(trip) for trip in server.trips] == [1, BATCH_MAX, 10]


async def test_a_requester_that_stops_waiting_takes_nothing_from_the_others() -> None:
    server = Server()
    server.open.clear()
    coalescer = Coalescer(server.send, TIMEOUT_S)
    tasks = [asyncio.create_task(coalescer.ask(number)) for number in range(4)]
    await until(lambda: server.trips)
    late = asyncio.create_task(coalescer.ask(5))
    await asyncio.sleep(0)
    tasks[1].cancel()
    late.cancel()
    server.open.set()
    answers = await asyncio.gather(tasks[0], tasks[2], tasks[3])
    assert list(answers) == [0, 4, 9]
    assert await coalescer.ask(6) == 36
    assert [trip for trip in server.trips if trip in ([], [5])] == []


async def test_a_fault_is_heard_by_all_who_travelled_and_by_nobody_else() -> None:
    server = Server()
    coalescer = Coalescer(server.send, TIMEOUT_S)
    answers = await asyncio.gather(coalescer.ask(-1), coalescer.ask(2), return_exceptions=True)
    assert [type(answer) for answer in answers] == [ConnectionError, ConnectionError]
    assert await coalescer.ask(2) == 4


async def test_a_round_trip_that_takes_too_long_is_given_up_and_the_next_one_goes() -> None:
    server = Server()
    server.open.clear()
    coalescer = Coalescer(server.send, 0.01)
    with pytest.raises(TimeoutError):
        await coalescer.ask(1)
    server.open.set()
    assert await coalescer.ask(2) == 4


async def test_whoever_waits_too_long_is_told_and_nobody_before_their_time() -> None:
    loop = asyncio.get_running_loop()
    patience = Patience(0.05)
    for _ in range(2):
        futures: list[asyncio.Future[None]] = [loop.create_future() for _ in range(3)]
        began = loop.time()
        for future in futures:
            patience.watch(future)
        futures[1].set_result(None)
        results = await asyncio.gather(*futures, return_exceptions=True)
        assert [type(result) for result in results] == [TimeoutError, type(None), TimeoutError]
        assert loop.time() - began >= 0.05
