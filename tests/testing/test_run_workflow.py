"""`run_workflow`, and workflows of clients that work inline."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import psycopg
import pytest

from staffa import Cancel, Discard, Job, Snooze, Staffa, State, Workflow, job
from staffa.client.workflow_handles import WorkflowHandle
from staffa.errors import ConfigError, InvalidWorkflow, UnknownFlow
from staffa.testing import mode, perform_job, run_batch, run_workflow
from staffa.testing import sync as testing


@job(name="test.price")
def price(article: str, surcharge: int = 0) -> int:
    return len(article) + surcharge


@job(name="test.total", queue="other")
async def total(prices: list[int], discount: int) -> int:
    return sum(prices) - discount


@job(name="test.expand")
async def expand(context: dict[str, Any]) -> Any:
    return [price.options(recorded=True).new("a" * context["total"]), Workflow("empty")]


@job(name="test.fail", max_attempts=1)
async def fail() -> None:
    raise LookupError("no such article")


@job(name="test.give_up")
async def give_up() -> Cancel:
    return Cancel("no need")


@job(name="test.drop")
async def drop() -> Discard:
    return Discard("no use")


def order() -> Workflow:
    made = Workflow("order").put_context({"discount": 1, "surcharge": 10})
    made.add_cascade("prices", (["pen", "paper"], price)).add_cascade("total", total, "prices")
    return made.add_graft("more", expand, deps="total")


EXPECTED = {"prices": [13, 15], "total": 27, "more": [27, {}]}


async def test_it_runs_a_workflow_in_order_in_all_of_its_queues(app: Staffa) -> None:
    handle = await run_workflow(order())
    status = await handle.status()
    assert await handle.results() == EXPECTED
    assert (status.state, status.total) == (State.COMPLETED, 5)


async def test_an_error_of_a_step_is_raised_unless_that_is_to_be_survived(app: Staffa) -> None:
    def failing() -> Workflow:
        return Workflow().add("fail", fail.new()).add("after", fail.new(), deps="fail")

    with pytest.raises(LookupError, match="no such article"):
        await run_workflow(failing())
    handle = await run_workflow(failing(), with_safety=True)
    status = await handle.status()
    assert (status.counts["discarded"], status.counts["cancelled"]) == (1, 1)
    assert status.state is State.DISCARDED


async def test_it_ends_where_a_step_is_held_or_a_limit_is_reached(app: Staffa) -> None:
    @job
    async def again() -> Snooze:
        return Snooze(1)

    held = await run_workflow(Workflow().add("a", price.new("x"), hold=True))
    assert (await held.status()).counts["suspended"] == 1
    snoozing = await run_workflow(Workflow().add("a", again.new()), limit=3)
    found = await snoozing.job("a")
    assert found is not None
    assert found.meta["snoozed"] == 3


async def test_steps_that_are_added_are_run_too(app: Staffa) -> None:
    handle = await run_workflow(order())
    added = await run_workflow(handle.append().add_cascade("again", total, deps="prices"))
    assert (await added.results())["again"] == 27


async def test_it_is_there_for_synchronous_tests(app: Staffa) -> None:
    def run() -> Any:
        handle = testing.run_workflow(order(), app=app)
        return handle.results(), handle.status().state, handle.to_mermaid()

    results, state, drawn = await asyncio.to_thread(run)
    assert (results, state) == (EXPECTED, State.COMPLETED)
    assert "class" in drawn


async def test_a_client_that_works_inline_runs_workflows_where_they_are_enqueued(
    app: Staffa,
) -> None:
    with mode("inline"):
        handle = await app.enqueue(order())
        status = await handle.status()
        assert await handle.results() == EXPECTED
        assert (status.state, status.total) == (State.COMPLETED, 5)
        found = await handle.job("total")
        assert found is not None
        assert found.state is State.COMPLETED
        assert len(await handle.jobs()) == 5
        assert "class" in await handle.to_mermaid()
        with pytest.raises(ConfigError, match="run_workflow"):
            await app.enqueue(handle.append().add("x", price.new("x")))


async def test_inline_workflows_run_from_synchronous_code(app: Staffa) -> None:
    def run() -> Any:
        with mode("inline"):
            return app.sync.enqueue(order()).results()

    assert await asyncio.to_thread(run) == EXPECTED


async def test_inline_what_fails_is_raised_and_what_is_held_stays(app: Staffa) -> None:
    with mode("inline"):
        with pytest.raises(LookupError):
            await app.enqueue(Workflow().add("fail", fail.new()))
        held = Workflow().add("a", price.new("x"), hold=True).add("b", price.new("x"), "a")
        status = await (await app.enqueue(held)).status()
    assert (status.state, status.counts["suspended"]) == (State.EXECUTING, 2)


async def test_inline_what_is_held_can_be_cancelled_but_gets_no_signal(app: Staffa) -> None:
    with mode("inline"):
        held = Workflow().add("a", price.new("x"), hold=True).add("b", price.new("x"), "a")
        handle = await app.enqueue(held)
        with pytest.raises(ConfigError, match="no step of it waits for signals"):
            await handle.signal("a")
        await handle.cancel()
        status = await handle.status()
        assert (status.state, status.counts["cancelled"]) == (State.CANCELLED, 2)
        assert (await handle.status()).finished_at == status.finished_at


@pytest.mark.parametrize("run", [run_workflow, run_batch], ids=["workflow", "batch"])
async def test_what_is_neither_a_workflow_nor_a_batch_is_refused(app: Staffa, run: Any) -> None:
    for wrong in ("x", price.new("x"), [price.new("x")]):
        with pytest.raises(ConfigError, match=r"was given .*: give a (Workflow|Batch)"):
            await run(wrong, app=app)


def stopping() -> Workflow:
    made = Workflow().add("stop", give_up.new()).add("held", price.new("x"), hold=True)
    made.add("both", price.new("x"), ["held", "stop"])
    made.add("held too", price.new("x"), "stop", hold=True)
    made.add_many("group", [give_up.new(), price.new("x"), drop.new()])
    made.add("after", price.new("x"), "group", ignore_discarded=True)
    return made.add("anyway", price.new("x"), "group", ignore_discarded=True, ignore_cancelled=True)


async def test_inline_steps_end_as_they_would_in_the_database(app: Staffa) -> None:
    async def states(handle: WorkflowHandle) -> list[str]:
        found = [await handle.job(name) for name in ("both", "held too", "after", "anyway")]
        return [step.state.value for step in found if step is not None]

    with mode("inline"):
        inline = await app.enqueue(stopping())
        with pytest.raises(ConfigError, match="run_workflow"):
            await inline.release("held")
        assert not await inline.release("anyway")
    expected = [*["cancelled"] * 3, "completed"]
    assert await states(inline) == expected
    assert await states(await run_workflow(stopping(), app=app)) == expected


async def test_a_function_of_a_cascade_is_performed_like_any_other() -> None:
    done = await perform_job(total, {"prices": [1, 2], "discount": 1})
    assert (done.state, done.result) == (State.COMPLETED, 2)


async def test_a_workflow_that_does_not_fit_together_is_refused_inline_too(app: Staffa) -> None:
    with mode("inline"), pytest.raises(InvalidWorkflow):
        await app.enqueue(Workflow().add("a", Job(worker="x"), deps="b"))


async def test_it_runs_in_the_transaction_of_the_test(
    server_app: Staffa, connection: asyncpg.Connection
) -> None:
    transaction = connection.transaction()
    await transaction.start()
    handle = await run_workflow(order(), conn=connection)
    assert await handle.results() == EXPECTED
    await transaction.rollback()
    with pytest.raises(UnknownFlow):
        await server_app.workflow(handle.id).status()


async def test_it_runs_in_the_transaction_of_a_synchronous_test(
    server_app: Staffa, dsn: str
) -> None:
    def run() -> str:
        with psycopg.connect(dsn) as conn:
            handle = testing.run_workflow(order(), conn=conn)
            assert handle.results() == EXPECTED
            assert handle.status().state is State.COMPLETED
            assert len(handle.jobs()) == 5
            more = handle.append().add_cascade("again", total, deps="prices")
            assert testing.run_workflow(more, conn=conn).results()["again"] == 27
            conn.rollback()
        return handle.id

    found = await asyncio.to_thread(run)
    with pytest.raises(UnknownFlow):
        await server_app.workflow(found).status()
