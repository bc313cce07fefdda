"""JSON as the jobs table stores it: integers of any size stay integers, text stays storable."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

_LONG_INTEGER = re.compile(r"\d{19}")


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
    if _LONG_INTEGER.search(text):  # orjson would make floats of them
        try:
            return json.loads(text)
        except RecursionError as error:
            raise ValueError("JSON is nested too deep") from error
    return orjson.loads(text)


def clean(text: str) -> str:
    r"""Return a text that PostgreSQL can store: no NUL, no lone surrogates.

    Example:
        >>> clean("a\x00b")
        'a\\x00b'
    """
    text = text.replace("\x00", "\\x00")
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
