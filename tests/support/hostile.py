"""What strangers may write: Hypothesis's strategies of bad data."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

from hypothesis import strategies as st

DEEP = "[" * 10_000 + "]" * 10_000
LARGE = "x" * 1_000_000

LARGE_TEXTS = st.just("large").map(lambda word: LARGE)
NASTY_TEXTS = st.sampled_from(
    ["", "\x00", "a\x00b", "\ud800", "\udfff\ud800", "\x1b[2J\x1b[1;1H", "\r\n", "'; DROP TABLE",
     "%", "_", "\\", '"', "{}", "$1", ':"prefix"', "/* filter */", "\u202e\u200b", "é" * 128,
     "../../etc/passwd", "os.system", "staffa_", "NaN", "null", "*", "\U0010ffff", "x" * 300]
)  # fmt: skip
TEXTS = NASTY_TEXTS | st.text(max_size=20) | st.text(st.characters(), max_size=5)

NASTY_NUMBERS = st.sampled_from(
    [float("nan"), float("inf"), -float("inf"), 1e308, -0.0, 2**63, -(2**63) - 1, 10**30]
)
UNPRINTABLE = st.just("10**5000").map(lambda word: 10**5000)
"""A number that Python itself refuses to print."""


def values(more: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return objects of the kinds that JSON has, most of which it has not."""
    plain = st.none() | st.booleans() | st.integers() | st.floats()
    return st.recursive(
        plain | NASTY_NUMBERS | more,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=6,
    )


PRINTABLE = values(NASTY_TEXTS)
VALUES = values(TEXTS | UNPRINTABLE | LARGE_TEXTS)


def nested(depth: int) -> Any:
    """Return lists in lists."""
    found: Any = 0
    for _ in range(depth):
        found = [found]
    return found


JSON_TEXTS = st.sampled_from(
    ["1e400", "-1e-400", "NaN", "Infinity", "1" + "0" * 5000, '"\\u0000"', '"\\ud800"', "{", "",
     "[1,2", '{"a":1,"a":2}', "12345678901234567890123", "null", "true", "0", '""', "[[[[]]]]"]
) | st.sampled_from(["deep", "deep with a long number", "large"]).map(
    {"deep": DEEP, "deep with a long number": f"[{DEEP}, 1234567890123456789]",
     "large": f'"{LARGE}"'}.__getitem__
) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
).map(json.dumps)  # fmt: skip
"""Texts where JSON belongs."""


def packed(text: str) -> str:
    """Return a payload as peers pack it."""
    return base64.b64encode(gzip.compress(text.encode("utf-8", "replace"))).decode()
