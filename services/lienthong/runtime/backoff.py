"""Tries again after a fault, waiting longer each time and never in step with others."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import tenacity

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How to wait: a random time up to a bound that doubles from `first_s` to `most_s`.

    `attempts` None tries for ever; `faults` are the exceptions that another attempt may cure.
    """

    first_s: float = 0.05
    most_s: float = 5.0
    attempts: int | None = None
    faults: tuple[type[Exception], ...] = (Exception,)

    async def run(
        self,
        call: Callable[[], Awaitable[T]],
        *,
        on_fault: Callable[[BaseException, int], None] = lambda _fault, _attempt: None,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> T:
        """Return what `call` returns, trying until it does.

        `on_fault` hears of each fault and the number of attempts so far before the wait; `wait` may return early
        or raise to give up. After the last attempt its fault is raised.
        """

        def heard(state: tenacity.RetryCallState) -> None:
            fault = state.outcome.exception() if state.outcome is not None else None
            if fault is not None:
                on_fault(fault, state.attempt_number)

        retrying = tenacity.AsyncRetrying(
            sleep=wait,
            stop=tenacity.stop_never if self.attempts is None else tenacity.stop_after_attempt(self.attempts),
            wait=tenacity.wait_random_exponential(multiplier=self.first_s, max=self.most_s),
            retry=tenacity.retry_if_exception_type(self.faults),
            before_sleep=heard,
            reraise=True,
        )

        async def attempt() -> T:
            # tenacity awaits coroutine functions alone, so a lambda that returns a coroutine needs this one.
            return await call()

        return await retrying(attempt)
