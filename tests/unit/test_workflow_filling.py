"""What a cascade gets as arguments, and why it does not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from staffa import Job, erlang, job
from staffa.errors import InvalidArgs
from staffa.flows.filling import fill
from staffa.linking import FlowKind, FlowRow
from staffa.recorded import FlowResults, ResultFlow
from staffa.registry import WorkerDefinition
from tests.unit.rows import row

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@job
def total(prices: list[int], discount: int = 0) -> int:
    return sum(prices) - discount


@job
def everything(**given: Any) -> None: ...


@job
def whole(context: dict[str, Any], first: int) -> None: ...


class Stored:
    """What an engine would tell."""

    def __init__(self) -> None:
        self.contexts: dict[str, Any] = {}
        self.flows: dict[str, ResultFlow] = {}
        self.jobs: list[tuple[str, Job]] = []
        self.reads: list[str] = []

    async def read_flows(self, ids: list[str], *, inner: bool = False) -> list[FlowRow]:
        self.reads.append("flows")
        return [
            FlowRow(
                id=number,
                kind=FlowKind.WORKFLOW,
                root="w",
                parent=None,
                name=None,
                place=None,
                options={"context": self.contexts[number]},
                needs=(),
                total=0,
                suspended=0,
                completed=0,
                cancelled=0,
                discarded=0,
                deleted=0,
                attempted=0,
                inner=0,
                fired=(),
                inserted_at=NOW,
                finished_at=None,
            )
            for number in reversed(ids)
            if number in self.contexts
        ]

    async def read_results(self, flows: list[str], *, flow: str, names: list[str]) -> FlowResults:
        self.reads.append("results")
        return FlowResults(self.flows, self.jobs)

    def add(self, flow: str, name: str, state: str = "completed", **meta: Any) -> None:
        columns = row(
            id=len(self.jobs) + 1,
            worker="w",
            state=state,
            queue="default",
            meta={"workflow_id": flow, "name": name, **meta},
            attempted_by=None,
            completed_at=None,
            cancelled_at=None,
            discarded_at=None,
        )
        self.jobs.append((flow, Job.from_row(columns)))

    def add_result(self, flow: str, name: str, value: Any) -> None:
        self.add(flow, name, recorded=True, **{"return": erlang.dump(value)})


@pytest.fixture
def stored() -> Stored:
    return Stored()


async def filled(
    function: Any, stored: Stored, args: dict[str, Any] | None = None, **cascade: Any
) -> dict[str, Any]:
    meta = {"cascade": {"flow": "w", "contexts": [], "jobs": [], "flows": {}, **cascade}}
    made = Job(worker="w", args=args, meta=meta)
    definition: WorkerDefinition = function.definition
    await fill(made, definition, stored)  # type: ignore[arg-type]  # it is asked for no more
    return made.args


async def test_results_go_before_the_context_and_inner_contexts_before_outer_ones(
    stored: Stored,
) -> None:
    stored.contexts = {"w": {"prices": [9], "discount": 1}, "inner": {"discount": 2}}
    stored.add_result("w", "prices", [1, 2])
    args = await filled(total, stored, contexts=["w", "inner"], jobs=["prices"])
    assert args == {"prices": [1, 2], "discount": 2}
    assert stored.reads == ["flows", "results"]


async def test_nothing_is_read_that_is_not_there(stored: Stored) -> None:
    assert await filled(everything, stored) == {}
    assert stored.reads == []


async def test_what_the_job_has_goes_first(stored: Stored) -> None:
    stored.contexts = {"w": {"prices": [9]}}
    assert await filled(total, stored, {"prices": [1]}, contexts=["w"]) == {"prices": [1]}


async def test_a_function_that_takes_anything_gets_everything(stored: Stored) -> None:
    stored.contexts = {"w": {"a": 1}}
    stored.add_result("w", "b", 2)
    args = await filled(everything, stored, contexts=["w"], jobs=["b"])
    assert args == {"a": 1, "b": 2}


async def test_a_parameter_named_context_gets_everything_as_well(stored: Stored) -> None:
    stored.contexts = {"w": {"first": 1, "second": 2}}
    args = await filled(whole, stored, contexts=["w"])
    assert args == {"first": 1, "context": {"first": 1, "second": 2}}


async def test_results_of_a_group_are_in_the_order_of_its_numbers(stored: Stored) -> None:
    stored.flows = {"g": ResultFlow("w", "prices", "list")}
    for number in (10, 2, 0):
        stored.add_result("g", str(number), number)
    stored.add("g", "1", "discarded")
    assert (await filled(total, stored, flows={"prices": "g"}))["prices"] == [0, None, 2, 10]


async def test_an_empty_group_is_an_empty_list(stored: Stored) -> None:
    stored.flows = {"g": ResultFlow("w", "prices", "list")}
    assert await filled(total, stored, flows={"prices": "g"}) == {"prices": []}


async def test_results_of_inner_workflows_are_nested(stored: Stored) -> None:
    stored.flows = {
        "s": ResultFlow("w", "prices", None),
        "g": ResultFlow("s", "group", "mapping"),
    }
    stored.add_result("s", "a", 1)
    stored.add_result("g", "x", 2)
    stored.add("s", "silent")
    args = await filled(everything, stored, flows={"prices": "s"})
    assert args["prices"] == {"a": 1, "group": {"x": 2}}


@pytest.mark.parametrize(
    ("state", "meta", "why"),
    [
        ("completed", {}, "did not record its result: give w recorded=True"),
        ("discarded", {}, "was discarded"),
        ("completed", {"recorded": True}, "nothing was recorded"),
        ("completed", {"recorded": True, "return": "!"}, "can't be read"),
    ],
)
async def test_a_required_argument_that_is_missing_is_explained(
    state: str, meta: dict[str, Any], why: str, stored: Stored
) -> None:
    stored.add("w", "prices", state, **meta)
    with pytest.raises(
        InvalidArgs, match=r"total needs 'prices', which can't be filled in: .*"
    ) as e:
        await filled(total, stored, jobs=["prices"])
    assert why in str(e.value)


async def test_a_job_that_is_gone_is_told_as_such(stored: Stored) -> None:
    with pytest.raises(InvalidArgs, match="there is no such job any more"):
        await filled(total, stored, jobs=["prices"])


async def test_a_group_that_recorded_nothing_at_all_is_told_as_such(stored: Stored) -> None:
    stored.flows = {"g": ResultFlow("w", "prices", "list")}
    stored.add("g", "0")
    with pytest.raises(InvalidArgs, match="its jobs recorded no results: give w recorded=True"):
        await filled(total, stored, flows={"prices": "g"})


async def test_a_graft_that_was_not_written_is_told_as_such(stored: Stored) -> None:
    stored.flows = {"g": ResultFlow("w", "prices", "graft")}
    stored.add("g", "", "cancelled", graft="prices")
    with pytest.raises(InvalidArgs, match="nothing was grafted"):
        await filled(total, stored, flows={"prices": "g"})


@pytest.mark.parametrize(
    "cascade",
    [
        None,
        [],
        "text",
        {"flow": "w"},
        {"flow": 7, "contexts": [], "jobs": [], "flows": {}},
        {"flow": "w", "contexts": [7], "jobs": [], "flows": {}},
        {"flow": "w", "contexts": 7, "jobs": [], "flows": {}},
        {"flow": "w", "contexts": [], "jobs": [], "flows": {"a": 7}},
    ],
)
async def test_meta_that_somebody_has_changed_is_refused(cascade: Any, stored: Stored) -> None:
    made = Job(worker="w", meta={"cascade": cascade})
    with pytest.raises(InvalidArgs, match="it was changed"):
        await fill(made, total.definition, stored)  # type: ignore[arg-type]  # likewise


async def test_results_are_nested_deeper_than_functions_can_be(stored: Stored) -> None:
    for level in range(2_000):
        stored.flows[f"f{level}"] = ResultFlow(f"f{level - 1}" if level else "w", "deeper", None)
    stored.add_result("f1999", "last", 7)
    found = (await filled(everything, stored, flows={"top": "f0"}))["top"]
    for _ in range(1_999):
        found = found["deeper"]
    assert found == {"last": 7}
