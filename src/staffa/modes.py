"""The modes of tests: what a client does with jobs where a test wants to see them.

A mode that is set here goes before the setting `testing` of each client. It holds for the whole
process, not for a task or a thread: a program under test enqueues from wherever it likes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

from staffa.errors import UnknownOption

TestingMode = Literal["manual", "inline"]
"""`manual`: jobs are only stored. `inline`: they run at once where they are enqueued."""

_modes: list[TestingMode] = []


def check_mode(given: object) -> TestingMode:
    """Return a mode, or refuse what is none.

    Raises:
        UnknownOption: Naming the nearest one.
    """
    for mode in get_args(TestingMode):
        if given == mode:
            found: TestingMode = mode
            return found
    raise UnknownOption("testing mode", str(given)[:100], get_args(TestingMode))


def current_mode(setting: TestingMode | None) -> TestingMode | None:
    """Return the mode of a client: the one that is set for the process, or its own."""
    return _modes[-1] if _modes else setting


@contextmanager
def mode(testing: TestingMode) -> Iterator[None]:
    """Have all clients of this process work in a mode, until the block ends.

    Args:
        testing: "manual": jobs are only stored, and `start` runs no queues. "inline": a job runs
            once, at once, where it is enqueued, and nothing is stored.

    Raises:
        UnknownOption: For a mode that does not exist.

    Example:
        >>> with mode("inline"):
        ...     current_mode(None)
        'inline'
    """
    _modes.append(check_mode(testing))
    try:
        yield
    finally:
        _modes.pop()
