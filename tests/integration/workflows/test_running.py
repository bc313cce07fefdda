"""Workflows that run: their order, their results, what is grafted and added."""

from __future__ import annotations

from typing import Any

import pytest

from staffa import Discard, Job, State, Workflow, WorkflowHandle, current_job, job
from staffa.errors import FlowExists, InvalidWorkflow, UnknownFlow
from tests.conftest import MakeClient
from tests.support.events import eventually

RUNS = {"default": 5}
SECONDS = 30


class Log:
    """The order in which steps ran."""

    def __init__(self) -> None:
        self.ran: list[str] = []


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def note(log: Log) -> Any:
    @job(name="note")
    async def note(what: str) -> None:
        log.ran.append(what)

    return note


async def test_steps_run_after_those_that_they_depend_on(
    make_client: MakeClient, note: Any, log: Log
) -> None:
    order = Workflow("order").add("c", note.new("c"), deps="b").add("b", note.new("b"), deps="a")
    order.add("a", note.new("a")).add_many("all", [note.new("x"), note.new("y")], deps="c")
    order.add_workflow("sub", Workflow().add("d", note.new("d")), deps="all")
    order.add("last", note.new("last"), deps="sub")
    async with make_client(queues=RUNS) as app:
        handle = await app.enqueue(order)
        status = await handle.wait(timeout=SECONDS)
    assert log.ran[:3] == ["a", "b", "c"]
    assert set(log.ran[3:5]) == {"x", "y"}
    assert log.ran[5:] == ["d", "last"]
    assert (status.state, status.total, status.counts["completed"]) == ("completed", 7, 7)
    assert status.subs["all"].total == 2


async def test_cascades_get_the_context_and_the_results_before_them(
    make_client: MakeClient,
) -> None:
    seen: list[Any] = []

    @job(name="price")
    def price(article: str, surcharge: int) -> int:
        return len(article) + surcharge

    @job(name="total")
    async def total(prices: list[int], discount: int, customer: str = "nobody") -> int:
        return sum(prices) - discount

    @job(name="tell")
    async def tell(total: int, by_name: dict[str, int], context: dict[str, Any]) -> dict[str, Any]:
        seen.append(context)
        return {"total": total, "of": by_name}

    order = Workflow("order").put_context({"discount": 1, "surcharge": 10})
    order.add_cascade("prices", (["pen", "paper"], price))
    order.add_cascade("by_name", ({"a": "x", "b": "yy"}, price))
    order.add_cascade("total", total, deps="prices")
    order.add_cascade("tell", tell, deps=["total", "by_name"])
    async with make_client(queues=RUNS) as app:
        handle = await app.enqueue(order)
        await handle.wait(timeout=SECONDS)
        results = await handle.results()
        stored = await handle.job("total")
    assert results == {
        "prices": [13, 15],
        "by_name": {"a": 11, "b": 12},
        "total": 27,
        "tell": {"total": 27, "of": {"a": 11, "b": 12}},
    }
    assert seen[0] == {
        "discount": 1,
        "surcharge": 10,
        "total": 27,
        "by_name": {"a": 11, "b": 12},
    }
    assert stored is not None
    assert stored.args == {}


async def test_inner_workflows_inherit_the_context_and_change_it_for_themselves(
    make_client: MakeClient,
) -> None:
    @job(name="greet")
    def greet(greeting: str, name: str) -> str:
        return f"{greeting} {name}"

    def greeting() -> Workflow:
        return Workflow().add_cascade("say", greet)

    outer = Workflow().put_context({"greeting": "hello", "name": "ada"})
    outer.add_workflow("same", greeting())
    outer.add_workflow("other", greeting().put_context({"name": "bob"}))
    outer.add_cascade("say", greet, deps=["same", "other"])
    async with make_client(queues=RUNS) as app:
        handle = await app.enqueue(outer)
        await handle.wait(timeout=SECONDS)
        results = await handle.results()
        flat = await handle.results(with_subs=False)
    assert results == {
        "same": {"say": "hello ada"},
        "other": {"say": "hello bob"},
        "say": "hello ada",
    }
    assert flat == {"say": "hello ada"}


async def test_a_missing_result_discards_a_cascade_and_says_why(make_client: MakeClient) -> None:
    @job(name="give_up")
    async def give_up() -> Discard:
        return Discard("no")

    @job(name="use")
    async def use(found: int) -> int:
        return found

    @job(name="use_default")
    async def use_default(found: int = 7) -> int:
        return found

    wanted = Workflow(ignore_discarded=True).add("found", give_up.new())
    wanted.add_cascade("use", use, deps="found").add_cascade("other", use_default, deps="found")
    async with make_client(queues=RUNS) as app:
        handle = await app.enqueue(wanted)
        status = await handle.wait(timeout=SECONDS)
        failed = await handle.job("use")
        results = await handle.results()
    assert failed is not None
    assert failed.state is State.DISCARDED
    assert "use needs 'found'" in failed.errors[0]["error"]
    assert "was discarded" in failed.errors[0]["error"]
    assert results == {"other": 7}
    assert status.state is State.DISCARDED


async def test_what_waits_for_a_graft_waits_for_all_that_is_grafted_at_any_depth(
    make_client: MakeClient, note: Any, log: Log
) -> None:
    @job(name="deeper")
    async def deeper(level: int) -> Any:
        log.ran.append(f"graft {level}")
        inner = Workflow(f"level {level}").put_context({"level": level - 1})
        inner.add("note", note.new(f"note {level}"))
        return inner.add_graft("deeper", deeper) if level else inner

    news = Workflow().put_context({"level": 2}).add_graft("all", deeper)
    news.add("last", note.new("last"), deps="all")
    async with make_client(queues=RUNS) as app:
        handle = await app.enqueue(news)
        status = await handle.wait(timeout=SECONDS)
    assert log.ran[-1] == "last"
    assert sorted(log.ran[:-1]) == sorted(
        [f"graft {level}" for level in range(3)] + [f"note {level}" for level in range(3)]
    )
    assert (status.state, status.total) == ("completed", 7)


@pytest.mark.parametrize("form", ["list", "mapping", "workflow", "empty"])
async def test_results_of_a_graft_have_the_form_of_what_was_returned(
    form: str, make_client: MakeClient
) -> None:
    @job(name="double", recorded=True)
    async def double(number: int) -> int:
        return 2 * number

    def jobs(numbers: list[int]) -> list[Job]:
        return [double.new(number) for number in numbers]

    @job(name="expand")
    async def expand(numbers: list[int]) -> Any:
        if form == "list":
            inner = Workflow().add("ten", double.new(10))
            return [*jobs(numbers), inner]
        if form == "mapping":
            return {f"n{number}": made for number, made in zip(numbers, jobs(numbers), strict=True)}
        if form == "workflow":
            return Workflow("inner").add_many("numbers", jobs(numbers))
        return []

    @job(name="look")
    async def look(doubled: Any) -> Any:
        return doubled

    wanted = Workflow().put_context({"numbers": [1, 2]})
    wanted.add_graft("doubled", expand).add_cascade("look", look, deps="doubled")
    async with make_client(queues=RUNS) as app:
        handle = await app.enqueue(wanted)
        await handle.wait(timeout=SECONDS)
        results = await handle.results()
    expected: dict[str, Any] = {
        "list": [2, 4, {"ten": 20}],
        "mapping": {"n1": 2, "n2": 4},
        "workflow": {"numbers": [2, 4]},
        "empty": [],
    }
    assert results == {"doubled": expected[form], "look": expected[form]}


async def test_a_graft_that_returns_something_else_fails(make_client: MakeClient) -> None:
    @job(name="expand", max_attempts=1)
    async def expand() -> int:
        return 7

    async with make_client(queues=RUNS) as app:
        handle = await app.enqueue(Workflow().add_graft("all", expand))
        status = await handle.wait(timeout=SECONDS)
        placeholder = await handle.job("all")
    assert status.state is State.DISCARDED
    assert placeholder is not None
    assert "returned 7: return a Workflow" in placeholder.errors[0]["error"]


async def test_steps_are_added_behind_steps_that_have_ended_and_run_at_once(
    make_client: MakeClient,
) -> None:
    @job(name="three", recorded=True)
    async def three() -> int:
        return 3

    @job(name="add_up")
    async def add_up(first: int, numbers: list[int], more: int) -> int:
        return first + sum(numbers) + more

    wanted = Workflow().put_context({"more": 100}).add("first", three.new())
    wanted.add_many("numbers", [three.new(), three.new()])
    async with make_client(queues=RUNS) as app:
        handle = await app.enqueue(wanted)
        await handle.wait(timeout=SECONDS)
        more = handle.append()
        more.add_cascade("sum", add_up, deps=["first", "numbers"])
        more.add("again", three.new(), deps="sum")
        added = await app.enqueue(more)
        status = await added.wait(timeout=SECONDS)
        results = await added.results()
    assert added.id == handle.id
    assert results["sum"] == 109
    assert (status.state, status.total) == ("completed", 5)


async def test_what_is_added_must_fit_what_is_stored(make_client: MakeClient, note: Any) -> None:
    async with make_client() as app:
        handle = await app.enqueue(Workflow("order").add("charge", note.new("x")))
        with pytest.raises(InvalidWorkflow, match="did you mean 'charge'"):
            await app.enqueue(handle.append().add("y", note.new("y"), deps="chrage"))
        with pytest.raises(FlowExists, match="charge"):
            await app.enqueue(handle.append().add("charge", note.new("y")))
        with pytest.raises(UnknownFlow, match="nowhere"):
            await app.enqueue(app.workflow("nowhere").append().add("y", note.new("y")))
        assert (await handle.status()).total == 1


async def test_a_job_adds_steps_to_its_own_workflow(make_client: MakeClient, log: Log) -> None:
    @job(name="grow")
    async def grow(number: int) -> None:
        log.ran.append(str(number))
        if number < 3:
            flow = app.workflow(current_job().workflow_id or "")
            more = flow.append().add(f"s{number + 1}", grow.new(number + 1), deps=f"s{number}")
            await app.enqueue(more)

    app = make_client(queues=RUNS)
    async with app:
        handle = await app.enqueue(Workflow().add("s1", grow.new(1)))
        status = await handle.wait(timeout=SECONDS)
    assert log.ran == ["1", "2", "3"]
    assert status.counts["completed"] == 3


async def test_workflows_and_jobs_are_enqueued_together(
    make_client: MakeClient, note: Any, log: Log
) -> None:
    async with make_client(queues=RUNS) as app:
        first, handle, last = await app.enqueue_many(
            note.new("x"), Workflow().add("y", note.new("y")), [note.new("z")]
        )
        assert isinstance(handle, WorkflowHandle)
        await handle.wait(timeout=SECONDS)
        assert isinstance(first, Job)
        assert isinstance(last, Job)
        await eventually(lambda: len(log.ran) == 3)
    assert sorted(log.ran) == ["x", "y", "z"]


async def test_a_unique_workflow_that_goes_on_stands_for_others(
    make_client: MakeClient, note: Any
) -> None:
    def order(**options: Any) -> Workflow:
        return Workflow("order", **options).add("a", note.new("a"))

    app = make_client(queues=RUNS)
    first = await app.enqueue(order(unique=True))
    second = await app.enqueue(order(unique=True))
    other = await app.enqueue(order(unique="order-8"))
    assert (second.id, second.conflict) == (first.id, True)
    assert other.id != first.id
    async with app:
        await first.wait(timeout=SECONDS)
        third = await app.enqueue(order(unique=True))
    assert (third.conflict, third.id == first.id) == (False, False)
