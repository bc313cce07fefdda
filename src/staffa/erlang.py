"""Erlang's external term format, plain data only: how recorded results lie in `meta.return`.

What is read may come from anybody, so everything is bounded before it is made: the size of the
input and of what it inflates to, depth, the number of terms, the size of integers. Functions, pids,
ports and references are refused, and so is whatever is cut off or has something behind it.

| Python | written as | read back as |
|---|---|---|
| None, True, False | the atoms nil, true, false | the same |
| int, float | integer, float | the same |
| str, bytes | binary | str; bytes if it is no UTF-8 |
| list, tuple, dict | list, tuple, map | the same |

Other atoms are read as str, charlists as lists of integers.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
import zlib
from collections.abc import Iterable
from typing import Any

from staffa.errors import InvalidTerm

MAX_BYTES = 128 * 1024 * 1024
MAX_DEPTH = 200
MAX_TERMS = 5_000_000
MAX_INTEGER_BYTES = 64 * 1024

_VERSION = 131
_COMPRESSED = 80
_ATOMS: dict[str, Any] = {"nil": None, "true": True, "false": False}
_NAMES = {None: b"nil", True: b"true", False: b"false"}
_FLOAT_TEXT = re.compile(rb" *-?\d+\.\d+(e[+-]?\d+)?\x00*")
_EMPTY_LIST = b"j"
_INT32 = 1 << 31


def encode(value: Any, *, limit: int = MAX_BYTES) -> bytes:
    """Return a value as an Erlang term.

    Args:
        value: Plain data, see above.
        limit: How many bytes it may have.

    Raises:
        InvalidTerm: If it is no plain data, or too large.

    Example:
        >>> decode(encode({"total": 3, "names": ["ada", None]}))
        {'total': 3, 'names': ['ada', None]}
    """
    writer = _Writer(min(limit, MAX_BYTES))
    try:
        writer.write(value, 0)
    except RecursionError:
        raise InvalidTerm("the value is nested too deep") from None
    return b"".join(writer.parts)


def decode(data: bytes) -> Any:
    """Return the value of an Erlang term.

    Raises:
        InvalidTerm: If it is none, holds more than plain data, or is larger than the bounds.

    Example:
        >>> decode(bytes([131, 108, 0, 0, 0, 2, 97, 1, 119, 2, 111, 107, 106]))
        [1, 'ok']
    """
    if len(data) > MAX_BYTES:
        raise InvalidTerm(f"the term has {len(data)} bytes, more than {MAX_BYTES}")
    if len(data) < 2 or data[0] != _VERSION:  # a version and a tag
        raise InvalidTerm("the bytes are no Erlang term: they do not begin with its version")
    body = data[1:]
    reader = _Reader(_inflate(body) if body[0] == _COMPRESSED else body)
    try:
        value = reader.read(0)
    except RecursionError:
        raise InvalidTerm("the term is nested too deep") from None
    if reader.left:
        raise InvalidTerm(f"the term has {reader.left} bytes behind its end")
    return value


def dump(value: Any, *, limit: int = MAX_BYTES) -> str:
    """Return a value as `meta.return` holds it: base64 of the term, without padding.

    Raises:
        InvalidTerm: See `encode`; the limit is that of the term itself.

    Example:
        >>> dump(True)
        'g3cEdHJ1ZQ'
    """
    return base64.b64encode(encode(value, limit=limit)).rstrip(b"=").decode()


def load(text: str) -> Any:
    """Return the value that `meta.return` holds; padded or not.

    Raises:
        InvalidTerm: If it is no base64, or no plain term.
    """
    bare = text.rstrip("=")
    try:
        data = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidTerm("the text is no base64") from None
    return decode(data)


class _Writer:
    """Builds a term in parts, and gives up as soon as it is too large."""

    def __init__(self, limit: int) -> None:
        self.parts = [bytes([_VERSION])]
        self._limit = limit
        self._left = limit - 1
        self._terms = MAX_TERMS

    def write(self, value: Any, depth: int) -> None:  # noqa: C901  # one case for each type
        if depth > MAX_DEPTH:
            raise InvalidTerm(f"the value is nested deeper than {MAX_DEPTH} levels")
        self._terms -= 1
        if self._terms < 0:
            raise InvalidTerm(f"the value has more than {MAX_TERMS} parts")
        match value:
            case None | bool():
                name = _NAMES[value]
                self._add(bytes([119, len(name)]), name)
            case int():
                self._write_integer(value)
            case float():
                if not math.isfinite(value):
                    raise InvalidTerm(f"{value} is no number of Erlang's")
                self._add(b"F", struct.pack(">d", value))
            case str():
                self._write_binary(_utf8(value))
            case bytes() | bytearray() | memoryview():
                self._write_binary(bytes(value))
            case list():
                if value:
                    self._add(b"l", _length(len(value)))
                    self._write_all(value, depth)
                self._add(_EMPTY_LIST)
            case tuple():
                small = len(value) < 256  # its size fits one byte
                self._add(bytes([104, len(value)]) if small else b"i" + _length(len(value)))
                self._write_all(value, depth)
            case dict():
                self._add(b"t", _length(len(value)))
                self._write_all((part for item in value.items() for part in item), depth)
            case _:
                raise InvalidTerm(
                    f"a {type(value).__name__} is no plain data: give None, bool, int, float, "
                    "str, bytes, list, tuple or dict"
                )

    def _write_all(self, values: Iterable[Any], depth: int) -> None:
        for value in values:
            self.write(value, depth + 1)

    def _write_integer(self, value: int) -> None:
        if 0 <= value < 256:  # a byte
            self._add(bytes([97, value]))
        elif -_INT32 <= value < _INT32:
            self._add(b"b", struct.pack(">i", value))
        else:
            size = (value.bit_length() + 7) // 8
            if size > MAX_INTEGER_BYTES:
                raise InvalidTerm(f"an integer has {size} bytes, more than {MAX_INTEGER_BYTES}")
            digits = abs(value).to_bytes(size, "little")
            head = bytes([110, size]) if size < 256 else b"o" + _length(size)
            self._add(head, bytes([value < 0]), digits)

    def _write_binary(self, data: bytes) -> None:
        self._add(b"m", _length(len(data)), data)

    def _add(self, *parts: bytes) -> None:
        self._left -= sum(map(len, parts))
        if self._left < 0:
            raise InvalidTerm(f"the value takes more than {self._limit} bytes")
        self.parts.extend(parts)


class _Reader:
    """Reads one term, and never makes more than what the bounds allow."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._terms = MAX_TERMS

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def read(self, depth: int) -> Any:  # noqa: C901  # one case for each tag
        if depth > MAX_DEPTH:
            raise InvalidTerm(f"the term is nested deeper than {MAX_DEPTH} levels")
        self._count(1)
        tag = self._number(1)
        match tag:
            case 97:
                return self._number(1)
            case 98:
                return int.from_bytes(self._take(4), "big", signed=True)
            case 70:
                return _finite(struct.unpack(">d", self._take(8))[0])
            case 99:
                text = self._take(31)
                if not _FLOAT_TEXT.fullmatch(text):
                    raise InvalidTerm("a float has no text of a number")
                return _finite(float(text.rstrip(b"\0")))
            case 109:
                return _text_or_bytes(self._take(self._number(4)))
            case 107:
                characters = self._take(self._number(2))
                self._count(len(characters))
                return list(characters)
            case 106:
                return []
            case 108:
                return self._read_list(depth)
            case 104 | 105:
                return tuple(self._read_many(self._number(1 if tag == 104 else 4), depth))
            case 116:
                return self._read_map(depth)
            case 110 | 111:
                return self._read_big(self._number(1 if tag == 110 else 4))
            case 119 | 115:
                return _atom(self._take(self._number(1)), utf8=tag == 119)
            case 118 | 100:
                return _atom(self._take(self._number(2)), utf8=tag == 118)
            case _:
                raise InvalidTerm(f"the term has the tag {tag}, which is no plain data")

    def _read_list(self, depth: int) -> list[Any]:
        items = self._read_many(self._number(4), depth)
        if self._take(1) != _EMPTY_LIST:
            raise InvalidTerm("a list has an end that is no empty list")
        return items

    def _read_many(self, count: int, depth: int) -> list[Any]:
        if count > self.left:  # each takes a byte at least
            raise InvalidTerm("the term is cut off")
        return [self.read(depth + 1) for _ in range(count)]

    def _read_map(self, depth: int) -> dict[Any, Any]:
        count = self._number(4)
        parts = self._read_many(2 * count, depth)
        try:
            found = dict(zip(parts[::2], parts[1::2], strict=True))
        except TypeError:
            raise InvalidTerm("a map has a key that Python can't hold, such as a list") from None
        if len(found) != count:
            raise InvalidTerm("a map has two keys that are equal in Python")
        return found

    def _read_big(self, size: int) -> int:
        if size > MAX_INTEGER_BYTES:
            raise InvalidTerm(f"an integer has {size} bytes, more than {MAX_INTEGER_BYTES}")
        sign = self._number(1)
        value = int.from_bytes(self._take(size), "little")
        return -value if sign else value

    def _number(self, size: int) -> int:
        return int.from_bytes(self._take(size), "big")

    def _take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise InvalidTerm("the term is cut off")
        found = self._data[self._at : end]
        self._at = end
        return found

    def _count(self, terms: int) -> None:
        self._terms -= terms
        if self._terms < 0:
            raise InvalidTerm(f"the term has more than {MAX_TERMS} parts")


def _inflate(body: bytes) -> bytes:
    """Return what a compressed term holds; it says its size, which is believed up to the bound."""
    size = int.from_bytes(body[1:5], "big")
    if size > MAX_BYTES:
        raise InvalidTerm(f"the term inflates to {size} bytes, more than {MAX_BYTES}")
    inflater = zlib.decompressobj()
    try:
        data = inflater.decompress(body[5:], size + 1)
    except zlib.error:
        raise InvalidTerm("the term is compressed, but not by zlib") from None
    if len(data) != size or not inflater.eof or inflater.unused_data:
        raise InvalidTerm(f"the term does not inflate to the {size} bytes that it names")
    return data


def _atom(name: bytes, *, utf8: bool) -> Any:
    try:
        text = name.decode("utf-8" if utf8 else "latin-1")
    except UnicodeDecodeError:
        raise InvalidTerm("an atom is no UTF-8") from None
    return _ATOMS.get(text, text)


def _text_or_bytes(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise InvalidTerm(f"{value} is no number of Erlang's")
    return value


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidTerm("a text has a lone surrogate, which is no character") from None


def _length(size: int) -> bytes:
    return size.to_bytes(4, "big")
