"""JSON as the jobs table stores it: integers of any size stay integers, text stays storable."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

_LONG_INTEGER = re.compile(r"\d{19}")
_SHORT = 19  # in fewer characters there is none, as of most jobs
_LIKE_FLOAT = re.compile(rb"\d[.eE]")  # of what may be one, and found in a third of the time
_MAYBE_FLOAT = re.compile(rb"(?:^|[\[:,])-?\d+[.eE]")


def dumps(value: Any) -> str:
    """Return the JSON text of plain data.

    Example:
        >>> dumps({"id": 123456789012345678901234567890})
        '{"id":123456789012345678901234567890}'
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_DATACLASS).decode()
    except TypeError:  # an integer beyond 64 bits
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def loads(text: str) -> Any:
    """Return what a JSON text holds; integers of any size stay integers.

    Raises:
        ValueError: If the text can't be decoded here (nested too deep, an integer too long).

    Example:
        >>> loads('{"id": 123456789012345678901234567890}')
        {'id': 123456789012345678901234567890}
    """
    if len(text) >= _SHORT and _LONG_INTEGER.search(text):  # orjson would make floats of them
        try:
            return json.loads(text)
        except RecursionError as error:
            raise ValueError("JSON is nested too deep") from error
    return orjson.loads(text)


def canonical(value: Any) -> bytes:
    """Return one and the same text for all plain data that the database takes for equal.

    Example:
        >>> canonical({"b": 1.0, "a": [-0.0]})
        b'{"a":[0],"b":1}'
    """
    try:
        quick = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # an integer beyond 64 bits
        pass
    else:
        if not (_LIKE_FLOAT.search(quick) and _MAYBE_FLOAT.search(quick)):
            return quick
    text = json.dumps(
        _with_whole_numbers(value), sort_keys=True, ensure_ascii=False, separators=(",", ":")
    )
    return text.encode("utf-8")


def _with_whole_numbers(value: Any) -> Any:
    """Return data whose floats without a fraction are integers: to jsonb, 1.0 equals 1."""
    match value:
        case float():
            return int(value) if value.is_integer() else value
        case dict():
            return {key: _with_whole_numbers(item) for key, item in value.items()}
        case list() | tuple():
            return [_with_whole_numbers(item) for item in value]
    return value


def clean(text: str) -> str:
    r"""Return a text that PostgreSQL can store: no NUL, no lone surrogates.

    Example:
        >>> clean("a\x00b")
        'a\\x00b'
    """
    text = text.replace("\x00", "\\x00")
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
