"""How many rows a statement takes: fewer where it takes too long, more again once it does not.

A database may end statements after a while (``statement_timeout``). One that takes thousands of
rows would otherwise be ended and tried again for ever, while its rows become more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from staffa.errors import StatementConflict

_QUERY_CANCELLED = "57014"
_SHRINKING = 4
_GROWING = 2


def takes_too_long(error: BaseException) -> bool:
    """Tell whether the database has ended a statement, most likely because of its length."""
    return isinstance(error, StatementConflict) and error.sqlstate == _QUERY_CANCELLED


class Portion:
    """A number of rows that shrinks and grows.

    Args:
        largest: What it begins with, and never exceeds.

    Example:
        >>> portion = Portion(5000)
        >>> try:
        ...     with portion.tried(wanted=100):
        ...         raise StatementConflict("canceled", sqlstate="57014")
        ... except StatementConflict:
        ...     portion.size
        25
    """

    def __init__(self, largest: int) -> None:
        self.size = largest
        self._largest = largest

    @contextmanager
    def tried(self, wanted: int | None = None) -> Iterator[int]:
        """Run a statement that takes so many rows; what it raises is raised.

        Args:
            wanted: How many are wanted; all that is allowed if not given.
        """
        taken = self.size if wanted is None else min(wanted, self.size)
        try:
            yield taken
        except StatementConflict as error:
            if takes_too_long(error):
                self.size = max(taken // _SHRINKING, 1)
            raise
        self.size = min(self.size * _GROWING, self._largest)
