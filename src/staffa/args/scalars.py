"""Scalars: numbers and texts, and the types of the standard library that have a text form."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import PurePath
from typing import Any
from uuid import UUID

from staffa.args.converter import Converter, Kind, Mismatch, refuse

_NULL: frozenset[Kind] = frozenset({"null"})
_BOOLEAN: frozenset[Kind] = frozenset({"boolean"})
_NUMBER: frozenset[Kind] = frozenset({"number"})
_STRING: frozenset[Kind] = frozenset({"string"})
_LENGTH_OF_DATE = len("2026-01-01")


def _text(value: Any) -> str:
    if type(value) is str:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    raise refuse("str", value)


def _whole(value: Any) -> int:
    if type(value) is int:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return int.__int__(value)
    raise refuse("int", value)


def _number(value: Any) -> float:
    if type(value) is float:
        return value
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, int) and not isinstance(value, bool):
        _to_float(value)
        return int.__int__(value)
    raise refuse("float", value)


def _to_float(value: Any) -> float:
    if type(value) is float:
        return value
    if type(value) is not int:
        raise refuse("float", value)
    try:
        return float(value)
    except OverflowError:
        raise Mismatch("expected float, not an integer beyond its range") from None


def _truth(value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    raise refuse("bool", value)


def _nothing(value: Any) -> None:
    if value is not None:
        raise refuse("None", value)


STR = Converter("str", _text, _text, kinds=_STRING, python_type=str, rank=2)
INT = Converter("int", _whole, _whole, kinds=_NUMBER, python_type=int)
FLOAT = Converter("float", _number, _to_float, kinds=_NUMBER, python_type=float, rank=1)
BOOL = Converter("bool", _truth, _truth, kinds=_BOOLEAN, python_type=bool)
NONE = Converter("None", _nothing, _nothing, kinds=_NULL, python_type=type(None))


def _of_text(
    python_type: type,
    to_text: Callable[[Any], str],
    from_text: Callable[[str], Any],
    *,
    other_than: type | None = None,
    rank: int = 0,
) -> Converter:
    """Return the converter of a type whose values have a text."""
    name = python_type.__name__

    def encode(value: Any) -> str:
        if isinstance(value, python_type) and not (other_than and isinstance(value, other_than)):
            return to_text(value)
        raise refuse(name, value)

    def decode(value: Any) -> Any:
        if type(value) is not str:
            raise refuse(f"the text of a {name}", value)
        try:
            return from_text(value)
        except (ValueError, InvalidOperation):
            raise Mismatch(f"is no text of a {name}", repr(value[:100])) from None

    return Converter(name, encode, decode, kinds=_STRING, python_type=python_type, rank=rank)


def _to_datetime(text: str) -> datetime:
    if len(text) <= _LENGTH_OF_DATE:
        raise ValueError("a date without a time")
    return datetime.fromisoformat(text)


def _to_bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def _encode_timedelta(value: Any) -> float:
    if not isinstance(value, timedelta):
        raise refuse("timedelta", value)
    if not value.microseconds:
        return value.days * 86_400 + value.seconds
    seconds = value.total_seconds()
    if timedelta(seconds=seconds) != value:
        raise Mismatch("has microseconds beyond what a number of seconds can tell: round it")
    return seconds


def _decode_timedelta(value: Any) -> timedelta:
    if type(value) not in (int, float):
        raise refuse("a number of seconds", value)
    try:
        return timedelta(seconds=value)
    except (OverflowError, ValueError):
        raise Mismatch("is no length of time in seconds") from None


def _decimal() -> Converter:
    made = _of_text(Decimal, str, Decimal)
    from_text = made.decode

    def decode(value: Any) -> Any:
        return Decimal(value) if type(value) is int else from_text(value)

    made.decode = decode
    return made


SCALARS: dict[Any, Converter] = {
    str: STR,
    int: INT,
    float: FLOAT,
    bool: BOOL,
    None: NONE,
    type(None): NONE,
    bytes: _of_text(bytes, lambda value: base64.b64encode(value).decode(), _to_bytes, rank=1),
    UUID: _of_text(UUID, str, UUID),
    datetime: _of_text(datetime, datetime.isoformat, _to_datetime),
    date: _of_text(date, date.isoformat, date.fromisoformat, other_than=datetime),
    time: _of_text(time, time.isoformat, time.fromisoformat),
    timedelta: Converter(
        "timedelta", _encode_timedelta, _decode_timedelta, kinds=_NUMBER, python_type=timedelta
    ),
    Decimal: _decimal(),
}


def path(python_type: type[PurePath]) -> Converter:
    """Return the converter of a class of paths."""
    return _of_text(python_type, str, python_type, rank=1)


def subclass(python_type: type, base: Converter) -> Converter:
    """Return the converter of a class that extends str, int or float: it is called when decoded."""

    def encode(value: Any) -> Any:
        if not isinstance(value, python_type):
            raise refuse(python_type.__name__, value)
        return base.encode(value)

    def decode(value: Any) -> Any:
        plain = base.decode(value)
        try:
            return python_type(plain)
        except Exception as error:  # noqa: BLE001  # users' code: whatever it raises refuses
            raise Mismatch(f"is no {python_type.__name__}", str(error)[:200]) from None

    return Converter(
        python_type.__name__, encode, decode, kinds=base.kinds, python_type=python_type
    )
