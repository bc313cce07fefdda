"""Steps that come later: what waits for a group or a workflow waits for them, too."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from staffa import Staffa, State, Workflow, WorkflowHandle, job
from tests.conftest import MakeClient
from tests.support.events import eventually

RUNS = {"default": 5}
SECONDS = 30


class Steps:
    """Jobs that say when they begin and end, some of which wait until they are let go."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.go = asyncio.Event()

        @job(name="tests.append.step", recorded=True, max_attempts=1)
        async def step(name: str, *, waits: bool = False, fails: bool = False) -> str:
            self.told.append(name)
            if waits:
                await self.go.wait()
            if fails:
                raise LookupError(name)
            self.told.append(f"{name} ended")
            return name

        self.step = step


@pytest.fixture
def steps() -> Steps:
    return Steps()


def empty_parts() -> dict[str, Any]:
    """Return what adds a part without jobs to a workflow."""
    inner = Workflow().add_workflow("inner", Workflow().add_many("none", []))
    return {
        "group": lambda flow: flow.add_many("part", [], deps="a"),
        "generator": lambda flow: flow.add_many("part", iter([]), deps="a"),
        "workflow": lambda flow: flow.add_workflow("part", Workflow(), deps="a"),
        "nested": lambda flow: flow.add_workflow("part", inner, deps="a"),
    }


async def names(handle: WorkflowHandle, state: str) -> set[str]:
    return {one.meta["name"] for one in await handle.jobs() if one.state == state}


@pytest.mark.parametrize("kind", ["group", "generator", "workflow", "nested"])
async def test_what_depends_on_an_empty_part_waits_for_what_that_gets_later(
    make_client: MakeClient, steps: Steps, kind: str
) -> None:
    app = make_client(queues=RUNS)
    flow = Workflow().add("a", steps.step.new("a"))
    empty_parts()[kind](flow)
    handle = await app.enqueue(flow.add("end", steps.step.new("end"), deps="part"))
    assert await names(handle, "suspended") == {"end"}
    await add(app, handle, "part", "late", steps.step.new("late", waits=True))
    assert await names(handle, "suspended") == {"end", "late"}  # both wait for a
    async with app:
        await eventually(lambda: steps.told == ["a", "a ended", "late"])
        steps.go.set()
        await handle.wait(timeout=SECONDS)
    assert steps.told[-3:] == ["late ended", "end", "end ended"]
    await handle.retry(whole=True)
    assert await names(handle, "suspended") == {"end", "late"}


@pytest.mark.parametrize("kind", ["group", "workflow", "nested"])
async def test_what_comes_behind_an_empty_part_waits_for_what_that_waits_for(
    make_client: MakeClient, steps: Steps, kind: str
) -> None:
    app = make_client(queues=RUNS)
    flow = Workflow().add("a", steps.step.new("a"))
    empty_parts()[kind](flow)
    handle = await app.enqueue(flow)
    await app.enqueue(handle.append().add("b", steps.step.new("b"), deps="part"))
    assert await names(handle, "suspended") == {"b"}
    async with app:
        assert (await handle.wait(timeout=SECONDS)).state is State.COMPLETED
    assert steps.told == ["a", "a ended", "b", "b ended"]


async def test_first_steps_that_a_workflow_gets_wait_for_what_it_waits_for(
    make_client: MakeClient, steps: Steps
) -> None:
    app = make_client(queues=RUNS)
    inner = Workflow().add("x", steps.step.new("x"))
    middle = Workflow().add_workflow("inner", inner)
    flow = Workflow().add("ok", steps.step.new("ok"), hold=True)
    handle = await app.enqueue(flow.add_workflow("middle", middle, deps="ok"))
    outer = await handle.sub("middle")
    assert outer is not None
    await add(app, handle, "middle", "m", steps.step.new("m"))
    await add(app, outer, "inner", "i", steps.step.new("i"))
    assert await names(handle, "suspended") == {"ok", "x", "m", "i"}
    async with app:
        await handle.release("ok")
        await handle.wait(timeout=SECONDS)
        assert steps.told[:2] == ["ok", "ok ended"]
        await add(app, handle, "middle", "later", steps.step.new("later"))
        assert (await handle.wait(timeout=SECONDS)).state is State.COMPLETED
    assert steps.told[-1] == "later ended"


async def test_steps_of_a_group_that_ignores_a_failure_may_come_later(
    make_client: MakeClient, steps: Steps
) -> None:
    app = make_client(queues=RUNS)
    flow = Workflow().add("a", steps.step.new("a", fails=True))
    flow.add_many("all", [steps.step.new("x")], deps="a", ignore_discarded=True)
    flow.add_many("none", [steps.step.new("y")], deps="a")
    async with app:
        handle = await app.enqueue(flow)
        await handle.wait(timeout=SECONDS)
        await add(app, handle, "all", "more", steps.step.new("more"))
        await add(app, handle, "none", "more", steps.step.new("never"))
        await handle.wait(timeout=SECONDS)
    assert steps.told == ["a", "x", "x ended", "more", "more ended"]


async def test_what_has_not_begun_waits_for_a_part_that_goes_on_again(
    make_client: MakeClient, steps: Steps
) -> None:
    app = make_client(queues=RUNS)
    flow = Workflow().add_workflow("sub", Workflow().add("x", steps.step.new("x")))
    flow.add("held", steps.step.new("held"), hold=True)
    flow.add("soon", steps.step.new("soon").delayed(3600), deps="sub")
    handle = await app.enqueue(flow.add("end", steps.step.new("end"), deps=["sub", "held"]))
    async with app:
        await eventually(lambda: steps.told == ["x", "x ended"])
        sub = await handle.sub("sub")
        assert sub is not None
        await sub.wait(timeout=SECONDS)
        assert await names(handle, "scheduled") == {"soon"}
        await add(app, handle, "sub", "more", steps.step.new("more", waits=True))
        assert await names(handle, "suspended") == {"held", "end", "soon"}
        counts = (await handle.status(with_subs=False)).counts
        assert (counts["suspended"], counts["active"]) == (3, 0)
        await handle.release("held")
        await eventually(lambda: "held ended" in steps.told)
        steps.go.set()
        await eventually(lambda: "end ended" in steps.told)
    assert steps.told.index("more ended") < steps.told.index("end")
    assert await names(handle, "scheduled") == {"soon"}


async def test_a_part_that_is_cancelled_at_once_holds_nothing_back(
    make_client: MakeClient, steps: Steps
) -> None:
    app = make_client(queues=RUNS)
    flow = Workflow(ignore_cancelled=True)
    flow.add_workflow("sub", Workflow(ignore_cancelled=False).add("x", steps.step.new("x")))
    flow.add("end", steps.step.new("end"), deps="sub", hold=True)
    handle = await app.enqueue(flow)
    sub = await handle.sub("sub")
    assert sub is not None
    await sub.cancel()
    await app.enqueue(sub.append().add("y", steps.step.new("y"), deps="x"))
    assert (await sub.status()).counts["cancelled"] == 2
    async with app:
        await handle.release("end")
        await handle.wait(timeout=SECONDS)
    assert steps.told == ["end", "end ended"]


@pytest.mark.parametrize("name", ["x", "01", "٣", "-1"])
async def test_results_that_come_to_a_list_later_stand_behind_it(
    make_client: MakeClient, steps: Steps, name: str
) -> None:
    app = make_client(queues=RUNS)
    flow = Workflow(ignore_deleted=True)
    flow.add_many("all", [steps.step.new(text) for text in "abc"])
    handle = await app.enqueue(flow)
    await add(app, handle, "all", name, steps.step.new("later"))
    await add(app, handle, "all", "3", steps.step.new("d"))
    group = await handle.sub("all")
    assert group is not None
    second = await group.job("1")
    assert second is not None
    await app.delete_job(second)
    async with app:
        await handle.wait(timeout=SECONDS)
    assert await handle.results() == {"all": ["a", None, "c", "d", "later"]}


@pytest.mark.parametrize("early", [False, True])
async def test_results_that_come_to_a_graft_later_stand_beside_it(
    make_client: MakeClient, steps: Steps, early: bool
) -> None:
    app = make_client(queues=RUNS)

    async def grow() -> None:
        await add(app, app.workflow(flow.id), "graft", "more", steps.step.new("more"))

    @job(name="tests.append.graft")
    async def graft() -> Workflow:
        if early:
            await grow()
        return Workflow("inner").add("z", steps.step.new("z"))

    flow = Workflow().add_graft("graft", graft)
    async with app:
        handle = await app.enqueue(flow)
        await handle.wait(timeout=SECONDS)
        if not early:
            await grow()
            await handle.wait(timeout=SECONDS)
    assert await handle.results() == {"graft": {"z": "z", "more": "more"}}


@pytest.mark.parametrize("second", ["workflow", "mapping", "nothing"])
async def test_what_a_graft_returned_first_stands(
    make_client: MakeClient, steps: Steps, second: str
) -> None:
    app = make_client(queues=RUNS)
    others = {
        "workflow": Workflow("other").add("k", steps.step.new("k")),
        "mapping": {"m": steps.step.new("m")},
        "nothing": None,
    }
    returned = [[steps.step.new("a"), steps.step.new("b")], others[second]]

    @job(name="tests.append.graft")
    async def graft() -> Any:
        return returned.pop(0)

    async with app:
        handle = await app.enqueue(Workflow().add_graft("graft", graft))
        for _ in range(2):
            assert (await handle.wait(timeout=SECONDS)).state is State.COMPLETED
            assert await handle.results() == {"graft": ["a", "b"]}
            if returned:
                await handle.retry(whole=True)
    assert not returned


async def add(app: Staffa, handle: WorkflowHandle, part: str, name: str, step: Any) -> None:
    """Give a part of a workflow one more step."""
    sub = await handle.sub(part)
    assert sub is not None
    await app.enqueue(sub.append().add(name, step))
