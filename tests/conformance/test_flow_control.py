"""Flows are read, cancelled, run again, released and forgotten as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from staffa.chains import Chain
from staffa.engine import Ack, Engine, Lease, Producer
from staffa.errors import UnknownFlow
from staffa.linking import (
    FlowKind,
    Followed,
    Graph,
    NeedsFlow,
    NeedsJob,
    NewFlow,
    NewStep,
    Policies,
    Policy,
)
from staffa.types import State
from tests.conformance.new_graphs import (
    batch,
    counts,
    flow_of,
    graph,
    members,
    states,
    step,
    workflow,
)
from tests.conformance.stores import Store
from tests.conformance.work import QUEUE, new_job

LONG = 100.0
CHAIN = Chain(by="worker")


class Runs:
    """Writes a graph, and runs its jobs.

    Args:
        engine: The engine.
        producer: Who runs them.
    """

    def __init__(self, engine: Engine, producer: Producer) -> None:
        self.engine = engine
        self.producer = producer
        self.ids: list[int] = []

    async def write(self, *steps: NewStep, flows: Sequence[NewFlow] | None = None) -> None:
        """Write a graph; its jobs are told by their places from now on."""
        self.ids = list((await self.engine.insert_graph(graph(*steps, flows=flows))).ids)

    async def start(self, *places: int) -> list[Lease]:
        """Claim all that is available; return the leases of some."""
        claimed = await self.engine.claim_jobs(QUEUE, 1_000, self.producer)
        leases = {job.id: Lease.of(job) for job in claimed}
        return [leases[self.ids[place]] for place in places]

    async def end(self, *places: int, state: State = State.COMPLETED, **details: Any) -> None:
        """Run jobs to an end; others that were claimed are put back."""
        acks = [Ack(lease=lease, state=state, **details) for lease in await self.start(*places)]
        done = await self.engine.ack_linked_jobs(acks, self.producer)
        assert len(done.states) == len(places)
        await self.engine.release_jobs(self.producer, queue=QUEUE)

    async def states(self) -> list[str]:
        """Return the states of all jobs."""
        return await states(self.engine, self.ids)


@pytest.fixture
def runs(engine: Engine, producer: Producer) -> Runs:
    """What writes and runs graphs."""
    return Runs(engine, producer)


async def test_a_flow_that_is_not_stored_can_be_neither_cancelled_nor_retried(
    engine: Engine,
) -> None:
    for call in (engine.cancel_flow, engine.retry_flow):
        with pytest.raises(UnknownFlow, match="'nothing' is stored"):
            await call("nothing")
    assert await engine.read_flows(["nothing"]) == []


# --- cancel


async def test_all_unfinished_jobs_are_cancelled_at_any_depth(engine: Engine, runs: Runs) -> None:
    flows = [workflow(), workflow("inner", "order"), workflow("deep", "inner", root="order")]
    await runs.write(
        step(),
        step(scheduled_in=60),
        step("inner", [0]),
        step("deep", held=True),
        step(needs=[NeedsFlow("inner")], policies=Policies(cancelled=Policy.IGNORE)),
        flows=flows,
    )
    await runs.end(0)
    await runs.start()
    changed = await engine.cancel_flow("order")
    assert [job.id for job in changed] == runs.ids[1:]
    assert [job.id for job in changed if job.previous_state is State.EXECUTING] == [runs.ids[2]]
    assert await runs.states() == ["completed", *["cancelled"] * 4]
    assert sorted(changed.followed.ended) == ["deep", "inner", "order"]
    assert not changed.followed.woken
    assert (await flow_of(engine)).state is State.CANCELLED
    assert counts(await flow_of(engine)) == {
        "total": 3, "completed": 1, "cancelled": 2, "attempted": 3,
    }  # fmt: skip
    assert await engine.cancel_flow("order") == []


async def test_what_waits_outside_for_a_flow_that_is_cancelled_does_what_its_policies_say(
    engine: Engine, runs: Runs
) -> None:
    ignoring = Policies(cancelled=Policy.IGNORE)
    await runs.write(
        step("inner"),
        step(needs=[NeedsFlow("inner")]),
        step(needs=[NeedsFlow("inner")], policies=ignoring),
        flows=[workflow(), workflow("inner", "order")],
    )
    changed = await engine.cancel_flow("inner")
    assert await runs.states() == ["cancelled", "cancelled", "available"]
    assert dict(changed.followed.woken) == {QUEUE: 1}
    assert list(changed.followed.cancelled) == [runs.ids[1]]


async def test_a_batch_is_cancelled_with_the_workflow_in_it_but_not_its_callbacks(
    engine: Engine, runs: Runs
) -> None:
    callbacks = {"cancelled": new_job(worker="tests.Told")}
    await runs.write(
        step(batch_id="bunch"),
        step("", batch_id="bunch"),
        step("inner", batch_id="bunch"),
        flows=[
            batch(callbacks=callbacks),
            workflow(root="bunch"),
            workflow("inner", "order", root="bunch"),
        ],
    )
    changed = await engine.cancel_flow("bunch")
    assert [job.id for job in changed] == runs.ids
    (told,) = [
        job
        for job in await engine.list_linked_jobs("bunch", callbacks=True)
        if "callback" in job.meta
    ]
    assert (told.state, dict(changed.followed.woken)) == (State.AVAILABLE, {QUEUE: 1})
    assert await engine.cancel_flow("bunch") == []


async def test_thousands_are_cancelled_together(engine: Engine, runs: Runs) -> None:
    await runs.write(step(), *members(6000, "order", 0))
    assert len(await engine.cancel_flow("order")) == 6001
    assert counts(await flow_of(engine)) == {
        "total": 6001, "cancelled": 6001, "attempted": 6001,
    }  # fmt: skip


# --- retry


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


# --- release


async def test_a_held_step_is_released(engine: Engine, runs: Runs) -> None:
    await runs.write(step(held=True))
    followed = await engine.release_step(runs.ids[0])
    assert (dict(followed.woken), followed.released) == ({QUEUE: 1}, True)
    assert await runs.states() == ["available"]
    assert counts(await flow_of(engine)) == {"total": 1}
    assert await engine.release_step(runs.ids[0]) == Followed()


async def test_a_held_step_waits_on_for_what_it_needs(engine: Engine, runs: Runs) -> None:
    await runs.write(step(), step(needs=[0], held=True), step(needs=[0], held=True))
    assert await engine.release_step(runs.ids[1]) == Followed(released=True)
    assert await engine.release_step(runs.ids[1]) == Followed()
    await runs.end(0)
    assert await runs.states() == ["completed", "available", "suspended"]
    assert dict((await engine.release_step(runs.ids[2])).woken) == {QUEUE: 1}


async def test_what_is_no_step_is_left_alone(engine: Engine, runs: Runs) -> None:
    await runs.write(step())
    assert await engine.release_step(runs.ids[0]) == Followed()
    assert await engine.release_step(10**9) == Followed()


# --- reading


async def test_flows_are_listed_from_the_newest_page_by_page(engine: Engine) -> None:
    for name in ("a", "b", "c"):
        flows = [workflow(name), workflow(f"in {name}", name), batch(f"batch {name}")]
        await engine.insert_graph(Graph(flows, []))
    first = await engine.list_flows(FlowKind.WORKFLOW, limit=2)
    assert [row.id for row in first] == ["c", "b"]
    rest = await engine.list_flows(FlowKind.WORKFLOW, limit=2, before="b")
    assert [row.id for row in rest] == ["a"]
    batches = await engine.list_flows(FlowKind.BATCH, limit=5)
    assert [row.id for row in batches] == ["batch c", "batch b", "batch a"]


async def test_what_is_inside_of_listed_flows_counts(engine: Engine, runs: Runs) -> None:
    flows = [workflow(), workflow("group", "order"), workflow("inner", "group")]
    await runs.write(step(), step("group"), step("inner"), step("inner"), flows=flows)
    await runs.end(2, state=State.DISCARDED)
    await engine.insert_graph(Graph([workflow("other")], []))
    other, order = await engine.list_flows(FlowKind.WORKFLOW, limit=2)
    assert (order.id, order.total, order.discarded, order.active) == ("order", 4, 1, 3)
    assert order.state is State.EXECUTING
    assert (other.id, other.total) == ("other", 0)
    for place in (0, 1, 3):
        await runs.end(place)
    (order,) = await engine.list_flows(FlowKind.WORKFLOW, limit=1, before="other")
    assert (order.completed, order.state) == (3, State.DISCARDED)


async def test_steps_are_found_by_name(engine: Engine, runs: Runs) -> None:
    flows = [workflow(), workflow("inner", "order")]
    await runs.write(step(name="a"), step(name="ž"), step(), step("inner", name="b"), flows=flows)
    a, z, _, b = runs.ids
    assert await engine.find_steps("order") == {"a": a, "ž": z}
    assert await engine.find_steps("order", ["ž", "none"]) == {"ž": z}
    assert await engine.find_steps("inner") == {"b": b}


async def test_jobs_of_a_flow_are_listed_page_by_page(engine: Engine, runs: Runs) -> None:
    flows = [batch(), workflow(root="bunch"), workflow("inner", "order", root="bunch")]
    await runs.write(
        step(batch_id="bunch"), step("", batch_id="bunch"), step("inner"), step(), flows=flows
    )
    first, second, _, last = runs.ids
    assert [job.id for job in await engine.list_linked_jobs("order")] == [first, last]
    assert [job.id for job in await engine.list_linked_jobs("bunch")] == [first, second]
    page = await engine.list_linked_jobs("order", limit=1)
    assert [job.id for job in page] == [first]
    rest = await engine.list_linked_jobs("order", after=first, limit=1)
    assert [job.id for job in rest] == [last]


# --- forget


async def test_flows_without_jobs_are_forgotten_after_an_age(engine: Engine, runs: Runs) -> None:
    await runs.write(step(), step("inner", [0]), flows=[workflow(), workflow("inner", "order")])
    assert await engine.forget_flows(age=0, limit=10) == 0
    await engine.cancel_flow("order")
    assert await engine.forget_flows(age=0, limit=10) == 0
    await engine.delete_jobs(runs.ids)
    assert await engine.forget_flows(age=LONG, limit=10) == 0
    assert await engine.forget_flows(age=0, limit=10) == 2
    assert await engine.read_flows(["order", "inner"]) == []


async def test_a_flow_is_kept_while_one_with_its_root_has_jobs(engine: Engine, runs: Runs) -> None:
    await runs.write(step("inner"), flows=[workflow(), workflow("inner", "order")])
    await runs.end(0)
    assert await engine.forget_flows(age=0, limit=10) == 0
    await engine.delete_jobs(runs.ids)
    assert await engine.forget_flows(age=0, limit=10) == 2


async def test_steps_of_jobs_that_others_have_deleted_are_forgotten_too(
    engine: Engine, runs: Runs, store: Store
) -> None:
    await runs.write(step(), step(needs=[0]))
    await runs.end(0)
    await runs.end(1)
    for number in runs.ids:
        await store.delete(number)
    assert await engine.forget_flows(age=0, limit=10) == 1
    assert await store.select("staffa_steps") == []
    assert await store.select("staffa_edges") == []


async def test_flows_that_can_not_be_forgotten_do_not_hold_up_those_behind_them(
    engine: Engine, runs: Runs
) -> None:
    for name in ("a", "b", "c"):
        await runs.write(step(name), flows=[workflow(name)])
        await runs.end(0)
    await runs.write(flows=[workflow("empty")])
    forgotten = [await engine.forget_flows(age=0, limit=2) for _ in range(3)]
    assert sorted(forgotten) == [0, 0, 1]
    listed = await engine.list_flows(FlowKind.WORKFLOW, limit=9)
    assert [row.id for row in listed] == ["c", "b", "a"]


async def test_many_flows_are_forgotten_at_once(engine: Engine) -> None:
    flows = [workflow(f"flow {number}") for number in range(2_500)]
    await engine.insert_graph(Graph(flows, []))
    assert await engine.forget_flows(age=0, limit=10_000) == 2_500
    assert await engine.list_flows(FlowKind.WORKFLOW, limit=9) == []


# --- beside others


@pytest.mark.parametrize("whole", [False, True], ids=["behind a job", "behind a flow"])
async def test_what_is_appended_is_released_whoever_is_first(
    engine: Engine, other_engine: Engine, runs: Runs, whole: bool
) -> None:
    for turn in range(10):
        name = f"flow {turn}"
        inner = f"inner {turn}"
        await runs.write(step(inner), flows=[workflow(name), workflow(inner, name)])
        need = NeedsFlow(inner) if whole else NeedsJob(runs.ids[0])
        behind = Graph([], [step(name, [need])], roots=[name])
        more, _ = await asyncio.gather(other_engine.insert_graph(behind), runs.end(0))
        assert await states(engine, more.ids) == ["available"]
        row = await flow_of(engine, name)
        assert (counts(row), row.finished_at) == ({"total": 1}, None)
        await engine.cancel_flow(name)
        assert (await flow_of(engine, name)).state is State.CANCELLED


async def test_many_who_append_at_once_lose_nothing(
    engine: Engine, other_engine: Engine, runs: Runs
) -> None:
    await runs.write(step())
    behind = Graph([], [step(needs=[NeedsJob(runs.ids[0])])], roots=["order"])
    appended = [(engine, other_engine)[n % 2].insert_graph(behind) for n in range(12)]
    await asyncio.gather(*appended, runs.end(0))
    row = await flow_of(engine)
    assert counts(row) == {"total": 13, "completed": 1, "attempted": 1}
    assert len(await engine.claim_jobs(QUEUE, 100, runs.producer)) == 12


async def test_a_flow_is_cancelled_with_what_is_appended_before_and_goes_on_with_the_rest(
    engine: Engine, other_engine: Engine, runs: Runs
) -> None:
    for turn in range(10):
        name = f"flow {turn}"
        await runs.write(step(name), flows=[workflow(name)])
        behind = Graph([], [step(name)], roots=[name])
        more, changed = await asyncio.gather(
            other_engine.insert_graph(behind), engine.cancel_flow(name)
        )
        (state,) = await states(engine, more.ids)
        row = await flow_of(engine, name)
        assert len(changed) == (2 if state == "cancelled" else 1)
        assert (row.finished_at is None) == (state == "available")
        assert row.cancelled == len(changed)
