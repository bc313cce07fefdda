"""What is sent and decoded by the statements of jobs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from staffa import Job, JobFilter, State
from staffa.engine import (
    Ack,
    Changed,
    Lease,
    Staged,
)
from staffa.engines.statements.operations import Stretch
from tests.unit.rows import CLAIMED_AT, row
from tests.unit.statements import (
    ACK,
    JOBS,
    OPERATIONS,
    PLAIN_ACK,
    PRODUCER,
)


def test_jobs_are_sent_as_one_array_in_their_order() -> None:
    at = datetime(2026, 1, 1, 12, 0, 0, 5, UTC)
    jobs = [
        Job(worker="a", args={"n": 2**70}, queue="q", tags=["x"], scheduled_at=at),
        Job(worker="b", meta={"m": "é"}, priority=3, max_attempts=5, scheduled_in=2.5),
    ]
    statement = JOBS.enqueue(jobs)
    first, second = json.loads(statement.params[0])
    assert first == {
        "queue": "q", "worker": "a", "args": [{"n": 2**70}], "meta": {}, "tags": ["x"],
        "priority": 0, "max_attempts": 20, "scheduled_at": at.isoformat(), "scheduled_in": None,
    }  # fmt: skip
    assert (second["meta"], second["scheduled_in"], second["scheduled_at"]) == (
        {"m": "é"},
        2.5,
        None,
    )
    found = [
        {"id": number, "state": "available", "inserted_at": at, "scheduled_at": at}
        for number in (8, 9)
    ]
    assert [(job.id, job.worker) for job in statement.decode(found)] == [(8, "a"), (9, "b")]
    with pytest.raises(ValueError):
        statement.decode(found[:1])


def test_claimed_jobs_come_in_the_order_in_which_they_start() -> None:
    statement = JOBS.claim("mail", 5, PRODUCER)
    assert statement.params == ("mail", 5, "node-a", str(PRODUCER.uuid))
    later = CLAIMED_AT + timedelta(seconds=1)
    rows = [
        row(id=1, priority=1), row(id=2, scheduled_at=later), row(id=4), row(id=3),
    ]  # fmt: skip
    jobs = statement.decode(rows)
    assert [job.id for job in jobs] == [3, 4, 2, 1]
    assert {(job.queue, job.state, job.attempted_by) for job in jobs} == {
        ("mail", State.EXECUTING, ("node-a", str(PRODUCER.uuid)))
    }


def test_outcomes_are_sent_as_columns() -> None:
    snoozed = Ack(
        lease=Lease(8, 1, CLAIMED_AT), state=State.SCHEDULED, refund=True, delay=60.0,
        meta={"snoozed": 2**70},
    )  # fmt: skip
    failed = Ack(lease=Lease(9, 3, CLAIMED_AT), state=State.RETRYABLE, error="boom", delay=15.0)
    statement = JOBS.ack([PLAIN_ACK, snoozed, failed], PRODUCER)
    assert statement.params == (
        [7, 8, 9],
        [2, 1, 3],
        [CLAIMED_AT] * 3,
        str(PRODUCER.uuid),
        ["completed", "scheduled", "retryable"],
        [False, True, False],
        [None, None, "boom"],
        [None, 60.0, 15.0],
        [None, '{"snoozed":1180591620717411303424}', None],
    )
    assert statement.decode([{"id": 7, "state": "completed"}]) == {7: State.COMPLETED}


def test_completions_name_the_time_of_their_claim_once() -> None:
    later = CLAIMED_AT + timedelta(seconds=1)
    leases = [Lease(7, 2, CLAIMED_AT), Lease(8, 1, later), Lease(9, 1, CLAIMED_AT)]
    acks = [Ack(lease=lease, state=State.COMPLETED) for lease in leases]
    statement = JOBS.ack(acks, PRODUCER)
    assert statement.params == (
        [7, 8, 9],
        [2, 1, 1],
        [1, 2, 1],
        [CLAIMED_AT, later],
        str(PRODUCER.uuid),
    )
    assert statement.decode([{"ids": [7, 9]}]) == dict.fromkeys([7, 9], State.COMPLETED)
    assert statement.decode([{"ids": None}]) == {}


def trace_row(**columns: Any) -> dict[str, Any]:
    return {
        "id": 7, "state": "completed", "meta": "{}", "errors": "[]",
        "producer": str(PRODUCER.uuid), "attempted_at": CLAIMED_AT, **columns,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("ack", "columns", "shown"),
    [
        ({}, {}, True),
        ({}, {"state": "executing"}, False),
        ({}, {"attempted_at": CLAIMED_AT + timedelta(microseconds=1)}, False),
        ({}, {"producer": str(UUID(int=6))}, False),
        ({}, {"producer": None, "attempted_at": None}, False),
        ({"error": "boom"}, {"errors": '[{"attempt":2,"error":"boom"}]'}, True),
        ({"error": "boom"}, {"errors": '[{"attempt":1,"error":"boom"}]'}, False),
        ({"error": "boom"}, {"errors": '["odd",null,5,{"attempt":2,"error":"boom"}]'}, True),
        ({"error": "boom"}, {"errors": '["odd"]'}, False),
        ({"meta": {"snoozed": 1}}, {"meta": '{"snoozed":1,"mine":2}'}, True),
        ({"meta": {"snoozed": 2}}, {"meta": '{"snoozed":1}'}, False),
        ({"meta": {"snoozed": 2}}, {"meta": "[]"}, False),
    ],
)
def test_a_row_shows_whether_an_outcome_was_written(
    ack: dict[str, Any], columns: dict[str, Any], shown: bool
) -> None:
    wanted = Ack(**{"lease": ACK.lease, "state": State.COMPLETED, **ack})
    found = JOBS.trace([wanted], PRODUCER).decode([trace_row(**columns)])
    assert found == (frozenset({7}) if shown else frozenset())


def test_a_job_that_was_deleted_since_had_been_written() -> None:
    assert JOBS.trace([ACK], PRODUCER).decode([]) == {7}


def test_staging_counts_what_it_staged_and_names_the_queues() -> None:
    statement = JOBS.stage(100, ("mail",))
    assert statement.params == (100, ["mail"])
    rows = [
        {"queue": "a", "staged": 2},
        {"queue": "b", "staged": 1},
        {"queue": "mail", "staged": 0},
    ]
    assert statement.decode(rows) == Staged(3, frozenset({"a", "b", "mail"}))


def test_changes_of_state_are_decoded() -> None:
    found = [{"id": 1, "queue": "q", "worker": "w", "previous_state": "executing", "attempt": 3}]
    for build in (OPERATIONS.cancel, OPERATIONS.retry, OPERATIONS.delete):
        assert build([1]).decode(found) == [Changed(1, "q", "w", State.EXECUTING)]
    changes = {"args": {"n": 2**70}}
    assert OPERATIONS.change([1], changes).decode(found) == [Changed(1, "q", "w", State.EXECUTING)]
    text = f'{{"args":{{"n":{2**70}}}}}'
    assert OPERATIONS.update((1, 2), changes).params == (text, True, [1, 2])
    assert OPERATIONS.change((1, 2), changes).params == (text, False, [1, 2])
    rows = [{"queue": "q", "state": "available", "count": 5}]
    assert OPERATIONS.count(JobFilter()).decode(rows) == {("q", State.AVAILABLE): 5}


def test_what_was_found_in_a_stretch_is_decoded() -> None:
    statement = OPERATIONS.find(JobFilter(), 0, 9, 1000)
    assert statement.decode([{"ids": [1, 3], "last": 7}]) == Stretch([1, 3], 7)
    assert statement.decode([{"ids": None, "last": None}]) == Stretch([], None)
    bounds = OPERATIONS.bounds(JobFilter(states=["available"]))
    assert bounds.decode([{"first": 3, "last": 9}]) == (3, 9)
    assert bounds.decode([{"first": None, "last": None}]) is None


def test_rows_that_others_hold_are_left_out_only_where_that_is_asked_for() -> None:
    for verb in ("cancel", "retry", "delete"):
        build = getattr(OPERATIONS, verb)
        assert "FOR UPDATE SKIP LOCKED" in build([1], wait=False).sql
        assert "FOR UPDATE SKIP LOCKED" not in build([1], wait=True).sql
    assert "FOR UPDATE SKIP LOCKED" in OPERATIONS.change([1], {}, wait=False).sql
    assert "FOR UPDATE SKIP LOCKED" not in OPERATIONS.change([1], {}).sql
