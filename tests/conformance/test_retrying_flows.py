"""Flows run again, what failed of them or all, in their order."""

from __future__ import annotations

from staffa.chains import Chain
from staffa.engine import Engine
from staffa.linking import NeedsFlow, NewFlow, Policies, Policy
from staffa.types import State
from tests.conformance.new_graphs import counts, flow_of, step, workflow
from tests.conformance.runs import Runs
from tests.conformance.stores import Store
from tests.conformance.work import QUEUE

CHAIN = Chain(by="worker")


async def test_what_failed_runs_again_and_what_depends_on_it_waits_again(
    engine: Engine, runs: Runs
) -> None:
    await runs.write(step(), step(needs=[0]), step(needs=[1]), step(needs=[0]))
    await runs.end(0)
    await runs.end(3)
    await runs.end(1, state=State.DISCARDED, error="no")
    assert await runs.states() == ["completed", "discarded", "cancelled", "completed"]
    followed = await engine.retry_flow("order")
    assert dict(followed.woken) == {QUEUE: 1}
    assert await runs.states() == ["completed", "available", "suspended", "completed"]
    assert counts(await flow_of(engine)) == {
        "total": 4, "suspended": 1, "completed": 2, "attempted": 3,
    }  # fmt: skip
    assert (await flow_of(engine)).finished_at is None
    await runs.end(1)
    await runs.end(2)
    row = await flow_of(engine)
    assert (row.state, row.completed, row.attempted) == (State.COMPLETED, 4, 4)


async def test_a_retry_opens_what_waits_for_whole_flows_again(engine: Engine, runs: Runs) -> None:
    flows = [workflow(), workflow("inner", "order"), workflow("deep", "inner", root="order")]
    await runs.write(step("deep"), step("inner"), step(needs=[NeedsFlow("inner")]), flows=flows)
    await runs.end(1)
    await runs.end(0, state=State.CANCELLED)
    assert await runs.states() == ["cancelled", "completed", "cancelled"]
    await engine.retry_flow("order")
    assert await runs.states() == ["available", "completed", "suspended"]
    assert counts(await flow_of(engine)) == {"total": 1, "suspended": 1, "inner": 1}
    await runs.end(0)
    assert await runs.states() == ["completed", "completed", "available"]


async def test_what_ignores_the_failure_and_has_not_run_waits_again(
    engine: Engine, runs: Runs
) -> None:
    ignoring = Policies(cancelled=Policy.IGNORE)
    await runs.write(step(), step(needs=[0], policies=ignoring), step(needs=[0], policies=ignoring))
    await runs.end(0, state=State.CANCELLED)
    await runs.end(1)
    assert await runs.states() == ["cancelled", "completed", "available"]
    await engine.retry_flow("order")
    assert await runs.states() == ["available", "completed", "suspended"]
    assert counts(await flow_of(engine)) == {
        "total": 3, "suspended": 1, "completed": 1, "attempted": 2,
    }  # fmt: skip


async def test_a_whole_retry_runs_everything_from_the_start_without_results(
    engine: Engine, runs: Runs, store: Store
) -> None:
    await runs.write(step(), step(needs=[0]), step(needs=[1]))
    await runs.end(0, meta={"return": "a"})
    await runs.end(1, meta={"return": "b"})
    await runs.end(2)
    assert (await flow_of(engine)).finished_at is not None
    followed = await engine.retry_flow("order", whole=True)
    assert dict(followed.woken) == {QUEUE: 1}
    assert await runs.states() == ["available", "suspended", "suspended"]
    assert [("return" in job.meta) for job in await engine.get_jobs(runs.ids)] == [False] * 3
    assert counts(await flow_of(engine)) == {"total": 3, "suspended": 2, "attempted": 3}
    for place in range(3):
        await runs.end(place)
    assert (await flow_of(engine)).state is State.COMPLETED


async def test_what_completed_stays_as_it_is_without_whole(engine: Engine, runs: Runs) -> None:
    await runs.write(step(), step(needs=[0]))
    await runs.end(0)
    followed = await engine.retry_flow("order")
    assert not followed.woken
    assert await runs.states() == ["completed", "available"]


async def test_a_flow_that_was_cancelled_runs_again_from_its_first_step(
    engine: Engine, runs: Runs
) -> None:
    await runs.write(step(), step(needs=[0]), step(held=True))
    await engine.cancel_flow("order")
    await engine.retry_flow("order")
    assert await runs.states() == ["available", "suspended", "suspended"]
    assert counts(await flow_of(engine)) == {"total": 3, "suspended": 2}


async def test_what_a_graft_has_added_waits_for_it_when_both_run_again(
    engine: Engine, runs: Runs, store: Store
) -> None:
    def graft(name: str, parent: str, *ignored: str) -> NewFlow:
        options = {"form": "graft", "ignore": list(ignored)}
        return workflow(name, parent, root="order", options=options)

    flows = [
        workflow(),
        graft("graft", "order", "discarded"),
        workflow("inner", "graft", root="order"),
        graft("deep", "inner"),
    ]
    marked = {"graft": "its name"}
    await runs.write(
        step(),
        step("graft", [0], meta=marked),
        step("graft"),
        step("inner"),
        step("inner", [3]),
        step("deep", meta=marked, chain=CHAIN),
        step("deep", held=True, chain=CHAIN),
        flows=flows,
    )
    await engine.release_step(runs.ids[6])
    for place in range(7):
        await runs.end(place)
    await engine.retry_flow("order", whole=True)
    assert await runs.states() == ["available", *["suspended"] * 6]
    edges = await store.select("staffa_edges")
    needs = {(runs.ids.index(one["job_id"]), runs.ids.index(one["needs_job"])) for one in edges}
    assert needs == {(1, 0), (2, 1), (3, 1), (4, 3), (5, 1), (6, 5)}
    await runs.end(0)
    assert await runs.states() == ["completed", "available", *["suspended"] * 5]
    await runs.end(1)
    assert await runs.states() == [
        "completed", "completed", "available", "available", "suspended", "available", "suspended",
    ]  # fmt: skip
    for place in range(2, 7):
        await runs.end(place)
    assert (await flow_of(engine)).state is State.COMPLETED
    await engine.retry_flow("order", whole=True)
    await runs.end(0)
    await runs.end(1, state=State.DISCARDED, error="no")
    assert (await runs.states())[2:4] == ["available", "available"]  # that is ignored
    await engine.cancel_flow("order")
    await engine.retry_flow("order", whole=True)
    await runs.end(0)
    await runs.end(1, state=State.CANCELLED)
    assert (await runs.states())[2:6] == ["cancelled"] * 4


async def test_what_a_graft_has_added_runs_again_alone_if_the_graft_has_completed(
    engine: Engine, runs: Runs
) -> None:
    flows = [workflow(), workflow("graft", "order", options={"form": "graft"})]
    await runs.write(step("graft", meta={"graft": "its name"}), step("graft"), flows=flows)
    await runs.end(0)
    await runs.end(1, state=State.DISCARDED, error="no")
    await engine.retry_flow("order")
    assert await runs.states() == ["completed", "available"]
