"""JSON: what is dumped comes back unchanged, and text becomes storable."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffa._internal import json

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"))
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=20,
)


@given(VALUES)
def test_plain_data_survives_the_way_there_and_back(value: Any) -> None:
    found = json.loads(json.dumps(value))
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("number", [2**63, 2**64 - 1, 2**64, -(2**63) - 1, 10**40, -(10**400)])
def test_an_integer_beyond_64_bits_stays_an_integer(number: int) -> None:
    found = json.loads(json.dumps({"a": [number, "é", 1.5]}))
    assert found == {"a": [number, "é", 1.5]}
    assert type(found["a"][0]) is int


def test_digits_within_a_string_or_a_fraction_change_nothing() -> None:
    value = {"text": "1" * 30, "share": 0.1234567890123456789}
    assert json.loads(json.dumps(value)) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "nul",
        '{"a":' * 5000 + "1" + "}" * 5000,
        "[" * 200_000,
        '{"long":1234567890123456789012,"a":' + "[" * 200_000,
        "1" * 5000,
        '{"a":1e400}',
    ],
    ids=["empty", "open", "word", "deep", "deeper", "deep beside long", "very long", "infinite"],
)
def test_what_cannot_be_decoded_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        json.loads(text)


@given(st.text())
def test_cleaned_text_can_be_stored_and_is_not_cleaned_twice(text: str) -> None:
    cleaned = json.clean(text)
    assert "\x00" not in cleaned
    cleaned.encode()
    assert json.clean(cleaned) == cleaned


def test_cleaning_leaves_good_text_alone_and_shows_what_was_bad() -> None:
    assert json.clean("naïve \U0001f600\n\t") == "naïve \U0001f600\n\t"
    assert json.clean("a\x00b\ud800c") == "a\\x00b\\ud800c"
