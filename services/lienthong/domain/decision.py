"""The answer to a desk: decide(question, found, register) -> Decision, pure."""

from lienthong.domain.answer import (
    Decision,
    Finding,
    Found,
    Freshness,
    NoRecord,
    Notice,
    Outcome,
    PaymentHere,
    ShownCard,
    ShownHolder,
    ShownPeriod,
    ShownPlace,
    StoreFault,
)

__all__ = [
    "Decision",
    "Finding",
    "Found",
    "Freshness",
    "NoRecord",
    "Notice",
    "Outcome",
    "PaymentHere",
    "ShownCard",
    "ShownHolder",
    "ShownPeriod",
    "ShownPlace",
    "StoreFault",
]
