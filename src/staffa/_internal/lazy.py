"""The one place where imports happen inside a function: drivers load when they are needed.

A fork waits for such an import on another thread to end: the child would inherit the lock of the
module that is being imported, held for ever by a thread that it does not have.
"""

from __future__ import annotations

import importlib
import os
import threading
from typing import Any

_PATIENCE_SECONDS = 5.0  # should the import itself wait for the thread that forks

_importing = threading.RLock()
_waited = False


def load(path: str) -> Any:
    """Return the attribute that ``module:attribute`` names, importing the module now.

    Example:
        >>> load("math:pi")
        3.141592653589793
    """
    module, _, attribute = path.partition(":")
    with _importing:
        return getattr(importlib.import_module(module), attribute)


def _before_fork() -> None:
    global _waited  # noqa: PLW0603
    _waited = _importing.acquire(timeout=_PATIENCE_SECONDS)


def _after_fork_in_parent() -> None:
    if _waited:
        _importing.release()


def _after_fork_in_child() -> None:
    global _importing  # noqa: PLW0603
    _importing = threading.RLock()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork_in_parent,
    after_in_child=_after_fork_in_child,
)
