from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong.runtime.clock import SystemClock, vietnam_today


def test_the_systems_clock_tells_aware_utc() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("utc", "day"),
    [
        (datetime(2025, 6, 30, 16, 59, 59, tzinfo=UTC), date(2025, 6, 30)),
        (datetime(2025, 6, 30, 17, 0, 0, tzinfo=UTC), date(2025, 7, 1)),
        (datetime(2025, 6, 30, 23, 59, 59, tzinfo=UTC), date(2025, 7, 1)),
        (datetime(2025, 7, 1, 0, 0, 0, tzinfo=UTC), date(2025, 7, 1)),
        (datetime(2025, 7, 1, 16, 59, 59, tzinfo=UTC), date(2025, 7, 1)),
    ],
)
def test_a_day_begins_at_midnight_in_vietnam(utc: datetime, day: date) -> None:
    assert vietnam_today(utc) == day


@given(st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001  # UTC is added
def test_vietnam_is_seven_hours_ahead_all_year(naive: datetime) -> None:
    now = naive.replace(tzinfo=UTC)
    assert vietnam_today(now) == (now + timedelta(hours=7)).date()
