"""What a function gives for texts that come again and again, each worked out once."""

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Memo(dict[str, T], Generic[T]):
    """A subscript is half the price of a call that is remembered; with `entries_max` texts it begins anew.

    What the function raises is raised by the subscript, each time.
    """

    def __init__(self, make: Callable[[str], T], entries_max: int) -> None:
        super().__init__()
        self._make = make
        self._entries_max = entries_max

    def __missing__(self, text: str) -> T:
        if len(self) >= self._entries_max:
            self.clear()
        made = self[text] = self._make(text)
        return made
