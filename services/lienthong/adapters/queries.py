"""What queries over HTTP are made of."""

import re
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _written_out(value: Any) -> Any:
    if isinstance(value, str) and _DAY.fullmatch(value) is None:
        # pydantic alone would take a number for seconds since 1970, and answer for a day that nobody meant.
        message = "is not a day as YYYY-MM-DD"
        raise ValueError(message)
    return value


IsoDay = Annotated[date, BeforeValidator(_written_out)]
"""A day as YYYY-MM-DD and in no other way."""
