"""Writes log lines that carry no person: one canonical line a message, masked once more on the way out."""

import logging
import re
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import orjson
import structlog
from structlog.contextvars import bound_contextvars, get_contextvars, merge_contextvars
from structlog.typing import EventDict, Processor, WrappedLogger

WITHHELD = "(withheld)"
# How much of a stack a line carries; the innermost frames are the ones that say where it went wrong.
FRAMES_MAX = 8
# With its brokers away a client of Kafka says the same hundreds of times a second.
REPEATED_AFTER_S = 10.0

# Keys whose values are a person's or a desk's whatever they look like; none of them belongs in a log.
PERSONAL_KEYS = frozenset(
    {
        "address",
        "birth",
        "body",
        "card",
        "citizen_id",
        "citizen_ids",
        "clerk_id",
        "data",
        "detail",
        "fields",
        "full_name",
        "holder",
        "hoten",
        "insurance_number",
        "key",
        "mathe",
        "name",
        "number",
        "original",
        "password",
        "payload",
        "presented",
        "question",
        "text",
        "token",
        "value",
    }
)

# A UUID may end in twelve digits, so it is recognised first and left alone. Cards have 10 digits or two letters and
# 13 digits, citizen IDs 12 digits.
_NUMBERS = re.compile(
    r"(?P<uuid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?<![0-9A-Za-z])(?:[A-Za-z]{2}\d{13}|\d{12}|\d{10})(?![0-9A-Za-z])"
)

# What every number in question has; a line without it need not be looked at closely.
_DIGITS = re.compile(r"\d{10}")


def configure(level: str = "info", form: Literal["json", "console"] = "json", stream: TextIO | None = None) -> None:
    """Send every log line of this process, ours and the libraries', through the same processors to `stream`.

    Standard error is meant where no stream is given. Calling it again replaces what was configured.
    """
    shared: list[Processor] = [
        merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        say_fault,
        withhold,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    renderer = structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=False)
    handler = _LineHandler(sys.stderr if stream is None else stream, plain=form == "json")
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[*shared, structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
        )
    )
    handler.addFilter(_Seldom("aiokafka"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # An access log is made of URLs, and a URL of another system's dialect may hold a number or a password.
    logging.getLogger("uvicorn.access").disabled = True
    # At INFO these tell of every step of a consumer group and of a schema's migration, by the dozen at each start.
    for chatty in ("aiokafka", "alembic"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


class _LineHandler(logging.StreamHandler[TextIO]):
    """Where the lines go; `plain` says that they are JSON, so that they may also be written without structlog."""

    def __init__(self, stream: TextIO, *, plain: bool) -> None:
        super().__init__(stream)
        self.plain = plain

    def write(self, line: str) -> None:
        """Write a line that is ready."""
        with self.lock or nullcontext():
            self.stream.write(line)
            self.stream.flush()


class _Seldom(logging.Filter):
    """Lets one library say the same only every REPEATED_AFTER_S, whatever it says it of."""

    def __init__(self, library: str) -> None:
        super().__init__(library)
        self._said_at: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not super().filter(record):
            return True
        words, now = (record.name, str(record.msg)), time.monotonic()
        if now - self._said_at.get(words, -REPEATED_AFTER_S) < REPEATED_AFTER_S:
            return False
        self._said_at[words] = now
        return True


class FrequentLog:
    """Writes the line of what happens thousands of times a second: the same as structlog's at a tenth of its cost."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._levels = logging.getLogger(name)

    def info(self, event: str, **facts: str | float | None) -> None:
        """Write the line where its level is wanted: facts are texts, durations and yes or no, masked once more."""
        if not self._levels.isEnabledFor(logging.INFO):
            return
        handlers = logging.getLogger().handlers
        handler = handlers[0] if len(handlers) == 1 else None
        if not isinstance(handler, _LineHandler) or not handler.plain or _needs_care(facts):
            structlog.stdlib.get_logger(self._name).info(event, **facts)
            return
        at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        line = orjson.dumps({**facts, "event": event, "level": "info", "logger": self._name, "at": at}).decode()
        handler.write(f"{_NUMBERS.sub(_masked, line) if _DIGITS.search(line) else line}\n")


def _needs_care(facts: Mapping[str, Any]) -> bool:
    return not PERSONAL_KEYS.isdisjoint(facts) or bool(get_contextvars())


@contextmanager
def canonical_line(event: str, **ids: Any) -> Iterator[dict[str, Any]]:
    """Write one line when the block ends, with `ids`, what the block adds to the yielded dict, and how long it took.

    The ids are bound meanwhile, so that a line written further down carries them too.
    """
    log = structlog.stdlib.get_logger("lienthong")
    facts: dict[str, Any] = {}
    began = time.perf_counter()
    with bound_contextvars(**ids):
        try:
            yield facts
        except BaseException as fault:
            facts["fault"] = type(fault).__name__
            raise
        finally:
            log.info(event, **facts, duration_ms=round((time.perf_counter() - began) * 1000, 3))


def say_fault(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace an exception by its type and the frames it passed.

    Its message and the frames' variables stay out: a validation error repeats its input, and the input is a person.
    """
    given = event.pop("exc_info", None)
    record = event.get("_record")
    if given is None and record is not None:
        given = record.exc_info
        record.exc_info = record.exc_text = None
    if given is True:
        given = sys.exc_info()
    fault = given[1] if isinstance(given, tuple) else given
    if isinstance(fault, BaseException):
        frames = traceback.extract_tb(fault.__traceback__)[-FRAMES_MAX:]
        event["fault"] = type(fault).__name__
        event["where"] = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
    return event


def withhold(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask what must not be in a line should it have got there: the last line of defence, not the first."""
    return {name: value if name.startswith("_") else _without_person(name, value) for name, value in event.items()}


def _without_person(name: str, value: Any) -> Any:
    if name.lower() in PERSONAL_KEYS:
        return WITHHELD
    if isinstance(value, Mapping):
        return {str(inner): _without_person(str(inner), part) for inner, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_without_person("", part) for part in value]
    if isinstance(value, bool | float) or value is None:
        return value
    if isinstance(value, int):
        return WITHHELD if _NUMBERS.fullmatch(str(abs(value))) else value
    return _NUMBERS.sub(_masked, value if isinstance(value, str) else repr(value))


def _masked(found: re.Match[str]) -> str:
    return found[0] if found["uuid"] is not None else WITHHELD
