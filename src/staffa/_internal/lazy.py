"""The one place where imports happen inside a function: what not each process needs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
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


def exporter(package: str, exports: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package that imports what it exports when it is asked for.

    A process that runs jobs for another one needs a third of ours, and imports nothing else.
    Modules of the package are found in the same way.

    Args:
        package: The package.
        exports: By name, where it is: ``module``, or ``module:attribute`` under another name.
    """

    def find(name: str) -> Any:
        if name in exports:
            module, _, attribute = exports[name].partition(":")
            found = load(f"{module}:{attribute or name}")
        elif name.startswith("_"):  # asked for by those who look whether there is such a thing
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        else:
            found = _find_module(package, name)
        setattr(sys.modules[package], name, found)
        return found

    return find


def _find_module(package: str, name: str) -> Any:
    path = f"{package}.{name}"
    try:
        with unforked():
            return importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name != path:
            raise
        raise AttributeError(f"module {package!r} has no attribute {name!r}") from None
