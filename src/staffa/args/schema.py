"""From an annotation to its converter.

An annotation that says nothing (none, `Any`, a class that is no model) leaves values as they are:
plain JSON. Those of pydantic's and msgspec's models are theirs; all others are converted here, so
they may be nested in each other.
"""

from __future__ import annotations

import collections.abc as abc
import inspect
import types
import typing
from enum import Enum
from pathlib import PurePath
from typing import Any

from staffa.args import containers
from staffa.args.choices import enum, literal
from staffa.args.converter import ANY, Converter, unfinished
from staffa.args.fields import find_fields, of_fields
from staffa.args.hints import hints_of
from staffa.args.libraries import is_msgspec, is_pydantic, of_msgspec, of_pydantic
from staffa.args.scalars import FLOAT, INT, NONE, SCALARS, STR, path, subclass
from staffa.args.unions import optional, union

_WRAPPERS = {"Required", "NotRequired", "ReadOnly", "Final", "ClassVar", "InitVar"}
_SEQUENCES = (abc.Sequence, abc.MutableSequence, abc.Iterable, abc.Collection)
_MAPPINGS = (abc.Mapping, abc.MutableMapping)
_SETS = (abc.Set, abc.MutableSet)


class Schema:
    """Makes converters, each once, so that types may contain themselves.

    Args:
        strict: Whether unknown keys of rows are errors.

    Example:
        >>> ids = Schema(strict=False).converter(dict[int, set[str]])
        >>> ids.encode({1: {"b", "a"}})
        {'1': ['a', 'b']}
        >>> ids.decode({"1": ["a"]})
        {1: {'a'}}
    """

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict
        self._made: dict[Any, Converter] = {}
        self._exact = self if strict else Schema(strict=True)

    def converter(self, annotation: Any) -> Converter:
        """Return the converter of an annotation."""
        annotation = _unwrap(annotation)
        if annotation in (Any, object, inspect.Parameter.empty):
            return ANY
        if type(annotation).__name__ == "TypeAliasType":
            return self._once(annotation, lambda: self.converter(annotation.__value__))
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        if origin is typing.Union or origin is types.UnionType:
            return self._union(arguments)
        if origin is typing.Literal:
            return literal(arguments)
        found = self._container(origin or annotation, arguments)
        return found or self._class(origin or annotation)

    def _union(self, arguments: tuple[Any, ...]) -> Converter:
        members = [self.converter(argument) for argument in arguments]
        if ANY in members:
            return ANY
        others = [member for member in members if member is not NONE]
        if len(others) == 1:
            return others[0] if len(members) == 1 else optional(others[0])
        return union(members, [self._exact.converter(argument) for argument in arguments])

    def _container(self, origin: Any, arguments: tuple[Any, ...]) -> Converter | None:
        if origin is tuple and arguments and arguments[-1] is not Ellipsis:
            return containers.fixed_tuple([self.converter(item) for item in arguments])
        first = self.converter(arguments[0]) if arguments else ANY
        if origin is list:
            return containers.array("list", first, list, list)
        if origin is tuple:
            return containers.array("tuple", first, tuple, tuple)
        if origin in _SEQUENCES:
            return containers.array("list or tuple", first, (list, tuple), list)
        if origin in (set, frozenset):
            return containers.array(origin.__name__, first, origin, origin)
        if origin in _SETS:
            return containers.array("set", first, (set, frozenset), set)
        if origin is dict or origin in _MAPPINGS:
            second = self.converter(arguments[1]) if len(arguments) > 1 else ANY
            return containers.mapping(first, second, dict if origin is dict else abc.Mapping)
        return None

    def _class(self, found: Any) -> Converter:
        if isinstance(found, abc.Hashable) and found in SCALARS:
            return SCALARS[found]
        if not isinstance(found, type):
            return ANY
        if issubclass(found, Enum):
            return self._once(found, lambda: enum(found))
        if issubclass(found, PurePath):
            return path(found)
        return self._once(found, lambda: self._model(found))

    def _model(self, model: type) -> Converter:
        if is_pydantic(model):
            return of_pydantic(model, strict=self._strict)
        if is_msgspec(model):
            return of_msgspec(model, strict=self._strict)
        hints: dict[str, Any] = {}

        def hint_of(name: str) -> Any:
            if not hints:
                hints.update(hints_of(model))
            return hints.get(name, Any)

        fields = find_fields(model, hint_of, self.converter)
        if fields is not None:
            return of_fields(model, fields, strict=self._strict)
        for base in (STR, INT, FLOAT):
            if base.python_type is not None and issubclass(model, base.python_type):
                return subclass(model, base)
        return ANY

    def _once(self, key: Any, make: abc.Callable[[], Converter]) -> Converter:
        """Make a converter once; while it is made, what it contains gets an unfinished one."""
        if key not in self._made:
            placeholder = unfinished(getattr(key, "__name__", "value"))
            self._made[key] = placeholder
            made = make()
            if made is ANY:
                self._made[key] = ANY
            else:
                placeholder.become(made)
        return self._made[key]


def _unwrap(annotation: Any) -> Any:
    """Return what an annotation says of the value, without what it says of anything else."""
    while True:
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated or getattr(origin, "_name", None) in _WRAPPERS:
            annotation = typing.get_args(annotation)[0]
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif isinstance(annotation, typing.TypeVar):
            annotation = annotation.__bound__ or Any
        else:
            return annotation
