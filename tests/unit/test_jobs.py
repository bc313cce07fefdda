"""Making jobs: what is accepted, what is refused, and how it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from staffa import Job, State, current_job
from staffa.errors import InvalidArgs, InvalidJob, JobCancelled
from staffa.jobs import find_current_job
from staffa.options import check_tags
from staffa.types import SignalWanted
from tests.unit.rows import CLAIMED_AT, claimed, row

NOON_IN_OSLO = datetime(2026, 6, 1, 12, tzinfo=timezone(timedelta(hours=2)))


def test_a_job_has_the_defaults_of_its_peers() -> None:
    job = Job(worker="myapp.Mailer")
    assert (job.queue, job.priority, job.max_attempts) == ("default", 0, 20)
    assert (job.args, job.meta, job.tags, job.errors) == ({}, {}, (), [])
    assert (job.id, job.attempt, job.state) == (None, 0, State.AVAILABLE)


@pytest.mark.parametrize(
    "options",
    [
        {"worker": ""}, {"worker": "w" * 128}, {"worker": None}, {"worker": "a\x00"},
        {"queue": ""}, {"queue": "q" * 128}, {"queue": None}, {"queue": 5},
        {"priority": -1}, {"priority": 10}, {"priority": True}, {"priority": 1.0},
        {"priority": "1"}, {"max_attempts": 0}, {"max_attempts": 32_768}, {"max_attempts": None},
        {"tags": "urgent"}, {"tags": [""]}, {"tags": ["  "]}, {"tags": [1]}, {"tags": ["t" * 256]},
        {"tags": ["a\x00"]}, {"tags": ["\ud800"]}, {"tags": [str(n) for n in range(101)]},
        {"tags": 5}, {"meta": []}, {"meta": {"a": {1}}}, {"args": [1]}, {"args": {"a": b""}},
        {"timeout": -1}, {"timeout": "5"}, {"timeout": float("nan")}, {"timeout": 10**400},
        {"scheduled_in": -1}, {"scheduled_in": "5"}, {"scheduled_in": True},
        {"scheduled_in": float("inf")}, {"scheduled_in": 10**400},
        {"scheduled_in": timedelta(days=-1)}, {"scheduled_in": timedelta.max},
        {"scheduled_at": "2026-01-01"}, {"scheduled_at": CLAIMED_AT.date()},
        {"scheduled_at": CLAIMED_AT.replace(tzinfo=None)},
        {"scheduled_at": datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))},
        {"scheduled_at": CLAIMED_AT, "scheduled_in": 5}, {"meta": [1], "timeout": 5},
    ],
    ids=lambda options: "-".join(f"{key}={value!r:.24}" for key, value in options.items()),
)  # fmt: skip
def test_a_value_that_can_not_be_stored_is_refused_with_a_short_message(
    options: dict[str, Any],
) -> None:
    with pytest.raises(
        InvalidJob, match="|".join(key.removesuffix("s") for key in options)
    ) as caught:
        Job(**{"worker": "myapp.Mailer", **options})
    assert len(str(caught.value)) < 500


def test_the_greatest_and_least_values_are_accepted() -> None:
    job = Job(worker="w" * 127, queue="q" * 127, priority=9, max_attempts=32_767, tags=["t" * 255])
    assert (job.priority, job.max_attempts) == (9, 32_767)


def test_wrong_args_are_told_apart_from_other_wrong_values() -> None:
    with pytest.raises(InvalidArgs, match=r"args\.to"):
        Job(worker="w", args={"to": object()})
    with pytest.raises(InvalidArgs, match=r"meta\.to"):
        Job(worker="w", meta={"to": object()})


def test_tags_are_trimmed_lower_cased_and_without_repeats() -> None:
    assert check_tags(["  B ", "a", "b", "A"]) == ("b", "a")
    assert check_tags(tag for tag in ["x"]) == ("x",)
    assert len(check_tags(["same"] * 500)) == 1


def test_times_become_utc_and_make_the_job_scheduled() -> None:
    job = Job(worker="w", scheduled_at=NOON_IN_OSLO)
    assert job.scheduled_at == NOON_IN_OSLO
    assert job.scheduled_at is not None
    assert job.scheduled_at.tzinfo is UTC
    assert job.state is State.SCHEDULED


def test_a_naive_time_is_refused_with_the_remedy() -> None:
    with pytest.raises(InvalidJob, match=r"no time zone.*datetime\.now\(UTC\)"):
        Job(worker="w", scheduled_at=datetime(2026, 1, 1))  # noqa: DTZ001  # the point of the test


@pytest.mark.parametrize(("delay", "seconds"), [(90, 90.0), (0.5, 0.5), (timedelta(hours=1), 3600)])
def test_a_delay_is_kept_in_seconds_for_the_clock_of_the_database(
    delay: float | timedelta, seconds: float
) -> None:
    job = Job(worker="w", scheduled_in=delay)
    assert job.scheduled_in == seconds
    assert job.scheduled_at is None
    assert job.state is State.SCHEDULED


def test_a_timeout_is_kept_in_meta_beside_what_is_there() -> None:
    assert Job(worker="w", meta={"a": 1}, timeout=timedelta(minutes=1)).meta == {
        "a": 1,
        "staffa_timeout": 60.0,
    }


def test_args_are_copied_and_may_be_changed_until_the_job_is_written() -> None:
    given = {"to": ["ada"]}
    job = Job(worker="w", args=given)
    given["to"].append("bob")
    assert job.args == {"to": ["ada"]}
    job.args["to"].append("\x00")
    with pytest.raises(InvalidArgs, match="NUL"):
        _ = job.args_json


def test_a_row_with_nulls_and_a_past_becomes_a_job() -> None:
    found = row(args={"n": 2**70}, tags=None, meta=None, attempt=2) | {
        "state": "retryable", "queue": "mail", "attempted_by": ["node", "uuid"], "meta": None,
        "errors": '[{"attempt":1,"at":"2026-01-01T00:00:00Z","error":"boom"}]',
        "completed_at": None, "cancelled_at": None, "discarded_at": None,
    }  # fmt: skip
    job = Job.from_row(found)
    assert (job.state, job.queue, job.attempted_by) == (State.RETRYABLE, "mail", ("node", "uuid"))
    assert (job.tags, job.meta, job.args) == ((), {}, {"n": 2**70})
    assert job.errors[0]["error"] == "boom"


def test_a_row_whose_json_can_not_be_decoded_is_a_value_error_when_it_is_looked_at() -> None:
    job = claimed(args='{"n":' + "9" * 5000 + "}")
    with pytest.raises(ValueError):
        _ = job.args


def test_a_stored_job_is_a_new_object_and_the_old_one_is_unchanged() -> None:
    job = Job(worker="w", args={"a": 1})
    stored = job.as_enqueued(
        {"id": 7, "state": "available", "inserted_at": CLAIMED_AT, "scheduled_at": CLAIMED_AT}
    )
    assert (stored.id, stored.args, stored.inserted_at) == (7, {"a": 1}, CLAIMED_AT)
    assert job.id is None


def test_what_is_printed_of_a_job_does_not_show_its_args() -> None:
    job = Job(worker="myapp.Mailer", args={"token": "hunter2"}, meta={"token": "hunter2"})
    assert "hunter2" not in f"{job} {job!r}"


def test_outside_of_jobs_there_is_no_current_one() -> None:
    assert find_current_job() is None
    with pytest.raises(InvalidJob, match="inside of a job"):
        current_job()


def test_a_job_asks_its_context_whether_to_stop() -> None:
    class Context:
        cancelled = False

        async def note_progress(self, patch: Mapping[str, Any]) -> None: ...

        async def write_meta(self, patch: Mapping[str, Any]) -> None: ...

        async def complete_in(self, conn: Any, result: object) -> None: ...

        async def receive_signal(self, wanted: SignalWanted) -> None: ...

        def receive_signal_sync(self, wanted: SignalWanted) -> None: ...

    job, context = claimed(), Context()
    job.bind(context)
    job.raise_if_cancelled()
    context.cancelled = True
    assert job.cancelled()
    with pytest.raises(JobCancelled, match="job 1"):
        job.raise_if_cancelled()


def test_queues_written_to_during_a_job_are_told_once() -> None:
    job = claimed()
    job.note_enqueued({"a"})
    job.note_enqueued({"a", "b"})
    assert job.take_enqueued() == {"a", "b"}
    assert job.take_enqueued() == frozenset()


def test_a_copy_has_all_that_the_job_has() -> None:
    job = Job(worker="w", args={"a": 1}, meta={"m": 1}, tags=["t"], scheduled_in=5, unique=True)
    slots = [name for base in Job.__mro__ for name in getattr(base, "__slots__", ())]
    for number, name in enumerate(slots):
        setattr(job, name, number)
    found = copy(job)
    assert [getattr(found, name) for name in slots] == list(range(len(slots)))
