"""The values that a function returns, by its annotation: how results are recorded."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from typing import Any

from staffa.args.converter import ANY, Converter
from staffa.args.hints import hints_of
from staffa.args.schema import Schema
from staffa.results import Cancel, Discard, Record, Snooze

_OUTCOMES = (Cancel, Discard, Record, Snooze)


class ReturnCodec:
    """What a function returns, made plain.

    Args:
        function: The function; its annotation is the schema, outcomes such as `Cancel` left out.

    Example:
        >>> from uuid import UUID
        >>> def find(name: str) -> UUID | Cancel: ...
        >>> ReturnCodec(find).encode(UUID(int=1))
        '00000000-0000-0000-0000-000000000001'
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._converter: Converter | None = None

    def encode(self, value: Any) -> Any:
        """Return a plain value.

        Raises:
            Mismatch: If it is not what the annotation says.
        """
        if self._converter is None:
            annotation = _without_outcomes(hints_of(self._function).get("return", Any))
            self._converter = Schema(strict=False).converter(annotation)
        return value if self._converter is ANY else self._converter.encode(value)


def _without_outcomes(annotation: Any) -> Any:
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return Any if annotation in _OUTCOMES else annotation
    members = tuple(part for part in typing.get_args(annotation) if part not in _OUTCOMES)
    return typing.Union[members] if members else Any  # noqa: UP007  # they are known at run time
