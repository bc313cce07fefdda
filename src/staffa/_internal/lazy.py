"""The one place where imports happen inside a function: what not each process needs."""

from __future__ import annotations

import importlib
from typing import Any

from staffa._internal.forks import unforked


def load(path: str) -> Any:
    """Return the attribute that ``module:attribute`` names, importing the module now.

    Example:
        >>> load("math:pi")
        3.141592653589793
    """
    module, _, attribute = path.partition(":")
    with unforked():
        return getattr(importlib.import_module(module), attribute)
