"""What is written of a workflow: its flows, its jobs, and what they wait for."""

from __future__ import annotations

from staffa import Job, Recorded, Workflow, job
from staffa.flows.graphs import Surroundings, make_addition, make_graph
from staffa.flows.workflow import Addition
from staffa.linking import NeedsFlow, NeedsJob, NeedsStep, NewStep, Policies, Policy


@job
def total(prices: list[int], discount: int = 0) -> int:
    return sum(prices) - discount


@job(queue="prices", recorded=Recorded(limit=100))
def price(article: str) -> int:
    return len(article)


@job
def expand(context: dict[str, int]) -> list[Job]:
    return []


def task() -> Job:
    return Job(worker="shop.task")


def _steps(workflow: Workflow) -> list[NewStep]:
    return list(make_graph(workflow).steps)


def test_steps_wait_for_the_places_of_others() -> None:
    order = Workflow("order").add("a", task()).add("b", task()).add("c", task(), deps=["b", "a"])
    a, b, c = _steps(order)
    assert (a.needs, b.needs) == ((), ())
    assert c.needs == [NeedsStep(1), NeedsStep(0)]
    assert c.job.meta == {"workflow_id": order.id, "name": "c", "deps": ["b", "a"]}
    assert a.job.meta == {"workflow_id": order.id, "name": "a"}


def test_a_group_is_a_flow_that_is_waited_for_as_one() -> None:
    news = Workflow().add("first", task())
    news.add_many("mails", {"ada": task(), 7: task()}, deps="first")
    news.add("last", task(), deps="mails")
    graph = make_graph(news)
    outer, group = graph.flows
    assert (group.parent, group.root, group.place) == (news.id, news.id, "mails")
    assert group.needs == ("first",)
    assert group.options["form"] == "mapping"
    first, ada, seven, last = graph.steps
    assert (ada.job.meta["name"], seven.job.meta["name"]) == ("ada", "7")
    assert {s.job.meta["workflow_id"] for s in (ada, seven)} == {group.id}
    assert list(ada.needs) == list(seven.needs) == [NeedsStep(0)]
    assert last.needs == [NeedsFlow(group.id)]
    assert first.job.meta["workflow_id"] == outer.id


def test_the_first_steps_of_an_inner_workflow_wait_for_what_it_waits_for() -> None:
    inner = Workflow(ignore_cancelled=True).add("x", task()).add("y", task(), deps="x")
    outer = Workflow().add("a", task())
    outer.add_workflow("sub", inner, deps="a", ignore_discarded=True)
    outer.add("z", task(), deps="sub")
    _, x, y, z = _steps(outer)
    assert x.needs == [NeedsStep(0)]
    assert x.policies == Policies(discarded=Policy.IGNORE)
    assert y.needs == [NeedsStep(1)]
    assert y.policies == Policies(cancelled=Policy.IGNORE)
    assert z.needs == [NeedsFlow(inner.id)]


def test_what_waits_for_a_flow_without_jobs_waits_for_what_that_would_wait_for() -> None:
    order = Workflow().add("a", task()).add_many("none", iter([]), deps="a")
    order.add_workflow("empty", Workflow().add_workflow("deeper", Workflow()), deps="none")
    order.add("z", task(), deps=["none", "empty"])
    first, *flows = _steps(order)[1].needs
    assert first == NeedsStep(0)
    assert all(isinstance(need, NeedsFlow) for need in flows)  # they may get jobs later
    assert len(flows) == 2


def test_first_steps_at_any_depth_wait_for_what_is_around_them() -> None:
    inmost = Workflow().add("x", task())
    outer = Workflow().add("a", task())
    outer.add_workflow("one", Workflow().add_workflow("two", inmost), deps="a")
    assert _steps(outer)[1].needs == [NeedsStep(0)]


def test_what_is_ignored_is_inherited_unless_something_else_is_said() -> None:
    inner = Workflow(ignore_discarded=False).add("x", task()).add("y", task(), "x")
    outer = Workflow(ignore_cancelled=True, ignore_discarded=True, ignore_deleted=True)
    outer.add_workflow("sub", inner).add("z", task(), "sub", ignore_cancelled=False)
    _, y, z = _steps(outer)
    assert y.policies == Policies(Policy.IGNORE, Policy.CANCEL, Policy.IGNORE)
    assert z.policies == Policies(Policy.CANCEL, Policy.IGNORE, Policy.IGNORE)
    assert make_graph(outer).flows[1].options["ignore"] == ["cancelled", "deleted"]


def test_a_cascade_has_no_args_and_knows_where_they_will_be() -> None:
    order = Workflow().put_context({"discount": 1}).add("before", task())
    order.add_cascade("prices", (["pen", "book"], price)).add_cascade(
        "total", total, deps=["prices", "before"]
    )
    graph = make_graph(order)
    _, pen, _, sum_ = graph.steps
    assert pen.job.args == {"article": "pen"}
    assert pen.job.queue == "prices"
    assert pen.job.meta["staffa_record_limit"] == 100
    assert sum_.job.args == {}
    assert sum_.job.meta["recorded"] is True
    assert sum_.job.meta["cascade"] == {
        "flow": order.id,
        "contexts": [order.id],
        "jobs": ["before"],
        "flows": {"prices": graph.flows[1].id},
    }


def test_the_options_of_a_call_hold_for_a_cascade() -> None:
    order = Workflow().put_context({"prices": []})
    order.add_cascade("total", total.options(queue="slow", recorded=False))
    (step,) = _steps(order)
    assert step.job.queue == "slow"
    assert step.job.meta["recorded"] is True


def test_contexts_are_those_of_all_flows_around_that_have_one() -> None:
    inner = Workflow().put_context({"prices": []}).add_cascade("total", total)
    between = Workflow().add_workflow("inner", inner)
    outer = Workflow().put_context({"prices": [1]}).add_workflow("between", between)
    (step,) = _steps(outer)
    assert step.job.meta["cascade"]["contexts"] == [outer.id, inner.id]


def test_a_graft_is_a_flow_with_the_job_that_fills_it() -> None:
    news = Workflow().add("a", task()).add_graft("all", expand, deps="a").add("z", task(), "all")
    graph = make_graph(news)
    graft = graph.flows[1]
    _, placeholder, last = graph.steps
    assert (graft.place, graft.options["form"]) == ("all", "graft")
    assert placeholder.job.meta["workflow_id"] == graft.id
    assert placeholder.job.meta["graft"] == "all"
    assert "name" not in placeholder.job.meta
    assert placeholder.needs == [NeedsStep(0)]
    assert last.needs == [NeedsFlow(graft.id)]


def test_held_steps_are_held() -> None:
    order = Workflow().add("a", task(), hold=True).add_graft("b", expand, hold=True)
    assert [step.held for step in _steps(order)] == [True, True]


def test_a_unique_workflow_has_a_key() -> None:
    assert make_graph(Workflow("order", unique=True)).once == "workflow:order"
    assert make_graph(Workflow(unique="order-7")).once == "workflow:order-7"
    assert make_graph(Workflow("order")).once is None


def test_ids_come_in_order_and_can_be_given() -> None:
    ids = [Workflow().id for _ in range(100)]
    assert ids == sorted(set(ids))
    assert make_graph(Workflow(id="mine")).flows[0].id == "mine"


def test_what_is_added_to_a_stored_workflow_waits_for_what_is_stored() -> None:
    more = Addition("stored")
    more.add("x", task(), deps="charge").add("y", task(), deps=["x", "mails"])
    more.add_workflow("sub", Workflow().add("z", task()), deps="mails")
    more.add_cascade("total", total, deps="mails")
    place = Surroundings(
        flow="stored",
        root="root",
        contexts=("root",),
        known={"prices"},
        steps={"charge": [NeedsJob(7)], "mails": [NeedsFlow("m")]},
        flows={"mails": "m"},
    )
    graph = make_addition(more, place)
    x, y, z, last = graph.steps
    assert graph.roots == ["root"]
    assert [flow.parent for flow in graph.flows] == ["stored"]
    assert x.needs == [NeedsJob(7)]
    assert y.needs == [NeedsStep(0), NeedsFlow("m")]
    assert z.needs == [NeedsFlow("m")]
    assert last.job.meta["cascade"]["flows"] == {"mails": "m"}
