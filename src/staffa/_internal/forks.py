"""What must not be under way while the process forks: imports, above all.

A child would inherit the lock of a module that another thread is importing, held for ever by a
thread that it does not have. So a fork waits for what is done `unforked` on other threads.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_PATIENCE_SECONDS = 5.0  # should what goes on wait for the thread that forks

_busy = threading.RLock()
_held = False


@contextmanager
def unforked() -> Iterator[None]:
    """Have forks of other threads wait until this is done; it must be quick."""
    with _busy:
        yield


def _before() -> None:
    global _held  # noqa: PLW0603
    _held = _busy.acquire(timeout=_PATIENCE_SECONDS)


def _after_in_parent() -> None:
    if _held:
        _busy.release()


def _after_in_child() -> None:
    global _busy  # noqa: PLW0603
    _busy = threading.RLock()


os.register_at_fork(
    before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
)
