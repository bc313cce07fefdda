"""Jobs of a key wait for each other, in the order in which they were written."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from staffa.chains import Chain
from staffa.engine import Engine, Producer
from staffa.filters import JobFilter
from staffa.jobs import Job
from staffa.linking import (
    FlowKind,
    Graph,
    Need,
    NeedsJob,
    NeedsStep,
    NewFlow,
    NewStep,
    Policies,
    Policy,
)
from staffa.types import State
from tests.conformance.rows import changed
from tests.conformance.stores import Store
from tests.conformance.work import QUEUE, ids, new_job, outcome, read

BY_ACCOUNT = Chain(by="args.account")


def link(account: int = 1, **options: Any) -> Job:
    """Return a job of an account's chain that is not stored yet."""
    return new_job(args={"account": account}, **{"chain": BY_ACCOUNT, **options})


async def states(engine: Engine, jobs: list[Job]) -> list[State]:
    """Return the states of jobs as they are stored."""
    found = {job.id: job.state for job in await engine.get_jobs(ids(jobs))}
    return [found[job.id] for job in jobs]


async def test_the_first_job_of_a_key_is_available_and_the_next_ones_wait(engine: Engine) -> None:
    jobs = await engine.enqueue_jobs([link(1), link(2), link(1), link(2), link(1)])
    expected = ["available", "available", "suspended", "suspended", "suspended"]
    assert [job.state for job in jobs] == expected
    assert await states(engine, jobs) == expected
    (later,) = await engine.enqueue_jobs([link(2)])
    assert later.state is State.SUSPENDED


async def test_jobs_that_are_written_one_by_one_wait_as_well(engine: Engine) -> None:
    found = [(await engine.enqueue_jobs([link(7)]))[0] for _ in range(3)]
    assert [job.state for job in found] == ["available", "suspended", "suspended"]


async def test_other_jobs_of_the_call_are_as_ever(engine: Engine) -> None:
    plain, first, unique, second = await engine.enqueue_jobs(
        [new_job(), link(1), new_job(args={"n": 1}, unique=True), link(1)]
    )
    assert [plain.state, first.state, unique.state] == ["available"] * 3
    assert second.state is State.SUSPENDED
    assert plain.chain_id is None
    assert "chain_id" not in (await read(engine, plain)).meta


async def test_ids_alone_tell_no_queue_of_jobs_that_wait(engine: Engine) -> None:
    written = await engine.enqueue_jobs([link(1), link(1), link(1, queue="other")], told="ids")
    assert len(written.ids) == 3
    assert dict(written.woken) == {"mail": 1}


async def test_a_job_that_there_is_already_adds_nothing_to_the_chain(engine: Engine) -> None:
    first, second, third = await engine.enqueue_jobs(
        [link(1, unique=True), link(1, unique=True), link(1)]
    )
    assert (first.conflict, second.conflict, third.conflict) == (False, True, False)
    assert second.id == first.id
    assert [first.state, second.state, third.state] == ["available", "available", "suspended"]
    (again,) = await engine.enqueue_jobs([link(1, unique=True)])
    assert again.conflict


@pytest.mark.parametrize(
    ("state", "chain", "expected"),
    [
        ("completed", Chain(by="args.account", on_cancelled="hold"), "available"),
        ("cancelled", BY_ACCOUNT, "available"),
        ("cancelled", Chain(by="args.account", on_cancelled="hold"), "suspended"),
        ("discarded", BY_ACCOUNT, "suspended"),
        ("discarded", Chain(by="args.account", on_discarded="ignore"), "available"),
        ("retryable", BY_ACCOUNT, "suspended"),
        ("scheduled", BY_ACCOUNT, "suspended"),
        ("executing", BY_ACCOUNT, "suspended"),
    ],
)
async def test_how_the_last_job_stands_decides(
    store: Store, engine: Engine, state: str, chain: Chain, expected: str
) -> None:
    (first,) = await engine.enqueue_jobs([link(chain=chain)])
    await store.write(first.id, state=state)
    (second,) = await engine.enqueue_jobs([link(chain=chain)])
    assert second.state == expected


async def test_a_last_job_that_is_gone_holds_nobody(store: Store, engine: Engine) -> None:
    (first,) = await engine.enqueue_jobs([link()])
    await store.delete(first.id)
    (second,) = await engine.enqueue_jobs([link()])
    assert second.state is State.AVAILABLE


async def test_a_job_for_later_waits_and_keeps_its_time(engine: Engine) -> None:
    first, second = await engine.enqueue_jobs([link(), link(scheduled_in=3600)])
    assert second.state is State.SUSPENDED
    stored = await read(engine, second)
    assert stored.scheduled_at is not None
    assert first.scheduled_at is not None
    assert stored.scheduled_at > first.scheduled_at
    assert changed(second, stored) == {}


async def run(
    engine: Engine, producer: Producer, job: Job, state: State = State.COMPLETED, **details: Any
) -> list[int]:
    """Run a job that is available to an end, and return what has become available by that."""
    before = await available(engine)
    assert job.id in before, f"{job} is not available"
    claimed = await engine.claim_jobs(QUEUE, 1_000, producer)
    acks = [outcome(one, state, **details) for one in claimed if one.id == job.id]
    await engine.ack_linked_jobs(acks, producer)
    await engine.release_jobs(producer, queue=QUEUE)
    return sorted(await available(engine) - before)


async def available(engine: Engine) -> set[int]:
    """Return the ids of the available jobs."""
    found = await engine.list_jobs(JobFilter(states=[State.AVAILABLE], limit=1_000))
    return set(ids(found))


async def test_the_end_of_a_job_releases_the_next_one_and_no_other(
    engine: Engine, producer: Producer
) -> None:
    first, second, third, other = await engine.enqueue_jobs([link(), link(), link(), link(2)])
    assert await run(engine, producer, first) == [second.id]
    assert await run(engine, producer, second) == [third.id]
    assert await run(engine, producer, third) == []
    assert await available(engine) == {other.id}
    (flow,) = await engine.read_flows([first.meta["chain_id"]])
    assert (flow.total, flow.completed, flow.suspended, flow.active) == (3, 3, 0, 0)
    assert flow.finished_at is not None
    (fourth,) = await engine.enqueue_jobs([link()])
    assert fourth.state is State.AVAILABLE
    (flow,) = await engine.read_flows([first.meta["chain_id"]])
    assert (flow.total, flow.finished_at) == (4, None)


@pytest.mark.parametrize(
    ("state", "details"),
    [
        (State.RETRYABLE, {"error": "no"}),
        (State.SCHEDULED, {"delay": 60.0, "refund": True}),
        (State.AVAILABLE, {"refund": True}),
    ],
    ids=str,
)
async def test_what_is_no_end_holds_the_next_job(
    engine: Engine, producer: Producer, state: State, details: dict[str, Any]
) -> None:
    first, second = await engine.enqueue_jobs([link(), link()])
    await run(engine, producer, first, state, **details)
    assert (await read(engine, first)).state is state
    assert (await read(engine, second)).state is State.SUSPENDED
    await engine.retry_jobs(ids([first]))
    assert await run(engine, producer, first) == [second.id]


@pytest.mark.parametrize(
    ("state", "chain", "goes_on"),
    [
        (State.CANCELLED, BY_ACCOUNT, True),
        (State.CANCELLED, Chain(by="args.account", on_cancelled="hold"), False),
        (State.DISCARDED, BY_ACCOUNT, False),
        (State.DISCARDED, Chain(by="args.account", on_discarded="ignore"), True),
    ],
    ids=str,
)
async def test_whether_the_next_job_goes_on_is_told_by_its_chain(
    engine: Engine, producer: Producer, state: State, chain: Chain, goes_on: bool
) -> None:
    first, second = await engine.enqueue_jobs([link(chain=chain), link(chain=chain)])
    released = await run(engine, producer, first, state, error="no")
    assert released == ([second.id] if goes_on else [])
    if goes_on:
        return
    await engine.retry_jobs(ids([first]))
    assert (await read(engine, second)).state is State.SUSPENDED
    assert await run(engine, producer, first) == [second.id]


async def test_a_job_that_holds_its_chain_lets_go_once_it_is_deleted(
    engine: Engine, producer: Producer
) -> None:
    first, second, third = await engine.enqueue_jobs([link(), link(), link()])
    assert await run(engine, producer, first, State.DISCARDED, error="no") == []
    await engine.delete_jobs(ids([first]))
    assert await available(engine) == {second.id}
    assert await run(engine, producer, second) == [third.id]


@pytest.mark.parametrize("way", ["cancel", "delete", "cancel, then delete"])
async def test_nobody_overtakes_what_a_job_has_waited_for_that_waits_no_more(
    engine: Engine, producer: Producer, way: str
) -> None:
    first, *waiting, last = await engine.enqueue_jobs([link() for _ in range(6)])
    gone = ids(waiting)
    if "cancel" in way:
        await engine.cancel_jobs(gone[1:])
        await engine.cancel_jobs(gone[:1])
    if "delete" in way:
        await engine.delete_jobs([gone[2], gone[0]])
        await engine.delete_jobs([gone[1], gone[3]])
    assert await available(engine) == {first.id}
    assert (await read(engine, last)).state is State.SUSPENDED
    assert await run(engine, producer, first) == [last.id]


@pytest.mark.parametrize("way", ["cancel", "delete", "cancel, then delete"])
async def test_a_new_job_waits_for_what_the_last_ones_have_waited_for(
    engine: Engine, producer: Producer, way: str
) -> None:
    first, *waiting = await engine.enqueue_jobs([link() for _ in range(4)])
    gone = ids(waiting)
    if "cancel" in way:
        await engine.cancel_jobs(gone)
    if "delete" in way:
        await engine.delete_jobs(gone if way == "delete" else gone[1:])
    (last,) = await engine.enqueue_jobs([link()])
    assert last.state is State.SUSPENDED
    assert await run(engine, producer, first) == [last.id]


async def test_a_cancelled_job_that_holds_has_the_next_wait_for_both(
    engine: Engine, producer: Producer
) -> None:
    hold = Chain(by="args.account", on_cancelled="hold")
    first, second, third = await engine.enqueue_jobs([link(chain=hold) for _ in range(3)])
    await engine.cancel_jobs(ids([second]))
    assert await run(engine, producer, first) == []
    await engine.retry_jobs(ids([second]))
    assert await run(engine, producer, second) == [third.id]


@pytest.mark.parametrize("way", ["cancel", "delete", "cancel, then delete"])
@pytest.mark.parametrize(
    ("ends", "chain"),
    [
        (State.DISCARDED, BY_ACCOUNT),
        (State.CANCELLED, Chain(by="args.account", on_cancelled="hold", on_discarded="ignore")),
    ],
    ids=["discarded", "cancelled"],
)
async def test_nobody_overtakes_what_holds_the_chain_and_has_ended(
    engine: Engine, producer: Producer, way: str, ends: State, chain: Chain
) -> None:
    first, *waiting, last = await engine.enqueue_jobs([link(chain=chain) for _ in range(4)])
    details = {"error": "no"} if ends is State.DISCARDED else {}
    assert await run(engine, producer, first, ends, **details) == []
    tail = [last]
    for job in waiting:
        if "cancel" in way:
            await engine.cancel_jobs(ids([job]))
        if "delete" in way:
            await engine.delete_jobs(ids([job]))
    if chain.on_cancelled == "hold" and way == "cancel":
        await engine.retry_jobs(ids(waiting))
        await engine.delete_jobs(ids(waiting))
    assert await available(engine) == set()
    await engine.cancel_jobs(ids(tail))
    (new,) = await engine.enqueue_jobs([link(chain=chain)])
    assert new.state is State.SUSPENDED
    await engine.delete_jobs(ids(tail))
    assert await available(engine) == set()
    await engine.retry_jobs(ids([first]))
    assert await run(engine, producer, first) == [new.id]


@pytest.mark.parametrize("way", ["retry", "delete"])
async def test_what_has_let_go_of_a_chain_holds_nobody_that_comes_later(
    engine: Engine, producer: Producer, way: str
) -> None:
    first, second, third = await engine.enqueue_jobs([link() for _ in range(3)])
    await run(engine, producer, first, State.DISCARDED, error="no")
    await engine.cancel_jobs(ids([second]))
    assert await available(engine) == set()
    if way == "delete":
        await engine.delete_jobs(ids([first]))
    else:
        await engine.retry_jobs(ids([first]))
        await run(engine, producer, first)
    assert await available(engine) == {third.id}
    await engine.cancel_jobs(ids([third]))
    (new,) = await engine.enqueue_jobs([link()])
    assert new.state is State.AVAILABLE


IGNORING = Policies(cancelled=Policy.IGNORE, discarded=Policy.IGNORE)


def linked(*needs: Need, policies: Policies = IGNORING) -> NewStep:
    """Return a step of a workflow that is in the chain, too."""
    return NewStep(link(meta={"workflow_id": "w"}), needs, policies)


async def write(engine: Engine, *steps: NewStep, new: bool = True) -> list[int]:
    """Write steps of the workflow, and return their jobs."""
    flows = [NewFlow("w", FlowKind.WORKFLOW, "w")] if new else []
    graph = Graph(flows, list(steps), roots=[] if new else ["w"])
    return list((await engine.insert_graph(graph)).ids)


@pytest.mark.parametrize(
    ("end", "policies", "expected"),
    [
        (State.COMPLETED, Policies(), "available"),
        (State.CANCELLED, Policies(), "cancelled"),
        (State.CANCELLED, IGNORING, "available"),
        (State.DISCARDED, Policies(), "cancelled"),
        (State.DISCARDED, IGNORING, "suspended"),
    ],
)
@pytest.mark.parametrize("later", [False, True], ids=["at once", "later"])
async def test_a_step_may_depend_on_the_job_before_it_in_its_chain(
    engine: Engine,
    producer: Producer,
    end: State,
    policies: Policies,
    expected: str,
    later: bool,
) -> None:
    """Both what the workflow and what the chain says holds: the chain waits for discarded ones."""
    first, *waiting = await write(
        engine, linked(), *([] if later else [linked(NeedsStep(0), policies=policies)])
    )
    (job,) = await engine.get_jobs([first])
    await run(engine, producer, job, end)
    if later:
        waiting = await write(engine, linked(NeedsJob(first), policies=policies), new=False)
    (step,) = await engine.get_jobs(waiting)
    assert step.state == expected
    if expected == "suspended":
        await engine.retry_jobs([first])
        assert await run(engine, producer, job) == waiting


async def test_nobody_overtakes_what_a_step_depended_on_that_was_cancelled(
    engine: Engine, producer: Producer
) -> None:
    first, second = await write(engine, linked(), linked(NeedsStep(0), policies=Policies()))
    (third,) = await engine.enqueue_jobs([link()])
    await engine.cancel_jobs([second])
    assert (await read(engine, third)).state is State.SUSPENDED
    (job,) = await engine.get_jobs([first])
    assert await run(engine, producer, job, State.CANCELLED) == [third.id]


async def test_a_job_that_is_retried_does_not_overtake_what_it_has_waited_for(
    engine: Engine, producer: Producer
) -> None:
    first, second = await engine.enqueue_jobs([link(), link()])
    await engine.cancel_jobs(ids([second]))
    await engine.retry_jobs(ids([second]))
    assert (await read(engine, second)).state is State.SUSPENDED
    assert await run(engine, producer, first) == [second.id]


async def test_a_rescued_job_holds_the_next_one(engine: Engine, producer: Producer) -> None:
    first, second = await engine.enqueue_jobs([link(), link()])
    await engine.claim_jobs(QUEUE, 1, producer)
    await engine.rescue_jobs({producer.uuid: 0}, max_rescues=3, limit=10)
    assert (await read(engine, first)).state in (State.AVAILABLE, State.EXECUTING)
    assert (await read(engine, second)).state is State.SUSPENDED


async def test_a_released_job_for_later_is_scheduled(engine: Engine, producer: Producer) -> None:
    first, second = await engine.enqueue_jobs([link(), link(scheduled_in=3600)])
    assert await run(engine, producer, first) == []
    assert (await read(engine, second)).state is State.SCHEDULED


async def test_a_long_chain_is_one_edge_a_job(engine: Engine, producer: Producer) -> None:
    jobs = await engine.enqueue_jobs([link() for _ in range(3_000)])
    assert [job.state for job in jobs[:2]] == ["available", "suspended"]
    assert await run(engine, producer, jobs[0]) == [jobs[1].id]
    await engine.cancel_jobs(ids(jobs[1:2_000]))
    assert await available(engine) == {jobs[2_000].id}


async def test_a_step_of_a_workflow_waits_for_its_chain_as_well(
    engine: Engine, producer: Producer
) -> None:
    (before,) = await engine.enqueue_jobs([link()])
    flow = NewFlow("order", FlowKind.WORKFLOW, "order")
    meta = {"workflow_id": "order"}
    found = await engine.insert_graph(
        Graph(
            [flow],
            [
                NewStep(new_job(meta=meta)),
                NewStep(link(meta=meta)),
                NewStep(link(meta=meta), [NeedsStep(0)]),
            ],
        )
    )
    plain, second, third = await engine.get_jobs(list(found.ids))
    assert [job.state for job in (plain, second, third)] == ["available", "suspended", "suspended"]
    (after,) = await engine.enqueue_jobs([link()])
    assert dict(found.woken) == {QUEUE: 1}
    (row,) = await engine.read_flows(["order"])
    assert (row.total, row.suspended) == (3, 2)
    assert await run(engine, producer, before) == [second.id]
    assert await run(engine, producer, second, State.CANCELLED) == []
    assert await run(engine, producer, plain) == [third.id]
    assert await run(engine, producer, third) == [after.id]
    (row,) = await engine.read_flows(["order"])
    assert (row.completed, row.cancelled, row.suspended) == (2, 1, 0)
    assert row.finished_at is not None


async def test_a_step_that_its_workflow_cancels_lets_its_chain_go_on(
    engine: Engine, producer: Producer
) -> None:
    meta = {"workflow_id": "order"}
    flow = NewFlow("order", FlowKind.WORKFLOW, "order")
    steps = [NewStep(new_job(meta=meta)), NewStep(link(meta=meta), [NeedsStep(0)])]
    found = await engine.insert_graph(Graph([flow], steps))
    plain, step = await engine.get_jobs(list(found.ids))
    (after,) = await engine.enqueue_jobs([link()])
    assert after.state is State.SUSPENDED
    assert await run(engine, producer, plain, State.CANCELLED) == [after.id]
    assert (await read(engine, step)).state is State.CANCELLED


async def prune(engine: Engine) -> int:
    """Delete what has ended, as far as it may go, and return how much went."""
    gone = 0
    for state in (State.COMPLETED, State.CANCELLED, State.DISCARDED):
        found = await engine.find_oldest_finished(state, age=0.0, after=None, limit=100)
        gone += len(await engine.prune_jobs(found))
    return gone


async def test_the_pruner_leaves_what_holds_a_chain_and_takes_the_rest(
    engine: Engine, producer: Producer
) -> None:
    first, second, third = await engine.enqueue_jobs([link(), link(), link()])
    await run(engine, producer, first)
    await run(engine, producer, second, State.DISCARDED, error="no")
    assert await engine.find_kept_jobs(ids([first, second])) == {second.id}
    assert await prune(engine) == 1
    assert (await read(engine, third)).state is State.SUSPENDED
    await engine.retry_jobs(ids([second]))
    assert await run(engine, producer, second) == [third.id]
    assert await prune(engine) == 1


async def test_the_pruner_leaves_cancelled_jobs_whose_chain_waits_for_the_same(
    engine: Engine, producer: Producer
) -> None:
    first, *waiting = await engine.enqueue_jobs([link() for _ in range(3)])
    await engine.cancel_jobs(ids(waiting))
    assert await prune(engine) == 0
    (last,) = await engine.enqueue_jobs([link()])
    assert last.state is State.SUSPENDED
    assert await run(engine, producer, first) == [last.id]
    await run(engine, producer, last)
    assert await prune(engine) == 4


async def test_a_chain_is_forgotten_once_its_last_job_is_gone(
    engine: Engine, producer: Producer
) -> None:
    (only,) = await engine.enqueue_jobs([link()])
    await run(engine, producer, only)
    assert await engine.forget_flows(age=0.0, limit=10) == 0
    assert await prune(engine) == 1
    assert await engine.forget_flows(age=0.0, limit=10) == 1
    assert await engine.read_flows([only.meta["chain_id"]]) == []
    (again,) = await engine.enqueue_jobs([link()])
    assert again.state is State.AVAILABLE


@pytest.mark.parametrize("way", ["completed", "cancelled", "deleted"])
async def test_an_end_that_a_peer_wrote_is_found_by_the_sweep(
    store: Store, engine: Engine, producer: Producer, way: str
) -> None:
    first, second, third = await engine.enqueue_jobs([link(), link(), link()])
    if way == "deleted":
        await store.delete(second.id)
    elif way == "cancelled":
        await store.write(second.id, state="cancelled")
    else:
        await store.write(first.id, state="completed", attempt=1)
    await store.age_flows(await store.now() - timedelta(minutes=5))
    await engine.repair_links(limit=100)
    if way == "completed":
        assert await available(engine) == {second.id}
        return
    assert await available(engine) == {first.id}
    assert await run(engine, producer, first) == [third.id]


async def test_the_sweep_leaves_those_alone_that_hold(
    store: Store, engine: Engine, producer: Producer
) -> None:
    first, second = await engine.enqueue_jobs([link(), link()])
    await run(engine, producer, first, State.DISCARDED, error="no")
    await store.age_flows(await store.now() - timedelta(minutes=5))
    found = await engine.repair_links(limit=100)
    assert (found.foreign, found.own, found.recounted) == (0, 0, 0)
    assert (await read(engine, second)).state is State.SUSPENDED
