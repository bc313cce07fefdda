"""Reports of errors that stop nothing: to the log and to the listeners."""

from __future__ import annotations

import logging

from staffa.telemetry.catalogue import ErrorSurvived
from staffa.telemetry.events import emit

logger = logging.getLogger("staffa")


def report(what: str, error: BaseException, *, level: int = logging.ERROR) -> None:
    """Log an error that something survived, and emit it as ``staffa.error``.

    Args:
        what: What could not be done, for the log's first line.
        error: Why.
        level: The log's level; below ERROR the traceback is left out.
    """
    traceback = error if level >= logging.ERROR else None
    logger.log(level, "%s: %s: %s", what, type(error).__name__, error, exc_info=traceback)
    emit(ErrorSurvived, what=what, error=error)
