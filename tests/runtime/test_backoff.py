import pytest

from lienthong.runtime.backoff import Backoff


class Flaky:
    def __init__(self, failures: int, fault: type[Exception] = ConnectionError) -> None:
        self.calls = 0
        self._failures = failures
        self._fault = fault

    async def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self._failures:
            raise self._fault
        return "done"


class Pauses(list[float]):
    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


async def test_it_tries_until_it_succeeds_and_waits_no_longer_than_the_bound() -> None:
    flaky, pauses, heard = Flaky(30), Pauses(), list[int]()
    answer = await Backoff(first_s=0.05, most_s=2.0).run(
        flaky, wait=pauses, on_fault=lambda _fault, attempts: heard.append(attempts)
    )
    assert answer == "done"
    assert heard == list(range(1, 31))
    assert all(0 <= pause <= 2.0 for pause in pauses)
    assert len(set(pauses)) > 20


async def test_after_the_last_attempt_the_fault_is_raised() -> None:
    flaky = Flaky(5)
    with pytest.raises(ConnectionError):
        await Backoff(attempts=3).run(flaky, wait=Pauses())
    assert flaky.calls == 3


async def test_a_fault_that_waiting_does_not_cure_is_raised_at_once() -> None:
    flaky = Flaky(5, ValueError)
    with pytest.raises(ValueError):  # noqa: PT011  # the fault has no text
        await Backoff(faults=(ConnectionError,)).run(flaky, wait=Pauses())
    assert flaky.calls == 1


async def test_a_function_that_only_returns_a_coroutine_is_awaited_too() -> None:
    flaky = Flaky(1)
    assert await Backoff().run(lambda: flaky(), wait=Pauses()) == "done"  # noqa: PLW0108  # this form is the point
