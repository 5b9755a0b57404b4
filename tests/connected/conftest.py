"""Lets the processes under test log as they do when they run, and not in the pictures of a developer's terminal."""

import logging as standard
from collections.abc import Iterator

import pytest
import structlog

from lienthong.runtime import logging


@pytest.fixture(autouse=True)
def _logged_as_in_service() -> Iterator[None]:
    root = standard.getLogger()
    handlers, level = root.handlers[:], root.level
    logging.configure("warning")
    yield
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level
