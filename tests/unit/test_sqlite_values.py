"""How values go into SQLite's statements and come out, and what its functions make of them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffa.client.file_dsn import path_of
from staffa.engines.sqlite.functions import install
from staffa.engines.sqlite.statements.idiom import decode, encode
from staffa.engines.sqlite.times import EARLIEST, LATEST, cut_time, read_time, write_time
from staffa.errors import ConfigError, DataRefused

TIMES = st.datetimes(
    EARLIEST.replace(tzinfo=None), LATEST.replace(tzinfo=None), timezones=st.just(UTC)
)


class StepClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return 0.0


@pytest.fixture
def raw() -> Iterator[sqlite3.Connection]:
    """A connection with the functions."""
    with closing(sqlite3.connect(":memory:")) as made:
        install(made)
        yield made


def call(raw: sqlite3.Connection, expression: str, *params: Any) -> Any:
    return raw.execute(f"SELECT {expression}", params).fetchone()[0]


@given(TIMES, TIMES)
def test_the_order_of_texts_is_that_of_times(one: datetime, other: datetime) -> None:
    assert (write_time(one) < write_time(other)) == (one < other)
    assert read_time(write_time(one)) == one


@given(st.text())
def test_any_text_is_some_time(text: str) -> None:
    assert EARLIEST <= cut_time(text) <= LATEST


def test_the_clock_can_be_stepped() -> None:
    clock = StepClock()
    with closing(sqlite3.connect(":memory:")) as raw:
        install(raw, clock)
        assert call(raw, "staffa_now()") == "2026-01-01 00:00:00.000000"
        clock.moment += timedelta(microseconds=1)
        assert call(raw, "staffa_now()") == "2026-01-01 00:00:00.000001"


@pytest.mark.parametrize("seconds", [1e300, float("inf"), "nan", "inf", -1e12])
def test_a_time_beyond_all_times_is_an_error(raw: sqlite3.Connection, seconds: Any) -> None:
    with pytest.raises(sqlite3.Error):
        call(raw, "staffa_add('2026-01-01 00:00:00.000000', ?)", seconds)


def test_meta_is_merged_one_level_deep_and_keeps_long_integers(raw: sqlite3.Connection) -> None:
    merged = call(
        raw, "staffa_merge(?, ?)", '{"a": {"x": 1}, "n": 1}', f'{{"a": {{}}, "b": {2**80}}}'
    )
    assert json.loads(merged) == {"a": {}, "n": 1, "b": 2**80}
    assert call(raw, "staffa_merge(?, ?)", "[1]", '{"a": null}') == '{"a":null}'
    assert call(raw, "staffa_merge(?, NULL)", "{}") == "{}"


@pytest.mark.parametrize(("text", "refused"), [("\\u0000", True), ("\\\\u0000", False)])
def test_a_nul_is_refused_and_what_looks_like_one_is_not(
    raw: sqlite3.Connection, text: str, refused: bool
) -> None:
    patch = f'{{"a": "{text}"}}'
    if not refused:
        assert json.loads(call(raw, "staffa_merge('{}', ?)", patch)) == {"a": "\\u0000"}
        return
    with pytest.raises(sqlite3.OperationalError):
        call(raw, "staffa_merge('{}', ?)", patch)


@pytest.mark.parametrize(
    ("found", "wanted", "expected"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": {"x": [1, 2, {"y": 1, "z": 2}]}}, {"a": {"x": [{"y": 1}, 2]}}, True),
        ({"a": [1]}, {"a": 1}, False),
        ([1, 2], 1, True),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": True}, {"a": 1}, False),
        ({"a": None}, {"a": None}, True),
        ({}, {"a": None}, False),
        ({"a": 2**70}, {"a": 2**70}, True),
        ([], [], True),
        ({}, [], False),
    ],
    ids=str,
)
def test_json_contains_what_postgresql_says_that_it_contains(
    raw: sqlite3.Connection, found: Any, wanted: Any, expected: bool
) -> None:
    assert call(raw, "staffa_contains(?, ?)", json.dumps(found), json.dumps(wanted)) == expected


@pytest.mark.parametrize("text", ['{"a": "\\ud800"}', f'{{"a": {"9" * 5000}}}', "[1]", '"x"'])
def test_what_can_not_be_decoded_has_no_fields_and_stops_no_statement(
    raw: sqlite3.Connection, text: str
) -> None:
    fields = '["args.a", "meta.a", "worker"]'
    key = call(raw, "staffa_partition_key(?, 'w', ?, ?)", fields, text, text)
    assert key.endswith(':[null,null,"w"]')
    meta = call(raw, "staffa_partitioned(?, 'w', ?, ?)", fields, text, text)
    assert json.loads(meta) == {"partition_key": key}
    assert call(raw, "staffa_merge(?, ?)", text, '{"b":1}') == '{"b":1}'
    assert call(raw, "staffa_rescues(?)", text) == 0


def test_a_digest_shows_every_change(raw: sqlite3.Connection) -> None:
    rows = [("a", 1, None), ("a", "1", None), ("a", 1, ""), ("a,1", None, None), ("a", None, 1)]
    assert len({call(raw, "staffa_digest(?, ?, ?)", *row) for row in rows}) == len(rows)


def test_parameters_are_plain_and_lists_are_json() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    assert encode((UUID(int=1), at, None, [at, UUID(int=2), 2**62])) == (
        str(UUID(int=1)),
        "2026-01-01 00:00:00.000000",
        None,
        f'["2026-01-01 00:00:00.000000","{UUID(int=2)}",{2**62}]',
    )
    with pytest.raises(DataRefused, match="NUL"):
        encode((["a\x00b"],))


def test_rows_are_read_whatever_they_hold() -> None:
    row = {
        "id": 1, "inserted_at": "garbage", "attempted_at": "garbage", "completed_at": None,
        "tags": '{"no": "list"}', "attempted_by": '["a"]', "last_tick": "-infinity", "active": 1,
    }  # fmt: skip
    assert decode(row) == {
        "id": 1, "inserted_at": LATEST, "attempted_at": None, "completed_at": None,
        "tags": [], "attempted_by": ["a"], "last_tick": datetime(1970, 1, 1, tzinfo=UTC),
        "active": True,
    }  # fmt: skip


@pytest.mark.parametrize("dsn", ["sqlite://jobs.db", "sqlite:///jobs.db?mode=ro", "sqlite:///a#b"])
def test_a_dsn_that_is_written_wrongly_is_refused_with_the_right_forms(dsn: str) -> None:
    with pytest.raises(ConfigError, match="sqlite:///relative"):
        path_of(dsn)
