"""The code by which the national portal names an answer; null where it has none for it."""

from lienthong.domain.verdict import Reason

_CODES: dict[Reason, str] = {
    Reason.IN_FORCE: "000",
    Reason.ENDED_IN_TREATMENT: "000",
    Reason.DEFENCE: "001",
    Reason.PUBLIC_SECURITY: "002",
    Reason.EARLIER_CARD_PRESENTED: "003",
    Reason.REISSUED: "003",
    Reason.NEXT_CARD_ISSUED: "004",
    Reason.ENDED: "010",
    Reason.GAP: "010",
    Reason.NOT_STARTED: "010",
    Reason.NO_RECORD: "050",
    Reason.MALFORMED: "051",
    Reason.OTHER_NAME: "060",
    Reason.OTHER_NAME_SAME_INITIALS: "061",
    Reason.OTHER_BIRTH: "070",
    Reason.WITHDRAWN: "110",
    Reason.REDUCED: "120",
    Reason.MOVED_OUT: "121",
    Reason.MOVED_WITHIN: "122",
    Reason.REJOINED: "123",
    Reason.STOPPED: "124",
    Reason.CHILD: "130",
    # These say nothing about the card, which is what could not be told.
    Reason.SPOILT_BY_INPUT_METHOD: "205",
    Reason.STORE_FAULT: "500",
    Reason.NOT_PROVEN: "500",
}


def portal_code(reason: Reason) -> str | None:
    """Return the portal's code; None for a card being reissued and an emergency without a card, which it cannot say."""
    return _CODES.get(reason)
