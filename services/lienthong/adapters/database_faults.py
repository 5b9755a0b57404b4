"""What may be wrong with an SQL database, for those who would not use one otherwise."""


class DatabaseAway(OSError):
    """A database did not do what was asked of it; a later attempt may succeed. The text repeats no stored value."""

    def __init__(self, name: str, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{name} is away: {reason}")


class DatabaseRefused(Exception):
    """A database cannot be used as it was set; the text says why."""
