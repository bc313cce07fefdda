"""Refuses what is no plain JSON, before it is written: the database would change or reject it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import orjson

from staffa._internal import json
from staffa._internal.shown import shown
from staffa.errors import InvalidArgs

_LONGEST_PATH = 200
MAX_DEPTH = 100
MAX_INTEGER_BITS = 14_000  # about 4200 digits; Python reads 4300
MAX_CHARACTERS = 32 * 1024 * 1024

_TEXT = frozenset({str})
_FLAT = frozenset({str, int, bool, type(None)})  # a float may be none that JSON has


def dump_object(value: Mapping[str, Any], what: str, *, hide: bool = False) -> str:
    """Return a JSON object's text, or say what of it is no plain JSON, and where.

    Args:
        value: The object. Tuples count as lists.
        what: How errors name it, for example "args".
        hide: Keeps all that is data out of errors.

    Raises:
        InvalidArgs: For anything that would not come back from the database as it was given.

    Example:
        >>> dump_object({"id": 1}, "args")
        '{"id":1}'
        >>> dump_object({"rate": float("nan")}, "args")
        Traceback (most recent call last):
        staffa.errors.InvalidArgs: args.rate is nan: JSON has no such number, send null or a string
    """
    if hide:
        return _dump_hidden(value, what)
    if not isinstance(value, Mapping):
        raise InvalidArgs(
            f"{what} must be a mapping with string keys, not {type(value).__name__}: {shown(value)}"
        )
    plain = dict(value)
    text = _dump_flat(plain)
    if text is None:
        _check(plain, what, 0)
        text = json.dumps(plain)
    if len(text) > MAX_CHARACTERS:
        raise InvalidArgs(
            f"{what} has {len(text)} characters of JSON, more than {MAX_CHARACTERS}: store it "
            "elsewhere and send a reference"
        )
    return text


def _dump_flat(value: dict[Any, Any]) -> str | None:
    """Return the text of an object that is surely plain JSON, as most are; None of any other.

    To check each value takes longer than to write them all.
    """
    if _TEXT.issuperset(map(type, value)) and _FLAT.issuperset(map(type, value.values())):
        try:
            text = orjson.dumps(value).decode()
        except TypeError:  # a lone surrogate, or an integer beyond 64 bits
            return None
        if "\\u0000" not in text:
            return text
    return None


def _dump_hidden(value: Mapping[str, Any], what: str) -> str:
    try:
        return dump_object(value, what)
    except InvalidArgs:
        raise InvalidArgs(
            f"{what} are to be encrypted, but are no plain JSON object; what exactly is wrong is "
            "not shown: the same call without encrypted=True tells"
        ) from None


def _check(value: Any, path: str, depth: int) -> None:  # noqa: C901  # one case for each type
    if depth > MAX_DEPTH:
        raise InvalidArgs(f"{_cut(path)} is nested deeper than {MAX_DEPTH} levels")
    match value:
        case None | bool():
            pass
        case str():
            _check_text(value, path)
        case int():
            if type(value) is not int:
                raise _not_json(value, path)
            if value.bit_length() > MAX_INTEGER_BITS:
                raise InvalidArgs(
                    f"{_cut(path)} is an integer of {value.bit_length()} bits, which readers "
                    "refuse: send it as a string"
                )
        case float():
            if not math.isfinite(value):
                raise InvalidArgs(
                    f"{_cut(path)} is {value}: JSON has no such number, send null or a string"
                )
        case dict():
            for key, item in value.items():
                if not isinstance(key, str):
                    raise InvalidArgs(
                        f"{_cut(path)} has the key {shown(key)}: keys must be strings"
                    )
                _check_text(key, path)
                _check(item, f"{path}.{key}", depth + 1)
        case list() | tuple():
            for index, item in enumerate(value):
                _check(item, f"{path}[{index}]", depth + 1)
        case _:
            raise _not_json(value, path)


def _not_json(value: Any, path: str) -> InvalidArgs:
    return InvalidArgs(
        f"{_cut(path)} is of type {type(value).__name__}, which is not JSON: "
        "send numbers, strings, lists, dicts or None"
    )


def _check_text(text: str, path: str) -> None:
    if type(text) is not str:
        raise _not_json(text, path)
    if "\x00" in text:
        raise InvalidArgs(
            f"{_cut(path)} has a NUL character, which PostgreSQL can't store: {shown(text)}"
        )
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidArgs(
            f"{_cut(path)} has a lone surrogate, which is no character: {shown(text)}"
        ) from None


def _cut(path: str) -> str:
    """Return where something is, short even if the keys are long."""
    return path if len(path) <= _LONGEST_PATH else f"{path[:_LONGEST_PATH]}..."
