"""Filters: what they refuse, what they mean, and the condition that PostgreSQL gets."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffa import JobFilter, State
from staffa.engines.statements.conditions import condition, has_index
from staffa.errors import ConfigError, UnknownOption

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
EVERY: dict[str, Any] = {
    "ids": [1, 2],
    "states": ["available", "executing"],
    "queues": ["q"],
    "workers": ["w"],
    "tags": ["a"],
    "all_tags": ["a", "b"],
    "args": {"n": {"deep": [1]}},
    "meta": {"m": None},
    "priorities": [0, 9],
    "nodes": ["web.1"],
    **{
        f"{what}_{side}": MOMENT
        for what in ("inserted", "scheduled", "attempted", "finished")
        for side in ("after", "before")
    },
    "after_id": 1,
    "before_id": 9,
    "limit": 5,
}


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


HOSTILE: list[tuple[dict[str, Any], str]] = [
    ({"queues": "mail"}, r"give a list"),
    ({"queues": 5}, r"give a list"),
    ({"queues": {"mail": 1}}, r"give a list"),
    ({"queues": ["a\x00b"]}, r"without NUL"),
    ({"queues": ["\ud800"]}, r"1 to 255"),
    ({"workers": [""]}, r"1 to 255"),
    ({"workers": ["w" * 256]}, r"1 to 255"),
    ({"nodes": [None]}, r"1 to 255"),
    ({"tags": ["t"] * 1001}, r"1001 entries, more than 1000"),
    ({"ids": range(1, 10_002)}, r"10001 entries, more than 10000"),
    ({"ids": [0]}, r"1\.\."),
    ({"ids": [2**63]}, r"1\.\."),
    ({"ids": [True]}, r"True"),
    ({"ids": ["1; DROP TABLE oban_jobs"]}, r"DROP TABLE"),
    ({"states": ["complete"]}, r"did you mean 'completed'"),
    ({"states": ["available') OR true --"]}, r"unknown state"),
    ({"args": ["a"]}, r"must be a mapping"),
    ({"args": {"a": "\x00"}}, r"NUL"),
    ({"args": {"a": float("nan")}}, r"nan"),
    ({"args": {1: 2}}, r"keys must be strings"),
    ({"args": deep(200)}, r"nested deeper"),
    ({"meta": {"a": "x" * 65_536}}, r"filter by fewer"),
    ({"meta": {"a": {1, 2}}}, r"not JSON"),
    ({"priorities": [-1]}, r"-1"),
    ({"inserted_after": datetime(2026, 1, 1)}, r"inserted_after.*no time zone"),  # noqa: DTZ001
    ({"finished_before": "yesterday"}, r"finished_before.*no time zone"),
    ({"scheduled_after": datetime.max.replace(tzinfo=timezone(-timedelta(1, -1)))}, r"range"),
    ({"limit": -1}, r"limit: -1"),
    ({"limit": 2.5}, r"limit: 2.5"),
    ({"before_id": -1}, r"before_id"),
    ({"queue": "mail"}, r"did you mean 'queues'"),
    ({"sql": "true"}, r"unknown field of a filter 'sql'"),
]


@pytest.mark.parametrize(("fields_given", "message"), HOSTILE, ids=lambda value: str(value)[:40])
def test_what_can_not_be_used_is_refused_with_the_reason(
    fields_given: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        JobFilter(**fields_given)
    assert len(str(refused.value)) < 700


def test_every_field_has_a_check_and_a_place_in_the_condition() -> None:
    assert EVERY.keys() == {field.name for field in fields(JobFilter)}
    text, params = condition(JobFilter(**EVERY), 3)
    numbers = [int(number) for number in re.findall(r"\$(\d+)", text)]
    assert numbers == list(range(3, 3 + len(params)))
    assert len(params) == len(EVERY) - 2  # the states are literals, the limit is the statement's


@pytest.mark.parametrize("name", sorted(EVERY.keys() - {"limit"}))
def test_each_field_restricts_alone(name: str) -> None:
    wanted = JobFilter(**{name: EVERY[name]})
    assert wanted.restricts
    assert condition(wanted, 1)[0] != "true"


def test_a_filter_that_is_empty_or_only_limited_fits_everything() -> None:
    for empty in (JobFilter(), JobFilter(limit=3), JobFilter(args={}, meta={}, all_tags=[])):
        assert not empty.restricts
        assert not empty.fits_none
    assert condition(JobFilter(limit=3), 1) == ("true", ())


@pytest.mark.parametrize(
    "name", ["ids", "states", "queues", "workers", "tags", "priorities", "nodes"]
)
def test_an_empty_list_fits_nothing_instead_of_everything(name: str) -> None:
    wanted = JobFilter(**{name: []})  # type: ignore[arg-type]  # an empty list of anything
    assert wanted.restricts
    assert wanted.fits_none


def test_tags_are_compared_as_they_are_stored() -> None:
    assert JobFilter(tags=[" Urgent"], all_tags=["VIP"]).tags == ("urgent",)


def test_an_operation_narrows_the_states_that_were_given() -> None:
    allowed = (State.SCHEDULED, State.RETRYABLE)
    assert JobFilter().within(allowed).states == allowed
    assert JobFilter(states=["retryable", "completed"]).within(allowed).states == (State.RETRYABLE,)
    assert JobFilter(states=["completed"]).within(allowed).fits_none


def test_a_filter_can_not_be_changed_but_replaced() -> None:
    wanted = JobFilter(queues=["q"])
    assert replace(wanted, limit=3) == JobFilter(queues=["q"], limit=3)
    with pytest.raises(AttributeError):
        wanted.limit = 3  # type: ignore[misc]  # that is the point


def test_states_stand_as_literals_by_the_index_that_holds_them() -> None:
    live = JobFilter(states=["executing", "retryable", "scheduled", "available"])
    assert condition(live, 1, indexed=True)[0] == (
        "(job.state IN ('available') OR job.state IN ('retryable', 'scheduled')"
        " OR job.state IN ('executing'))"
    )
    assert condition(live, 1)[0] == (
        "job.state::text IN ('available', 'executing', 'retryable', 'scheduled')"
    )
    assert has_index(live)
    assert not has_index(JobFilter(states=["available", "completed"]))
    assert condition(JobFilter(states=[]), 1, indexed=True)[0] == "(false)"


@given(st.lists(st.text(min_size=1, max_size=40), max_size=5), st.text(max_size=40))
def test_what_users_give_is_never_part_of_the_text(names: list[str], value: str) -> None:
    try:
        wanted = JobFilter(queues=names, workers=names, tags=names, args={"key": value})
    except ConfigError:
        return
    plain = JobFilter(queues=["q"], workers=["w"], tags=["t"], args={"a": 1})
    assert condition(wanted, 1)[0] == condition(plain, 1)[0]


def test_an_unknown_field_names_the_nearest_one() -> None:
    with pytest.raises(UnknownOption) as refused:
        JobFilter(stats=["available"])  # type: ignore[call-arg]  # misspelt
    assert "did you mean 'states'" in str(refused.value)
