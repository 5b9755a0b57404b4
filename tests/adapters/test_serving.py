"""A process serves no longer than the work goes on that its answers rely on."""

import asyncio
from typing import NoReturn

import pytest
from starlette.applications import Starlette

from lienthong.adapters.serving import serve


async def test_serving_ends_with_the_fault_of_the_work_that_it_relies_on() -> None:
    async def work() -> NoReturn:
        await asyncio.sleep(0.05)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await asyncio.wait_for(serve(Starlette(), "127.0.0.1", 0, (asyncio.create_task(work()),)), 10)
