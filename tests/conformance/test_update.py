"""An update changes the columns that it names, and no other."""

from __future__ import annotations

from typing import Any

import pytest

from staffa.engine import Engine
from staffa.errors import DataRefused
from staffa.linking import FlowKind, Graph, NewFlow, NewStep
from staffa.types import State
from tests.conformance.rows import changed
from tests.conformance.stores import Store
from tests.conformance.work import enqueue, ids, new_job, read

PAST, FUTURE = "2001-01-01T00:00:00+05:45", "2100-01-01T00:00:00+05:45"
UNSTARTED = (State.AVAILABLE, State.SCHEDULED, State.RETRYABLE)

CHANGES: dict[str, Any] = {
    "queue": "žluť",
    "worker": "other.Worker",
    "args": {"big": 2**80, "text": "😀"},
    "meta": {},
    "tags": ["a", "b,c"],
    "priority": 9,
    "max_attempts": 32_767,
}


@pytest.mark.parametrize("column", CHANGES)
async def test_one_column_changes_alone(engine: Engine, column: str) -> None:
    (job,) = await enqueue(engine, meta={"old": 1}, tags=["old"])
    (updated,) = await engine.update_jobs(ids([job]), {column: CHANGES[column]})
    expected = tuple(CHANGES[column]) if column == "tags" else CHANGES[column]
    assert changed(job, updated) == {column: expected}
    assert changed(updated, await read(engine, job)) == {}


async def test_all_columns_change_at_once_on_several_jobs(engine: Engine) -> None:
    jobs = await enqueue(engine, 3)
    neighbour = jobs.pop()
    updated = await engine.update_jobs(ids(jobs), CHANGES)
    assert sorted(ids(updated)) == ids(jobs)
    for job in updated:
        assert {name: getattr(job, name) for name in CHANGES} == {**CHANGES, "tags": ("a", "b,c")}
    assert changed(neighbour, await read(engine, neighbour)) == {}


async def test_a_job_stays_what_it_is_in_its_flows_whatever_its_meta(engine: Engine) -> None:
    links = {
        "workflow_id": "w", "batch_id": "b", "chain_id": "c", "name": "step", "deps": ["other"],
        "cascade": {"flow": "w", "contexts": [], "jobs": ["other"], "flows": {}}, "graft": "g",
        "grafted": "list",
    }  # fmt: skip
    (job,) = await enqueue(engine, meta={"old": 1, **links})
    (updated,) = await engine.update_jobs(ids([job]), {"meta": {"new": 1, "cascade": None}})
    assert updated.meta == {"new": 1, **links}


async def test_a_job_comes_into_no_flow_by_its_meta(engine: Engine) -> None:
    flows = [NewFlow("b", FlowKind.BATCH, "b")]
    member = new_job(meta={"batch_id": "b", "name": "own"})
    (number,) = (await engine.insert_graph(Graph(flows, [NewStep(member)]))).ids
    wanted = {"meta": {"batch_id": "b", "workflow_id": "own", "callback": "own", "name": "new"}}
    (plain,) = await enqueue(engine)
    (updated,) = await engine.update_jobs(ids([plain]), wanted)
    assert updated.meta == {"workflow_id": "own", "callback": "own", "name": "new"}
    (updated,) = await engine.update_jobs([number], wanted)
    assert updated.meta == {"batch_id": "b", "name": "new"}


async def test_tags_can_be_emptied(engine: Engine) -> None:
    (job,) = await enqueue(engine, tags=["old"])
    (updated,) = await engine.update_jobs(ids([job]), {"tags": []})
    assert updated.tags == ()


@pytest.mark.parametrize("state", UNSTARTED)
async def test_a_new_time_decides_the_state_of_a_job_that_has_not_started(
    store: Store, engine: Engine, state: State
) -> None:
    (job,) = await enqueue(engine)
    await store.write(job.id, state=state)
    (later,) = await engine.update_jobs(ids([job]), {"scheduled_at": FUTURE})
    assert later.state is State.SCHEDULED
    assert (await store.row(job.id))["scheduled_at"] == "2099-12-31T18:15:00"
    (now,) = await engine.update_jobs(ids([job]), {"scheduled_at": PAST})
    assert now.state is State.AVAILABLE
    assert (await store.row(job.id))["scheduled_at"] == "2000-12-31T18:15:00"


@pytest.mark.parametrize("state", sorted(set(State) - set(UNSTARTED)))
async def test_a_new_time_does_not_bring_an_ended_or_running_job_back(
    store: Store, engine: Engine, state: State
) -> None:
    (job,) = await enqueue(engine)
    await store.write(job.id, state=state)
    (updated,) = await engine.update_jobs(ids([job]), {"scheduled_at": PAST})
    assert updated.state is state


async def test_a_job_that_does_not_exist_is_not_returned(engine: Engine) -> None:
    assert await engine.update_jobs([2**63 - 1], CHANGES) == []


@pytest.mark.parametrize(
    "changes",
    [{"queue": ""}, {"worker": "w" * 128}, {"priority": -1}, {"max_attempts": 0}],
    ids=str,
)
async def test_refused_values_change_nothing(
    store: Store, engine: Engine, changes: dict[str, Any]
) -> None:
    if "worker" in changes and not store.limits_names:
        pytest.skip("a table of Python's oban takes names of any length")
    (job,) = await enqueue(engine)
    with pytest.raises(DataRefused):
        await engine.update_jobs(ids([job]), {**changes, "meta": {"written": True}})
    assert changed(job, await read(engine, job)) == {}
