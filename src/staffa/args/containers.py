"""Lists, tuples, sets and dicts."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from staffa._internal import json
from staffa.args.converter import ANY, Converter, Kind, Mismatch, refuse

_ARRAY: frozenset[Kind] = frozenset({"array"})
_OBJECT: frozenset[Kind] = frozenset({"object"})
_STRING: frozenset[Kind] = frozenset({"string"})
_SCALAR: frozenset[Kind] = frozenset({"boolean", "number", "null"})


def array(
    name: str,
    item: Converter,
    accepts: type | tuple[type, ...],
    make: Callable[[list[Any]], Any],
) -> Converter:
    """Return the converter of a collection of one type of items.

    Args:
        name: How errors name it.
        item: Converts the items.
        accepts: The classes of its values.
        make: Makes the value of a list; `list` itself takes the list as it is.
    """
    python_type = accepts if isinstance(accepts, type) else accepts[0]
    is_list = make is list
    is_set = issubclass(python_type, set | frozenset)

    def encode(value: Any) -> Any:
        if not isinstance(value, accepts) or not isinstance(value, Iterable):
            raise refuse(name, value)
        if item is ANY and type(value) is list:
            return value
        plain = _each(item.encode, value)
        return sorted(plain, key=json.dumps) if is_set else plain  # equal sets, equal args

    def decode(value: Any) -> Any:
        if type(value) is not list:
            raise refuse(name, value)
        found = value if item is ANY else _each(item.decode, value)
        if is_list:
            return found
        try:
            return make(found)
        except TypeError:
            raise Mismatch(f"has an item that no {name} can hold") from None

    return Converter(name, encode, decode, kinds=_ARRAY, python_type=python_type)


def fixed_tuple(items: Sequence[Converter]) -> Converter:
    """Return the converter of ``tuple[A, B]``."""
    name = f"tuple of {len(items)}"

    def convert(value: Any, ways: Sequence[Callable[[Any], Any]]) -> list[Any]:
        if len(value) != len(ways):
            raise Mismatch(f"expected {len(ways)} items, not {len(value)}")
        found = []
        for index, (way, item) in enumerate(zip(ways, value, strict=True)):
            try:
                found.append(way(item))
            except Mismatch as error:
                raise error.within(f"[{index}]") from None
        return found

    def encode(value: Any) -> list[Any]:
        if not isinstance(value, tuple):
            raise refuse(name, value)
        return convert(value, [item.encode for item in items])

    def decode(value: Any) -> tuple[Any, ...]:
        if type(value) is not list:
            raise refuse(name, value)
        return tuple(convert(value, [item.decode for item in items]))

    return Converter(name, encode, decode, kinds=_ARRAY, python_type=tuple)


def mapping(key: Converter, value: Converter, accepts: type) -> Converter:
    """Return the converter of ``dict[K, V]``; keys become texts, as JSON has no others."""
    plain_keys = key is ANY or key.python_type is str
    to_text = _same if key is ANY else functools.partial(_to_text, key)
    from_text = _same if plain_keys else functools.partial(_from_text, key)

    def encode(given: Any) -> Any:
        if not isinstance(given, accepts) or not isinstance(given, Mapping):
            raise refuse("dict", given)
        if key is ANY and value is ANY:
            return dict(given)
        found = _each_item(given, to_text, value.encode)
        if len(found) != len(given):
            raise Mismatch("has two keys of the same text")
        return found

    def decode(given: Any) -> Any:
        if type(given) is not dict:
            raise refuse("dict", given)
        if plain_keys and value is ANY:
            return given
        return _each_item(given, from_text, value.decode)

    return Converter("dict", encode, decode, kinds=_OBJECT, python_type=dict)


def _same(key: Any) -> Any:
    return key


def _each_item(
    given: Mapping[Any, Any], convert_key: Callable[[Any], Any], convert: Callable[[Any], Any]
) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    key = None
    try:
        for key, item in given.items():
            found[convert_key(key)] = convert(item)
    except Mismatch as error:
        raise error.within(f"[{_shown(key)}]", data=True) from None
    return found


def _each(convert: Callable[[Any], Any], values: Any) -> list[Any]:
    found: list[Any] = []
    try:
        for value in values:
            found.append(convert(value))  # noqa: PERF401  # its length is the index of a bad one
    except Mismatch as error:
        raise error.within(f"[{len(found)}]") from None
    return found


def _to_text(key: Converter, value: Any) -> str:
    plain = key.encode(value)
    if type(plain) is str:
        text = plain
    elif type(plain) in (bool, int, float, type(None)):
        text = json.dumps(plain)
    else:
        raise Mismatch(f"is a key of type {type(value).__name__}, which has no text")
    if key.kinds & _STRING and key.kinds & _SCALAR and _from_text(key, text) != value:
        raise Mismatch("is a key that could not be told from another one when it is read back")
    return text


def _from_text(key: Converter, text: str) -> Any:
    if not key.kinds & _SCALAR:
        return key.decode(text)
    try:
        plain = json.loads(text)
    except ValueError:
        return key.decode(text)
    if key.kinds & _STRING:
        try:
            return key.decode(plain)
        except Mismatch:
            return key.decode(text)
    return key.decode(plain)


def _shown(key: Any) -> str:
    return repr(key[:100]) if type(key) is str else type(key).__name__
