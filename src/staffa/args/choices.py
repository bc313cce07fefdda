"""Enums and literals: one of some values, stored as the value."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, Flag
from typing import Any

from staffa._internal import json
from staffa.args.converter import Converter, Mismatch, kind_of, refuse, show
from staffa.args.scalars import SCALARS


def enum(python_type: type[Enum]) -> Converter:
    """Return the converter of an enum: by value, as names may be changed."""
    name = python_type.__name__
    plain = {member: _plain(member.value) for member in python_type}
    members = {_text(value): member for member, value in plain.items()}

    def encode(value: Any) -> Any:
        if not isinstance(value, python_type):
            raise refuse(name, value)
        return plain[value] if value in plain else _plain(value.value)

    def decode(value: Any) -> Any:
        if type(value) in (dict, list):
            member = members.get(_text(value))
        else:
            member = members.get(_text(value)) or _look_up(python_type, value)
        if member is None:
            raise Mismatch(f"is no value of {name}", show(value))
        return member

    kinds = frozenset(kind_of(value) for value in plain.values()) or frozenset({"string"})
    if issubclass(python_type, Flag):
        kinds |= {"number"}
    return Converter(name, encode, decode, kinds=kinds, python_type=python_type)


def literal(values: Iterable[Any]) -> Converter:
    """Return the converter of ``Literal[...]``."""
    given = list(values)
    by_value = {(type(value), value): _plain(value) for value in given}
    by_text = {_text(plain): value for (_, value), plain in by_value.items()}
    name = f"one of {', '.join(repr(value) for value in given)}"

    def encode(value: Any) -> Any:
        try:
            return by_value[type(value), value]
        except (KeyError, TypeError):  # an unhashable value is none of them
            raise Mismatch(f"expected {name}", show(value)) from None

    def decode(value: Any) -> Any:
        try:
            return by_text[_text(value)]
        except KeyError:
            raise Mismatch(f"expected {name}", show(value)) from None

    kinds = frozenset(kind_of(plain) for plain in by_value.values())
    return Converter(name, encode, decode, kinds=kinds)


def _look_up(python_type: type[Enum], value: Any) -> Enum | None:
    """Ask the enum itself: flags have values of their own, others a way to find missing ones."""
    try:
        found = python_type(value)
    except Exception:  # noqa: BLE001  # users' code: whatever it raises refuses
        return None
    return found if isinstance(found, python_type) else None


def _plain(value: Any) -> Any:
    """Return the plain form of a member's value."""
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    for base in type(value).__mro__:
        if base in SCALARS:
            return SCALARS[base].encode(value)
    return value


def _text(plain: Any) -> str:
    """Return a text that tells 1, 1.0 and true apart, which are equal to Python."""
    try:
        return json.dumps(plain)
    except (TypeError, ValueError):  # a member whose value is no JSON can't be enqueued
        return repr(plain)
