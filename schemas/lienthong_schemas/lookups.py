"""Look-ups as events: the question, and its answer."""

from lienthong_schemas.decisions import Decision
from lienthong_schemas.questions import Question
from lienthong_schemas.vocabulary import EventId, Message


class LookupRequested(Message):
    """`lookup.requested`: one question; the event's id is the look-up's, its subject the asking facility."""

    question: Question

    def expected_subject(self) -> str:
        """Return the asking facility's code."""
        return self.question.facility_code


class LookupAnswered(Message):
    """`lookup.answered`: the whole answer to a look-up; the event's subject is the facility that asked."""

    lookup_id: EventId
    decision: Decision
