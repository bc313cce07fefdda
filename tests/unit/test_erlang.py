"""Erlang's term format: what Erlang itself wrote, what comes back, and what is refused in time.

`data/erlang_terms.json` was written by ``term_to_binary`` of Erlang/OTP 25.
"""

from __future__ import annotations

import base64
import contextlib
import json
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staffa import erlang
from staffa.errors import InvalidTerm
from tests.support.services import require_program

TERMS: dict[str, str] = json.loads((Path(__file__).parent / "data/erlang_terms.json").read_text())
VALUES: dict[str, Any] = {
    "nil": None,
    "true": True,
    "false": False,
    "other atom": "whatever",
    "utf8 atom": "žü",
    "long atom": "ž" * 255,
    "latin1 atom": "ä",
    "zero": 0,
    "byte": 255,
    "small": 256,
    "negative": -1,
    "min32": -(2**31),
    "big": 12345678901234567890,
    "negative big": -12345678901234567890,
    "large big": 1 << 3000,
    "float": 1.5,
    "old float": 3.25,
    "negative old float": -1.0e-10,
    "binary": "plain",
    "utf8 binary": "ž€😀",
    "bytes": b"\xff\x00\x01",
    "empty list": [],
    "charlist": [97, 98, 99],
    "list": [1, 1000, "a"],
    "nested": [[], [None], ()],
    "tuple": ("ok", 1),
    "large tuple": (1,) * 300,
    "map": {"a": 1, "b": [True, None]},
    "atom keys": {"total": 1.0},
    "compressed": ["abcabc"] * 1000,
    "struct": {"__struct__": "Elixir.Date", "day": 2, "month": 1, "year": 2026},
}
REFUSED = {
    "pid": "tag 88",
    "reference": "tag 90",
    "fun": "tag 112",
    "export": "tag 113",
    "bitstring": "tag 77",
    "improper list": "no empty list",
    "list key": "Python can't hold",
    "equal keys": "equal in Python",
}
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS | st.binary(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(TEXTS, inner),
    max_leaves=20,
)  # fmt: skip


def as_read(value: Any) -> Any:
    """Return a value as it comes back: bytes that are UTF-8 are text to every reader."""
    match value:
        case bytes():
            try:
                return value.decode()
            except UnicodeDecodeError:
                return value
        case list():
            return [as_read(item) for item in value]
        case tuple():
            return tuple(as_read(item) for item in value)
        case dict():
            return {key: as_read(item) for key, item in value.items()}
        case _:
            return value


def typed(value: Any) -> str:
    """Return a text that tells True from 1 and a list from a tuple, as `==` alone does not."""
    return repr(value)


def test_every_reference_term_is_judged_here() -> None:
    assert TERMS.keys() == VALUES.keys() | REFUSED.keys()


@pytest.mark.parametrize("name", VALUES)
def test_what_erlang_wrote_is_read(name: str) -> None:
    assert typed(erlang.load(TERMS[name])) == typed(VALUES[name])
    assert typed(erlang.load(TERMS[name].rstrip("="))) == typed(VALUES[name])


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_plain_data_is_refused(name: str) -> None:
    with pytest.raises(InvalidTerm, match=REFUSED[name]):
        erlang.load(TERMS[name])


@given(PLAIN)
def test_what_we_wrote_comes_back_as_it_was(value: Any) -> None:
    assert typed(erlang.load(erlang.dump(value))) == typed(as_read(value))


def test_the_text_has_no_padding() -> None:
    assert all("=" not in erlang.dump("x" * length) for length in range(9))


def test_erlang_reads_what_we_wrote() -> None:
    erl = require_program("erl")
    value = {
        "n": [None, True, False, 0, 255, 256, -1, -(2**31), 2**31, -(2**63), 1 << 3000],
        "f": [1.5, -0.25],
        "t": (1, ("a", [])),
        "l": list(range(300)),
        "u": "ž€😀",
        "b": b"\xff\x00",
    }
    expected = (
        '#{<<"n">> => [nil,true,false,0,255,256,-1,-2147483648,2147483648,-9223372036854775808,'
        '1 bsl 3000], <<"f">> => [1.5,-0.25], <<"t">> => {1,{<<"a">>,[]}}, '
        '<<"l">> => lists:seq(0,299), <<"u">> => <<"ž€😀"/utf8>>, <<"b">> => <<255,0>>}'
    )
    text = base64.b64encode(erlang.encode(value)).decode()
    program = (
        f'Term = binary_to_term(base64:decode("{text}")),'
        f'io:format("~p", [Term =:= {expected}]), halt().'
    )
    done = subprocess.run(
        [erl, "-noshell", "-eval", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("true", "")


def compressed(data: bytes, size: int | None = None) -> bytes:
    named = len(data) if size is None else size
    return b"\x83P" + struct.pack(">I", named) + zlib.compress(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "version"),
        (b"\x83", "version"),
        (b"\x82a\x01", "version"),
        (b"\x83a", "cut off"),
        (b"\x83m\x00\x00\x00\x05ab", "cut off"),
        (b"\x83l\xff\xff\xff\xff", "cut off"),
        (b"\x83i\xff\xff\xff\xff", "cut off"),
        (b"\x83t\xff\xff\xff\xff", "cut off"),
        (b"\x83o\xff\xff\xff\xff\x00", "more than"),
        (b"\x83a\x01a", "behind its end"),
        (b"\x83F\x7f\xf0\x00\x00\x00\x00\x00\x00", "no number"),
        (b"\x83F\x7f\xf8\x00\x00\x00\x00\x00\x00", "no number"),
        (b"\x83c" + b"1e999".ljust(31, b"\0"), "no text of a number"),
        (b"\x83c" + b"1.0e+999".ljust(31, b"\0"), "no number"),
        (b"\x83c" + b"nan".ljust(31, b"\0"), "no text of a number"),
        (b"\x83w\x02\xff\xfe", "no UTF-8"),
        (b"\x83l\x00\x00\x00\x01a\x01a\x02", "no empty list"),
        (b"\x83" + b"l\x00\x00\x00\x01" * 10_000, "deeper"),
        (b"\x83P\x00\x00\x00\x02zz", "zlib"),
        (b"\x83P\x00\x00", "zlib|does not inflate"),
        (compressed(b"a\x01", 3), "does not inflate"),
        (compressed(b"a\x01", 1), "does not inflate"),
        (compressed(b"a\x01") + b"x", "does not inflate"),
        (compressed(b"a\x01", 2**32 - 1), "inflates to"),
        (compressed(b"P\x00\x00\x00\x02" + zlib.compress(b"a\x01")), "tag 80"),
    ],
)
def test_a_broken_term_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidTerm, match=reason):
        erlang.decode(data)


def test_a_bomb_is_refused_before_it_is_inflated() -> None:
    bomb = compressed(bytes(200 * 1024 * 1024), 1000)
    assert len(bomb) < 1024 * 1024
    with pytest.raises(InvalidTerm, match="does not inflate"):
        erlang.decode(bomb)


def test_a_term_of_too_many_parts_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erlang, "MAX_TERMS", 1000)
    assert erlang.decode(erlang.encode([1] * 999)) == [1] * 999
    for data in (b"\x83l" + struct.pack(">I", 1000) + b"j" * 1001, b"\x83k\x04\x00" + bytes(1024)):
        with pytest.raises(InvalidTerm, match="more than 1000 parts"):
            erlang.decode(data)
    with pytest.raises(InvalidTerm, match="more than 1000 parts"):
        erlang.encode([None] * 1000)


def test_text_that_is_no_base64_is_refused() -> None:
    for text in ("g2EA!", "ž", "g", "g2E\n"):
        with pytest.raises(InvalidTerm):
            erlang.load(text)


@settings(max_examples=500)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_read_or_refused(data: bytes) -> None:
    for candidate in (data, b"\x83" + data, compressed(data)):
        with contextlib.suppress(InvalidTerm):
            erlang.decode(candidate)


@settings(max_examples=300)
@given(st.sampled_from(sorted(TERMS)), st.data())
def test_a_term_with_changed_or_missing_bytes_is_read_or_refused(
    name: str, data: st.DataObject
) -> None:
    term = bytearray(base64.b64decode(TERMS[name]))
    for _ in range(data.draw(st.integers(1, 4))):
        term[data.draw(st.integers(0, len(term) - 1))] = data.draw(st.integers(0, 255))
    del term[data.draw(st.integers(0, len(term))) :]
    with contextlib.suppress(InvalidTerm):
        erlang.decode(bytes(term))


def circle() -> list[Any]:
    made: list[Any] = []
    made.append(made)
    return made


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), "no number"),
        (float("inf"), "no number"),
        (object(), "a object is no plain data"),
        ({1, 2}, "a set is no plain data"),
        ([1, {"a": object()}], "no plain data"),
        (1 << 600_000, "an integer has"),
        ("\ud800", "lone surrogate"),
        (circle(), "deeper"),
    ],
    ids=["nan", "inf", "object", "set", "inside", "integer", "surrogate", "circle"],
)
def test_a_value_that_is_no_plain_data_is_refused(value: Any, reason: str) -> None:
    with pytest.raises(InvalidTerm, match=reason):
        erlang.encode(value)


def test_a_limit_holds_to_the_byte() -> None:
    size = len(erlang.encode("x" * 100))
    assert erlang.encode("x" * 100, limit=size)
    for value in ("x" * 101, ["x" * 90, "x"]):
        with pytest.raises(InvalidTerm, match=f"more than {size} bytes"):
            erlang.encode(value, limit=size)
