"""Errors of jobs as text that can be stored."""

from __future__ import annotations

import traceback
from types import TracebackType

from staffa._internal.json import clean
from staffa.errors import ProcessJobError

LONGEST_ERROR = 64 * 1024
"""How many characters are stored of an error."""


def describe_error(error: BaseException) -> str:
    """Return an error with its traceback as text that can be stored, without our own frames.

    Of an error of a process of its own, it is the text that was made there.
    """
    if isinstance(error, ProcessJobError) and error.traceback:
        return _shorten(error.traceback)
    frames = _users_part(error.__traceback__)
    try:
        lines = traceback.format_exception(type(error), error, frames)
    except Exception:  # noqa: BLE001  # an error of users' making may refuse to be printed
        lines = [*traceback.format_tb(frames), f"{type(error).__qualname__}: it can't be printed"]
    return _shorten("".join(lines))


def _shorten(text: str) -> str:
    text = clean(text).rstrip()
    return text if len(text) <= LONGEST_ERROR else f"...\n{text[-LONGEST_ERROR:]}"


def _users_part(frames: TracebackType | None) -> TracebackType | None:
    """Return a traceback from the first frame that is not ours."""
    while frames is not None and frames.tb_frame.f_globals.get("__name__", "").startswith(
        "staffa."
    ):
        frames = frames.tb_next
    return frames
