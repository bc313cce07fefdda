"""Which statements enqueue jobs, and in which order."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from staffa import Chain, Job, Unique
from staffa.engine import Statement, Statements, Written
from staffa.engines.statements import enqueueing
from staffa.engines.statements.chains import ChainStatements
from staffa.engines.statements.enqueueing import EnqueueStatements
from staffa.engines.statements.jobs import JobStatements
from staffa.engines.statements.rounds import Entry, Rounds
from staffa.engines.statements.unique import UniqueStatements


def make_statements() -> EnqueueStatements:
    return EnqueueStatements(
        JobStatements("public"), UniqueStatements("public"), ChainStatements("public")
    )


ENQUEUE = make_statements()
AT = datetime(2026, 1, 1, tzinfo=UTC)


def statements(*jobs: Job) -> list[Statement[Any]]:
    """Return what would be run for jobs."""
    return [made for part in ENQUEUE.enqueue(jobs).parts if (made := part()) is not None]


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


def test_keys_are_taken_first_in_their_order_without_repeats(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(enqueueing, "MAX_JOBS", 4)
    take, write, _ = statements(job(1), job(2), job(1), job(3, unique=None), job(4, unique=None))
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


def attempted(work: Statements[Any], *found: dict[str, Any]) -> list[Statement[Any] | None]:
    """Return the statements that are run if the first one of them returns such rows."""
    first = work.parts[0]()
    assert first is not None
    first.decode(found)
    return [first, *(part() for part in work.parts[1:])]


def group(*ids: int, lost: bool = False, at: datetime = AT) -> dict[str, Any]:
    return {
        "ids": list(ids), "state": "available", "inserted_at": AT, "scheduled_at": at, "lost": lost
    }  # fmt: skip


def test_jobs_whose_keys_are_new_are_written_by_one_statement() -> None:
    work = ENQUEUE.enqueue([job(1), job(1), job(2, unique=None)])
    first, *others = attempted(work, group(7, 8))
    assert others == [None, None]
    assert first is not None
    runs, keys, looked_for = first.params
    assert looked_for == keys
    assert [found["n"] for run in json.loads(runs) for found in run["args"]] == [1, 2]
    assert [key is None for key in keys] == [False, True]
    stored = work.combine([None, None, None])
    assert [(job.id, job.conflict) for job in stored] == [(7, False), (7, True), (8, False)]
    assert {job.inserted_at for job in stored} == {AT}


def test_who_wants_ids_is_told_no_more_of_jobs_whose_keys_are_new() -> None:
    work = ENQUEUE.write([job(1), job(2), job(3, queue="other")])
    attempted(work, group(8), group(7, 9, at=AT + timedelta(seconds=1)))
    written = work.combine([None, None, None])
    assert written == Written([7, 8, 9], {}, {"default": 2, "other": 1})


def test_of_ids_that_stand_for_several_jobs_the_conflicts_are_told() -> None:
    work = ENQUEUE.write([job(1), job(2), job(1)])
    attempted(work, group(7, 8))
    written = work.combine([None, None, None])
    assert (written.ids, written.woken) == ([7, 8, 7], {"default": 2})
    assert {place: job.id for place, job in written.conflicts.items()} == {2: 7}


def test_where_a_key_is_there_nothing_was_written_and_all_jobs_are_judged() -> None:
    work = ENQUEUE.enqueue([job(1), job(2)])
    _, take_back, judge = attempted(work)
    assert take_back is None
    assert judge is not None
    rows = [
        {"conflict": False, "id": number, "state": "available", "inserted_at": AT,
         "scheduled_at": AT}
        for number in (7, 8)
    ]  # fmt: skip
    stored = work.combine([None, None, judge.decode(rows)])
    assert [(job.id, job.conflict) for job in stored] == [(7, False), (8, False)]


def test_what_was_written_is_taken_back_where_a_key_was_taken_meanwhile() -> None:
    work = ENQUEUE.enqueue([job(1), job(2)])
    _, take_back, judge = attempted(work, group(7, 8, lost=True))
    assert take_back is not None
    assert take_back.params == ([7, 8],)
    assert judge is not None


def test_an_attempt_that_is_made_once_more_begins_anew() -> None:
    work = ENQUEUE.enqueue([job(1), job(2)])
    attempted(work, group(7, 8, lost=True))
    assert attempted(work, group(9, 10))[1:] == [None, None]
    assert [job.id for job in work.combine([None, None, None])] == [9, 10]


def test_outside_of_users_transactions_one_statement_is_tried_alone() -> None:
    work = make_statements().enqueue([job(1), job(1), job(2, unique=None)])
    assert work.alone is not None
    statement = work.alone.make()
    assert "ON CONFLICT (key)" not in statement.sql
    first = work.parts[0]()
    assert first is not None
    assert first.params == statement.params
    stored = statement.decode([group(7, 8)])
    assert stored is not None
    assert [(job.id, job.conflict) for job in stored] == [(7, False), (7, True), (8, False)]


def test_who_wants_ids_is_told_of_what_was_written_alone() -> None:
    work = make_statements().write([job(1), job(2), job(3, queue="other")])
    assert work.alone is not None
    assert work.alone.make().decode([group(7, 8, 9)]) == Written(
        [7, 8, 9], {}, {"default": 2, "other": 1}
    )


def test_where_nothing_was_written_alone_each_key_is_looked_for_from_then_on() -> None:
    enqueue = make_statements()
    work = enqueue.enqueue([job(n) for n in range(100)])
    assert work.alone is not None
    statement = work.alone.make()
    assert len(statement.params[2]) < 100
    assert statement.decode([]) is None
    work.alone.on_failure()
    first = work.parts[0]()
    assert first is not None
    assert first.params[2] == first.params[1]
    assert enqueue.enqueue([job(1)]).alone is None


def test_what_is_prepared_is_the_statement_that_is_tried_alone() -> None:
    prepared = make_statements().prepare([job(1), job(2)]).statements
    assert prepared.alone is not None
    assert prepared.alone.make() is prepared.alone.make()


def test_jobs_that_no_single_statement_can_take_are_not_tried_alone() -> None:
    assert make_statements().enqueue([job(1), job(2, unique=None, chain=Chain())]).alone is None
    assert make_statements().enqueue([job(1, unique=None)]).alone is None


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
