"""Workflows are cancelled, tried again, held and released, and drawn with their states."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from staffa import Batch, Staffa, State, Workflow, await_signal, current_job, job
from staffa.errors import ConfigError, FlowExists, InvalidJob, InvalidWorkflow, UnknownFlow
from tests.conftest import MakeClient
from tests.support.events import eventually

RUNS = {"default": 5}
SECONDS = 30


class Steps:
    """Jobs that do as they are told."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.fails: set[str] = set()
        self.stopped: list[str] = []

        @job(name="step", max_attempts=1, recorded=True)
        async def step(name: str) -> str:
            self.ran.append(name)
            if name in self.fails:
                raise LookupError(name)
            return name.upper()

        @job(name="wait")
        async def wait(name: str) -> None:
            self.ran.append(name)
            try:
                await asyncio.Event().wait()
            finally:
                self.stopped.append(name)

        self.step, self.wait = step, wait


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
async def app(make_client: MakeClient) -> AsyncIterator[Staffa]:
    async with make_client(queues=RUNS) as made:
        yield made


async def states(handle: Any) -> dict[str, str]:
    return {found.meta["name"]: found.state.value for found in await handle.jobs()}


async def test_a_cancel_stops_what_runs_and_ends_what_waits(app: Staffa, steps: Steps) -> None:
    inner = Workflow().add("waits", steps.step.new("waits"))
    flow = Workflow().add("runs", steps.wait.new("runs")).add_workflow("sub", inner, deps="runs")
    handle = await app.enqueue(flow)
    await eventually(lambda: steps.ran == ["runs"])
    await handle.cancel()
    status = await handle.wait(timeout=SECONDS)
    await eventually(lambda: steps.stopped == ["runs"])
    assert (status.state, status.counts["cancelled"]) == (State.CANCELLED, 2)
    assert steps.ran == ["runs"]


async def test_what_depends_on_a_failure_is_cancelled_and_runs_after_a_retry(
    app: Staffa, steps: Steps
) -> None:
    steps.fails = {"b"}
    flow = Workflow().add("a", steps.step.new("a")).add("b", steps.step.new("b"), deps="a")
    flow.add("c", steps.step.new("c"), deps="b").add("d", steps.step.new("d"), deps="c")
    handle = await app.enqueue(flow)
    status = await handle.wait(timeout=SECONDS)
    assert status.state is State.DISCARDED
    assert await states(handle) == {
        "a": "completed",
        "b": "discarded",
        "c": "cancelled",
        "d": "cancelled",
    }
    steps.fails = set()
    await handle.retry()
    status = await handle.wait(timeout=SECONDS)
    assert status.state is State.COMPLETED
    assert steps.ran == ["a", "b", "b", "c", "d"]


async def test_the_whole_of_a_workflow_runs_again(app: Staffa, steps: Steps) -> None:
    flow = Workflow().add("a", steps.step.new("a")).add("b", steps.step.new("b"), deps="a")
    handle = await app.enqueue(flow)
    await handle.wait(timeout=SECONDS)
    await handle.retry(whole=True)
    await handle.wait(timeout=SECONDS)
    assert steps.ran == ["a", "b", "a", "b"]


async def test_what_ignores_a_failure_goes_on(app: Staffa, steps: Steps) -> None:
    steps.fails = {"b"}
    flow = Workflow(ignore_discarded=True).add("b", steps.step.new("b"))
    flow.add("c", steps.step.new("c"), deps="b")
    flow.add("d", steps.step.new("d"), deps="b", ignore_discarded=False)
    handle = await app.enqueue(flow)
    await handle.wait(timeout=SECONDS)
    assert await states(handle) == {"b": "discarded", "c": "completed", "d": "cancelled"}


async def test_a_step_that_is_held_runs_once_it_is_released(app: Staffa, steps: Steps) -> None:
    flow = Workflow().add("a", steps.step.new("a"))
    flow.add("publish", steps.step.new("publish"), deps="a", hold=True)
    flow.add("tell", steps.step.new("tell"), deps="publish")
    handle = await app.enqueue(flow)
    await eventually(lambda: steps.ran == ["a"])
    assert (await handle.status()).finished is False
    assert not await handle.release("a")
    assert await handle.release("publish")
    assert not await handle.release("publish")
    await handle.wait(timeout=SECONDS)
    assert steps.ran == ["a", "publish", "tell"]
    with pytest.raises(UnknownFlow, match="has no step 'nothing'"):
        await handle.release("nothing")


async def test_a_step_released_early_still_waits_for_what_it_depends_on(
    make_client: MakeClient, steps: Steps
) -> None:
    app = make_client(queues=RUNS)
    flow = Workflow().add("a", steps.step.new("a"))
    handle = await app.enqueue(flow.add("b", steps.step.new("b"), deps="a", hold=True))
    assert await handle.release("b")
    assert not await handle.release("b")
    assert (await states(handle))["b"] == "suspended"
    async with app:
        await handle.wait(timeout=SECONDS)
    assert steps.ran == ["a", "b"]


async def test_a_step_gets_a_signal_by_its_name(app: Staffa, steps: Steps) -> None:
    got = []

    @job(name="tests.approval")
    async def approval() -> None:
        got.append(await await_signal())

    flow = Workflow().add("a", steps.step.new("a")).add("approval", approval.new(), deps="a")
    handle = await app.enqueue(flow.add("b", steps.step.new("b"), deps="approval"))
    assert await handle.signal("approval", {"by": "Ada"})
    assert not await handle.signal("approval", {"by": "Bob"})
    assert (await handle.wait(timeout=SECONDS)).state is State.COMPLETED
    assert (got, steps.ran) == ([{"by": "Ada"}], ["a", "b"])
    with pytest.raises(UnknownFlow, match="has no step 'nothing'"):
        await handle.signal("nothing")


async def test_a_handle_finds_steps_and_what_is_inside(app: Staffa, steps: Steps) -> None:
    inner = Workflow("inner").add("deep", steps.step.new("deep"))
    flow = Workflow("outer", meta={"order": 7}).add("a", steps.step.new("a"))
    flow.add_workflow("sub", inner).add_many("all", [steps.step.new("x"), steps.step.new("y")])
    handle = await app.enqueue(flow)
    await handle.wait(timeout=SECONDS)
    sub = await handle.sub("sub")
    assert sub is not None
    assert await sub.results() == {"deep": "DEEP"}
    assert (await sub.outermost()).id == handle.id
    assert (await handle.outermost()).id == handle.id
    assert await handle.sub("nothing") is None
    assert await handle.job("nothing") is None
    assert len([found async for found in handle.stream()]) == 4
    own = await handle.status(with_subs=False)
    assert (own.total, own.subs, own.meta, own.name) == (1, {}, {"order": 7}, "outer")
    assert own.duration > 0
    assert await handle.results() == {"a": "A", "sub": {"deep": "DEEP"}, "all": ["X", "Y"]}


async def test_pictures_of_stored_workflows_have_states(app: Staffa, steps: Steps) -> None:
    steps.fails = {"b"}
    flow = Workflow().add("a", steps.step.new("a")).add("b", steps.step.new("b"), deps="a")
    flow.add_many("all", [steps.step.new("x")], deps="b")
    flow.add_workflow("sub", Workflow().add("c", steps.step.new("c")), deps="a")
    handle = await app.enqueue(flow)
    await handle.wait(timeout=SECONDS)
    graph = await handle.to_graph()
    found = {node["path"]: (node["kind"], node["state"]) for node in graph["nodes"]}
    assert found == {
        "a": ("job", "completed"),
        "b": ("job", "discarded"),
        "all": ("group", "cancelled"),
        "sub": ("workflow", "completed"),
        "sub/c": ("job", "completed"),
    }
    assert {"from": "b", "to": "all"} in graph["edges"]
    assert "class n0" in await handle.to_mermaid()
    assert "cluster_" in await handle.to_dot()


async def test_a_job_finds_the_outermost_workflow_that_it_is_in(app: Staffa) -> None:
    found = []

    @job(name="tests.looks")
    async def looks(number: int) -> None:
        inner = app.workflow(str(current_job().workflow_id))
        found.append((inner.id == flow.id, (await inner.outermost()).id == flow.id))

    inner = Workflow().add_cascade("each", ([1, 2], looks))
    flow = Workflow().add("a", looks.new(0)).add_workflow("sub", inner, deps="a")
    await app.enqueue(Batch([flow]))
    await app.workflow(flow.id).wait(timeout=SECONDS)
    assert found == [(True, True), (False, True), (False, True)]


async def test_pictures_show_what_failed_however_deep_it_is(app: Staffa, steps: Steps) -> None:
    steps.fails = {"f"}

    @job(name="tests.fails.deep")
    async def graft() -> Workflow:
        return Workflow("inner").add_many("fails", [steps.step.new("f")])

    flow = Workflow().add_graft("graft", graft).add("held", steps.step.new("a"), hold=True)
    waits = Workflow().add_many("waits", [steps.step.new("b"), steps.step.new("c")])
    flow.add_workflow("waits", waits, deps="held")
    flow.add_many("fine", [steps.step.new("d")])
    handle = await app.enqueue(flow)
    sub = await handle.sub("graft")
    fine = await handle.sub("fine")
    assert sub is not None
    assert fine is not None
    await sub.wait(timeout=SECONDS)
    await fine.wait(timeout=SECONDS)
    nodes = (await handle.to_graph())["nodes"]
    assert {node["path"]: node["state"] for node in nodes} == {
        "held": "suspended",
        "graft": "discarded",
        "graft/inner": "discarded",
        "graft/inner/fails": "discarded",
        "waits": "suspended",
        "waits/waits": "suspended",
        "fine": "completed",
    }
    assert [node["name"] for node in (await fine.to_graph())["nodes"]] == ["0"]


async def test_workflows_are_listed_the_newest_first(app: Staffa, steps: Steps) -> None:
    ids = []
    for number in range(3):
        flow = Workflow(f"w{number}").add_workflow("sub", Workflow().add("a", steps.step.new("a")))
        ids.append((await app.enqueue(flow)).id)
    page = await app.workflows(limit=2)
    assert [status.id for status in page] == [ids[2], ids[1]]
    rest = await app.workflows(before=page[-1].id)
    assert [(status.name, status.total) for status in rest] == [("w0", 1)]
    with pytest.raises(ValueError, match="limit"):
        await app.workflows(limit=0)


async def test_a_workflow_that_is_not_there_is_an_error_that_says_so(app: Staffa) -> None:
    handle = app.workflow("nowhere")
    for asking in (handle.status(), handle.results(), handle.jobs(), handle.cancel()):
        with pytest.raises(UnknownFlow, match="nowhere"):
            await asking
    with pytest.raises(UnknownFlow, match="nowhere"):
        await handle.wait(timeout=1)


async def test_a_wait_that_takes_too_long_ends(make_client: MakeClient, steps: Steps) -> None:
    handle = await make_client().enqueue(Workflow().add("a", steps.step.new("a")))
    with pytest.raises(
        TimeoutError, match=rf"workflow {handle.id} has not ended within 0.05 s: 1 "
    ):
        await handle.wait(timeout=0.05)


async def test_nothing_of_many_is_written_if_a_workflow_does_not_fit_together(
    make_client: MakeClient, steps: Steps
) -> None:
    app = make_client()
    wrong = Workflow("wrong").add("a", steps.step.new("a"), deps="b")
    for last in (wrong, Batch([steps.step.new("z"), wrong])):
        with pytest.raises(InvalidWorkflow, match="'b', which is no step"):
            await app.enqueue_many(steps.step.new("x"), Workflow("right"), last)
    assert (await app.list_jobs(), await app.workflows()) == ([], [])


async def test_all_graphs_are_made_before_any_is_written(
    make_client: MakeClient, steps: Steps
) -> None:
    app = make_client()
    loose, right = steps.step.new("x"), Workflow("right").add("a", steps.step.new("a"))
    for wrong, error in (
        (Workflow("wrong").add_many("all", [steps.step.new("b"), None]), "no job"),  # type: ignore[list-item]  # wrong on purpose
        (app.workflow("nowhere").append().add("b", steps.step.new("b")), "nowhere"),
    ):
        with pytest.raises((InvalidWorkflow, UnknownFlow), match=error):
            await app.enqueue_many(loose, right, wrong)
        with pytest.raises((InvalidWorkflow, UnknownFlow), match=error):
            await asyncio.to_thread(app.sync.enqueue_many, loose, right, wrong)
    with pytest.raises(InvalidJob, match=r"give it as an argument of its own, such as"):
        await app.enqueue_many([loose, right])  # type: ignore[list-item]  # likewise
    with pytest.raises(ConfigError, match="before is 5"):
        await app.workflows(before=5)  # type: ignore[arg-type]  # likewise
    assert (await app.list_jobs(), await app.workflows()) == ([], [])


async def test_an_id_is_taken_once(make_client: MakeClient, steps: Steps) -> None:
    app = make_client()
    await app.enqueue(Workflow(id="mine").add("a", steps.step.new("a")))
    with pytest.raises(FlowExists, match="mine"):
        await app.enqueue(Workflow(id="mine").add("a", steps.step.new("a")))


async def test_an_empty_workflow_has_ended_at_once(make_client: MakeClient) -> None:
    status = await (await make_client().enqueue(Workflow("nothing"))).wait(timeout=SECONDS)
    assert (status.state, status.total) == (State.COMPLETED, 0)


async def test_synchronous_code_has_the_same(make_client: MakeClient, steps: Steps) -> None:
    app = make_client()

    def use() -> None:
        flow = Workflow("sync", unique=True).add("a", steps.step.new("a"))
        flow.add_many("all", (steps.step.new("x") for _ in range(2)))
        handle = app.sync.enqueue(flow)
        assert not handle.conflict
        assert app.sync.enqueue(Workflow("sync", unique=True)).conflict
        assert handle.status().total == 3
        group = handle.sub("all")
        assert group is not None
        assert group.outermost().id == handle.id
        added = app.sync.enqueue(handle.append().add("b", steps.step.new("b"), deps="a"))
        assert [found.state for found in added.jobs()] == [
            "available",
            "suspended",
            "available",
            "available",
        ]
        first, second = app.sync.enqueue_many(steps.step.new("y"), Workflow("other"))
        assert (first.queue, second.status().name) == ("default", "other")  # type: ignore[union-attr]  # a job, then a handle
        assert len(app.sync.workflows()) == 2
        found = app.sync.workflow(handle.id)
        found.cancel()
        assert found.wait(timeout=SECONDS).state is State.CANCELLED

    await asyncio.to_thread(use)
