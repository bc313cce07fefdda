"""Which statements enqueue jobs, and in which order."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from staffa import Job, Unique
from staffa.engine import Statement
from staffa.engines.statements import enqueueing
from staffa.engines.statements.enqueueing import EnqueueStatements
from staffa.engines.statements.jobs import JobStatements
from staffa.engines.statements.unique import Entry, Rounds, UniqueStatements

ENQUEUE = EnqueueStatements(JobStatements("public"), UniqueStatements("public"))
AT = datetime(2026, 1, 1, tzinfo=UTC)


def statements(*jobs: Job) -> list[Statement[Any]]:
    """Return what would be run for jobs."""
    return [part() for part in ENQUEUE.enqueue(jobs).parts]


def job(number: int = 0, **options: Any) -> Job:
    return Job(worker="w", args={"n": number}, **{"unique": True, **options})


def rounds(*jobs: Job) -> tuple[list[list[int]], dict[int, int]]:
    plan = Rounds.plan([Entry(job, job.unique_key) for job in jobs])
    return [list(turn) for turn in plan.rounds], dict(plan.sure)


def test_plain_jobs_are_one_statement_and_so_need_no_transaction() -> None:
    (only,) = statements(*(job(n, unique=None) for n in range(5000)))
    assert "staffa_unique" not in only.sql
    (run,) = json.loads(only.params[0])
    assert len(run["args"]) == 5000


def test_keys_are_taken_first_in_their_order_without_repeats() -> None:
    take, write = statements(job(1), job(2), job(1), job(3, unique=None))
    (keys,) = take.params
    assert keys == sorted(set(keys))
    assert len(keys) == 2
    assert take.decode([]) is None
    kinds, args, written, places = map(json.loads, write.params)
    assert [key in keys for key in written] == [True, True, False]
    assert [found["n"] for found in args] == [1, 2, 3]
    assert places == [1, 1, 2]
    assert ["states" in kind for kind in kinds] == [True, False]


def test_all_keys_of_a_large_call_are_taken_before_any_job_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(enqueueing, "MAX_KEYS", 7)
    monkeypatch.setattr(enqueueing, "MAX_JOBS", 5)
    found = statements(*(job(n) for n in range(20)))
    takes = [statement.params[0] for statement in found[:3]]
    keys = [key for keys in takes for key in keys]
    assert keys == sorted(keys)
    assert len(keys) == 20
    assert [len(json.loads(statement.params[1])) for statement in found[3:]] == [5] * 4


def test_jobs_are_cut_by_their_size_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enqueueing, "MAX_CHARACTERS", 100)
    jobs = [Job(worker="w", args={"text": "x" * size}) for size in (30, 30, 500, 10, 10)]
    first, large, last = statements(*jobs)
    assert [len(run["args"]) for run in json.loads(first.params[0])] == [2]
    assert len(json.loads(str(large.params[2]))["text"]) == 500
    assert [len(run["args"]) for run in json.loads(last.params[0])] == [2]


def test_the_results_come_in_the_order_given() -> None:
    work = ENQUEUE.enqueue([job(1), job(1), job(2, unique=None)])
    rows = [
        {"conflict": False, "id": number, "state": "available", "inserted_at": AT,
         "scheduled_at": AT}
        for number in (7, 8)
    ]  # fmt: skip
    results = [work.parts[0]().decode([]), work.parts[1]().decode(rows)]
    stored = work.combine(results)
    assert [(job.id, job.conflict) for job in stored] == [(7, False), (7, True), (8, False)]


def test_equal_jobs_need_no_round_of_their_own() -> None:
    assert rounds(job(1), job(2), job(1), job(1)) == ([[0, 1]], {2: 0, 3: 0})
    period = Unique(period=60)
    assert rounds(job(unique=period), job(unique=period)) == ([[0]], {1: 0})


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {"unique": Unique(states="all")}),
        ({"unique": Unique(states="scheduled")}, {"unique": Unique(states="scheduled")}),
        ({}, {"replace": {"available": ["args"]}}),
        ({"replace": {"available": ["args"]}}, {}),
        (
            {"unique": Unique(period=5, timestamp="scheduled_at"), "scheduled_at": AT},
            {"unique": Unique(period=5, timestamp="scheduled_at")},
        ),
    ],
    ids=str,
)
def test_a_job_whose_outcome_is_not_sure_waits_for_that_of_the_one_before(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    assert rounds(job(**first), job(5), job(**second)) == ([[0, 1], [2]], {})


def test_a_job_is_sure_by_the_last_one_of_its_key_only() -> None:
    other = Unique(states="all")
    assert rounds(job(), job(unique=other), job(), job()) == ([[0], [1], [2]], {3: 2})
