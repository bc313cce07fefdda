"""Reports of errors that stop nothing: to the log and to the listeners."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from staffa._internal.lazy import load
from staffa.errors import DatabaseUnavailable
from staffa.telemetry.events import emit

logger = logging.getLogger("staffa")

_FIRST_GAP_SECONDS = 10.0
_LONGEST_GAP_SECONDS = 60.0


def report(what: str, error: BaseException, *, level: int = logging.ERROR) -> None:
    """Log an error that something survived, and emit it as ``staffa.error``.

    Args:
        what: What could not be done, for the log's first line.
        error: Why.
        level: The log's level; below ERROR the traceback is left out.
    """
    traceback = error if level >= logging.ERROR else None
    logger.log(level, "%s: %s: %s", what, type(error).__name__, error, exc_info=traceback)
    _emit(what, error)


def _emit(what: str, error: BaseException) -> None:
    event = load("staffa.telemetry.catalogue:ErrorSurvived")  # a child that computes has no other
    emit(event, what=what, error=error)


class Outages:
    """The reports of one loop, which tries again for ever while the database is away.

    The log has the beginning of an outage, then a line after gaps that grow to a minute, and the
    end. Listeners get every error, and other errors are reported as they are.

    Args:
        who: What is tried again, for the log's last line.
        monotonic: The clock.

    Example:
        >>> outages = Outages("the heartbeat")
        >>> outages.report("the heartbeat will be tried again", DatabaseUnavailable("refused"))
        >>> outages.end()
    """

    def __init__(self, who: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._who = who
        self._monotonic = monotonic
        self._began_at: float | None = None
        self._next_at = 0.0
        self._gap = _FIRST_GAP_SECONDS

    def report(self, what: str, error: BaseException, *, level: int = logging.WARNING) -> None:
        """Report an error that it survived; see `report`."""
        if isinstance(error, DatabaseUnavailable) and not self._is_due():
            _emit(what, error)
        else:
            report(what, error, level=level)

    def end(self) -> None:
        """Tell that the database is back, if it was away; to be called after each success."""
        if self._began_at is None:
            return
        seconds = self._monotonic() - self._began_at
        self._began_at = None
        logger.info("%s goes on: the database was away for %.1f s", self._who, seconds)

    def _is_due(self) -> bool:
        now = self._monotonic()
        if self._began_at is None:
            self._began_at, self._gap = now, _FIRST_GAP_SECONDS
        elif now < self._next_at:
            return False
        self._next_at = now + self._gap
        self._gap = min(2 * self._gap, _LONGEST_GAP_SECONDS)
        return True
