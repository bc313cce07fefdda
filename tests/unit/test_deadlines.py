"""Deadlines: what a row says of one, and what is read from it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffa import Deadline, Job, job
from staffa._internal import json
from staffa.deadlines import DEADLINE_KEY, note_deadline, read_deadline
from staffa.errors import ConfigError, InvalidJob

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)


def noted(**options: Any) -> Any:
    return Job(worker="w", **options).meta.get(DEADLINE_KEY)


@pytest.mark.parametrize("given", [60, 60.0, timedelta(minutes=1), Deadline(60)])
def test_a_deadline_of_a_job_that_is_due_now_is_counted_from_its_insert(given: Any) -> None:
    assert noted(deadline=given) == {"after": 60.0, "force": False}


def test_a_deadline_is_counted_from_the_moment_at_which_the_job_is_due() -> None:
    assert noted(deadline=60, scheduled_in=30) == {"after": 90.0, "force": False}
    at = noted(deadline=60, scheduled_at=NOON.astimezone(timezone(timedelta(hours=5))))
    assert at == {"at": "2027-01-01T12:01:00+00:00", "force": False}
    forced = noted(deadline=Deadline(timedelta(hours=1), force=True), scheduled_at=NOON)
    assert forced == {"at": "2027-01-01T13:00:00+00:00", "force": True}


def test_a_deadline_stands_beside_what_else_is_in_meta() -> None:
    made = Job(worker="w", meta={"mine": 1}, timeout=5, deadline=60)
    assert made.meta == {
        "mine": 1,
        "staffa_timeout": 5.0,
        "staffa_deadline": {"after": 60.0, "force": False},
    }
    assert noted() is None


def test_a_worker_may_have_a_deadline_that_a_call_overrides() -> None:
    @job(deadline=60)
    def send() -> None: ...

    assert send.new().meta[DEADLINE_KEY]["after"] == 60.0
    assert send.options(deadline=5).new().meta[DEADLINE_KEY]["after"] == 5.0
    assert send.options(scheduled_at=NOON).new().meta[DEADLINE_KEY]["at"].startswith("2027-01-01")


@pytest.mark.parametrize("wrong", [-1, float("nan"), float("inf"), "5", True, [5], timedelta(-1)])
def test_what_is_no_length_of_time_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidJob, match="deadline"):
        Job(worker="w", deadline=wrong)
    with pytest.raises(ConfigError, match="deadline"):
        Deadline(wrong)


@pytest.mark.parametrize(
    "options",
    [
        {"scheduled_at": datetime(9999, 12, 31, tzinfo=UTC), "deadline": 86_400 * 30},
        {"scheduled_in": timedelta(days=36_000), "deadline": timedelta(days=36_000)},
    ],
    ids=str,
)
def test_a_deadline_after_all_time_is_refused_rather_than_forgotten(
    options: dict[str, Any],
) -> None:
    with pytest.raises(InvalidJob, match="deadline"):
        Job(worker="w", **options)


def test_what_was_noted_is_read_again() -> None:
    minute = timedelta(minutes=1)
    assert read_deadline({DEADLINE_KEY: note_deadline(60, None, None)}, NOON) == (
        NOON + minute,
        False,
    )
    forced = {DEADLINE_KEY: note_deadline(Deadline(60, force=True), NOON, None)}
    assert read_deadline(forced, NOON - minute) == (NOON + minute, True)
    assert read_deadline(forced, None) == (NOON + minute, True)
    assert read_deadline({}, NOON) is None


HOSTILE: list[Any] = [
    None, True, 5, "2027-01-01", [], {}, {"at": None}, {"at": 5}, {"at": "soon"},
    {"at": "2027-01-01T12:00:00"}, {"at": "0001-01-01T00:00:00+14:00"},
    {"at": "9999-12-31T23:59:59-14:00"}, {"after": None}, {"after": "60"}, {"after": -1},
    {"after": 10**400}, {"after": 1e300}, {"after": True}, {"after": [60]}, {"force": True},
    {"at": {"at": 1}, "after": 60},
]  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE, ids=repr)
def test_what_is_no_deadline_is_none(hostile: Any) -> None:
    assert read_deadline({DEADLINE_KEY: hostile}, NOON) is None


@pytest.mark.parametrize("force", [1, "true", None, [True], {"force": True}])
def test_only_true_is_force(force: Any) -> None:
    assert read_deadline({DEADLINE_KEY: {"after": 60, "force": force}}, NOON) == (
        NOON + timedelta(seconds=60),
        False,
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=5,
)
LIKE_TIMES = st.datetimes(timezones=st.timezones()).map(datetime.isoformat)


@given(
    at=st.one_of(JSON, LIKE_TIMES),
    after=JSON,
    force=JSON,
    present=st.sets(st.sampled_from(["at", "after", "force"])),
    inserted=st.none() | st.datetimes(timezones=st.just(UTC)),
)
def test_nothing_that_a_row_may_hold_raises(
    at: Any, after: Any, force: Any, present: set[str], inserted: datetime | None
) -> None:
    noted = {"at": at, "after": after, "force": force}
    meta = {DEADLINE_KEY: {key: noted[key] for key in present}}
    found = read_deadline(meta, inserted)
    assert found is None or (found[0].utcoffset() == timedelta(0) and found[1] in {True, False})


@given(
    seconds=st.floats(min_value=0, max_value=3e9),
    scheduled_at=st.none() | st.datetimes(timezones=st.just(UTC)),
    scheduled_in=st.none() | st.floats(min_value=0, max_value=3e9),
    force=st.booleans(),
)
def test_a_deadline_is_refused_or_can_be_read_as_it_was_meant(
    seconds: float, scheduled_at: datetime | None, scheduled_in: float | None, force: bool
) -> None:
    try:
        noted = note_deadline(Deadline(seconds, force=force), scheduled_at, scheduled_in)
    except ConfigError:
        return
    found = read_deadline(json.loads(json.dumps({DEADLINE_KEY: noted})), NOON)
    due = scheduled_at or NOON + timedelta(seconds=scheduled_in or 0)
    assert found is not None
    assert abs(found[0] - due - timedelta(seconds=seconds)) < timedelta(milliseconds=1)
    assert found[1] is force
