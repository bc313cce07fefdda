"""Names that go into SQL and into columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffa._internal.identifiers import is_storable_name, quote_identifier
from staffa._internal.lazy import load
from staffa._internal.sql import set_prefix


@given(st.text())
def test_a_quoted_name_holds_its_text_and_can_not_be_left(name: str) -> None:
    quoted = quote_identifier(name)
    assert quoted[0] == quoted[-1] == '"'
    inner = quoted[1:-1]
    assert inner.replace('""', "").count('"') == 0
    assert inner.replace('""', '"') == name


@pytest.mark.parametrize("name", ["a", "a" * 127, "Über-Jobs", "with space", 'qu"ote', "日本"])
def test_a_name_of_1_to_127_characters_is_storable(name: str) -> None:
    assert is_storable_name(name)


@pytest.mark.parametrize("name", ["", "a" * 128, "a\x00", "\ud800", None, 1, b"a", ["a"]])
def test_other_names_are_not_storable(name: object) -> None:
    assert not is_storable_name(name)


def test_the_schema_is_put_in_quoted_wherever_it_is_named() -> None:
    text = 'SELECT 1 FROM :"prefix".a JOIN :"prefix".b'
    assert set_prefix(text, 'x"; --') == 'SELECT 1 FROM "x""; --".a JOIN "x""; --".b'


def test_a_lazy_import_names_a_module_and_an_attribute() -> None:
    assert load("staffa._internal.lazy:load") is load
    with pytest.raises(ModuleNotFoundError):
        load("staffa.no_such_module:anything")
