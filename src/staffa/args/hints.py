"""The annotations of functions and classes, resolved: names that can't be found count as none.

They are resolved when they are first needed, so that a module may define a type below the function
that takes it. What is imported for type checkers only is not there at run time: its values are
plain JSON, and the log says so.
"""

from __future__ import annotations

import inspect
import logging
import sys
import types
import typing
from typing import Any

logger = logging.getLogger("staffa")


def hints_of(owner: Any) -> dict[str, Any]:
    """Return the annotations of a function or class by name; `Any` for an unresolvable one.

    Example:
        >>> def greet(name: str, order: "Missing" = None) -> None: ...
        >>> hints_of(greet)
        {'name': <class 'str'>, 'order': typing.Any, 'return': <class 'NoneType'>}
    """
    try:
        return typing.get_type_hints(owner, include_extras=True)
    except Exception:  # noqa: BLE001  # an annotation may be any expression
        return _one_by_one(owner)


def _one_by_one(owner: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for source in reversed(owner.__mro__) if isinstance(owner, type) else (owner,):
        module = sys.modules.get(getattr(source, "__module__", ""), None)
        names = getattr(inspect.unwrap(source), "__globals__", None) or vars(module or types)
        for name, annotation in _annotations(source).items():
            found[name] = _resolve(owner, name, annotation, names)
    return found


def _annotations(source: Any) -> dict[str, Any]:
    try:
        return inspect.get_annotations(source)
    except Exception:  # noqa: BLE001  # it has none that can be read
        return {}


def _resolve(owner: Any, name: str, annotation: Any, names: dict[str, Any]) -> Any:
    one = types.SimpleNamespace(__annotations__={name: annotation})
    try:
        return typing.get_type_hints(one, names, include_extras=True)[name]
    except Exception as error:  # noqa: BLE001  # an annotation may be any expression
        logger.warning(
            "%s: the annotation of %r can't be resolved, so its values are plain JSON: %s",
            getattr(owner, "__qualname__", owner),
            name,
            error,
        )
        return Any
