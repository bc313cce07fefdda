"""Parameters are rewritten for libraries that have them by name, and nothing else is touched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffa._internal.identifiers import quote_identifier
from staffa.drivers.connections.placeholders import to_pyformat


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT $1, $2, $1", "SELECT %(1)s, %(2)s, %(1)s"),
        ("SELECT $12::text[]", "SELECT %(12)s::text[]"),
        ("SELECT 5 % $1", "SELECT 5 %% %(1)s"),
        ("SELECT '$1 %', $1", "SELECT '$1 %%', %(1)s"),
        ("SELECT 'it''s $1', $1", "SELECT 'it''s $1', %(1)s"),
        ('SELECT "a""$1", $1', 'SELECT "a""$1", %(1)s'),
        ("-- $1: it's 5 %\nSELECT $1", "-- $1: it's 5 %%\nSELECT %(1)s"),
        ("/* $1 ' */ SELECT $1", "/* $1 ' */ SELECT %(1)s"),
        ("SELECT $$ $1 ' $$, $1", "SELECT $$ $1 ' $$, %(1)s"),
        ("SELECT $a$ $1 $$ $a$, $1", "SELECT $a$ $1 $$ $a$, %(1)s"),
        ("SELECT '%(1)s', $1", "SELECT '%%(1)s', %(1)s"),
    ],
)
def test_only_parameters_outside_of_quotes_and_comments_are_rewritten(
    sql: str, expected: str
) -> None:
    assert to_pyformat(sql) == expected


@given(st.text(alphabet="ab%$1\"' -/*", min_size=1, max_size=20))
def test_any_schema_comes_out_as_it_went_in(prefix: str) -> None:
    name = quote_identifier(prefix)
    filled = to_pyformat(f"SELECT $1 FROM {name}.jobs WHERE id = $2") % {"1": "one", "2": "two"}
    assert filled == f"SELECT one FROM {name}.jobs WHERE id = two"
