"""Building workflows: what is taken, and what is refused with which words."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from staffa import Chunk, Job, Workflow, job
from staffa.errors import InvalidArgs, InvalidJob, InvalidWorkflow
from staffa.flows.graphs import make_graph


@job
def total(prices: list[int], discount: int) -> int:
    return sum(prices) - discount


@job
def price(article: str) -> int:
    return len(article)


@job
def nothing() -> None: ...


@job(executor="process")
def compute() -> int:
    return 1


def plain(discount: int) -> int:
    return discount


def task(**args: int) -> Job:
    return Job(worker="shop.task", args=args)


def refused(workflow: Workflow) -> str:
    with pytest.raises(InvalidWorkflow) as caught:
        make_graph(workflow)
    return str(caught.value)


def test_a_name_is_taken_once() -> None:
    order = Workflow("order").add("charge", task())
    with pytest.raises(InvalidWorkflow, match="'order' has a step 'charge' already"):
        order.add_many("charge", [])


@pytest.mark.parametrize("name", ["", "x" * 128, None, 7, True, "a\x00b"])
def test_a_name_is_text_of_1_to_127_characters(name: object) -> None:
    with pytest.raises(InvalidWorkflow, match="name"):
        Workflow().add(name, task())  # type: ignore[arg-type]


def test_a_dependency_that_there_is_not_is_refused_with_the_nearest_name() -> None:
    order = Workflow("order").add("charge", task()).add("ship", task(), deps="chrage")
    assert refused(order) == (
        "step 'ship' depends on 'chrage', which is no step of the workflow 'order': "
        "did you mean 'charge'?"
    )


def test_a_dependency_unlike_all_others_is_refused_with_the_names_that_there_are() -> None:
    order = Workflow().add("charge", task()).add("ship", task(), deps="zzz")
    assert "its other steps are 'charge'" in refused(order)


def test_a_step_may_depend_on_one_that_is_added_later() -> None:
    order = Workflow().add("ship", task(), deps=["charge"]).add("charge", task())
    assert [step.job.meta["name"] for step in make_graph(order).steps] == ["charge", "ship"]


def test_a_circle_is_named() -> None:
    order = (
        Workflow("order")
        .add("start", task())
        .add("a", task(), deps=["start", "c"])
        .add("b", task(), deps="a")
        .add("c", task(), deps="b")
        .add("behind", task(), deps="a")
    )
    assert "a -> c -> b -> a" in refused(order)


def test_a_step_that_depends_on_itself_is_a_circle() -> None:
    assert "again -> again" in refused(Workflow().add("again", task(), deps="again"))


def test_circles_inside_of_inner_workflows_are_found() -> None:
    inner = Workflow("inner").add("a", task(), deps="b").add("b", task(), deps="a")
    assert "'inner'" in refused(Workflow().add_workflow("sub", inner))


def test_dependencies_on_steps_of_an_outer_workflow_are_refused() -> None:
    inner = Workflow("inner").add("a", task(), deps="outer")
    assert "'outer', which is no step of the workflow 'inner'" in refused(
        Workflow().add("outer", task()).add_workflow("sub", inner)
    )


@pytest.mark.parametrize("deps", [7, [7], [None]])
def test_dependencies_are_names(deps: object) -> None:
    with pytest.raises(InvalidWorkflow, match="name"):
        Workflow().add("a", task(), deps=deps)  # type: ignore[arg-type]


def test_a_function_that_is_no_job_is_refused() -> None:
    with pytest.raises(InvalidWorkflow, match="plain of step 'x' is no job: decorate it"):
        Workflow().add_cascade("x", plain)  # type: ignore[arg-type]
    with pytest.raises(InvalidWorkflow, match="'plain' for its function"):
        Workflow().add_graft("x", "plain")  # type: ignore[arg-type]


def test_an_argument_that_nobody_gives_is_refused_with_what_there_is() -> None:
    order = Workflow().put_context({"disount": 1})
    order.add_cascade("prices", ([], price)).add_cascade("total", total, deps="prices")
    said = refused(order)
    assert "needs 'discount'" in said
    assert "depends on 'prices'" in said
    assert "the context has 'disount'" in said


def test_the_context_of_an_outer_workflow_gives_arguments_too() -> None:
    inner = Workflow().add_cascade("total", total)
    outer = Workflow().put_context({"prices": [1], "discount": 1}).add_workflow("sub", inner)
    assert len(list(make_graph(outer).steps)) == 1


def test_a_function_without_parameters_takes_no_elements() -> None:
    with pytest.raises(InvalidWorkflow, match="takes no element"):
        Workflow().add_cascade("x", ([1], nothing))


def test_elements_are_iterable() -> None:
    with pytest.raises(InvalidWorkflow, match="elements of 'x' is 7"):
        Workflow().add_cascade("x", (7, price))  # type: ignore[arg-type]
    with pytest.raises(InvalidWorkflow, match="is 'text'"):
        Workflow().add_many("x", "text")  # type: ignore[arg-type]


def test_an_element_that_does_not_fit_the_annotation_is_refused() -> None:
    with pytest.raises(InvalidArgs, match="article"):
        make_graph(Workflow().add_cascade("x", ([7], price)))


def test_a_graft_can_not_run_in_a_process_of_its_own() -> None:
    with pytest.raises(InvalidWorkflow, match="no workflow can be returned"):
        Workflow().add_graft("x", compute)


def test_many_jobs_can_not_be_held() -> None:
    with pytest.raises(InvalidWorkflow, match="can't be held"):
        Workflow().add_cascade("x", ([], price), hold=True)


def test_what_is_no_job_is_refused() -> None:
    with pytest.raises(InvalidWorkflow, match="step 'x' is 7, which is no job"):
        Workflow().add("x", 7)  # type: ignore[arg-type]
    with pytest.raises(InvalidWorkflow, match=r"'all\.1' is 7"):
        make_graph(Workflow().add_many("all", [task(), 7]))  # type: ignore[list-item]


def test_unique_jobs_and_enqueued_ones_are_no_steps() -> None:
    with pytest.raises(InvalidJob, match="unique=True"):
        Workflow().add("x", Job(worker="w", unique=True))
    stored = task()
    stored.id = 7
    with pytest.raises(InvalidJob, match="enqueued before"):
        Workflow().add("x", stored)


def test_a_workflow_is_part_of_one_other_at_most_and_not_of_itself() -> None:
    inner = Workflow("inner")
    outer = Workflow("outer").add_workflow("one", inner)
    with pytest.raises(InvalidWorkflow, match="part of another one already"):
        outer.add_workflow("two", inner)
    with pytest.raises(InvalidWorkflow, match="can't be a step of itself"):
        inner.add_workflow("around", outer)
    with pytest.raises(InvalidWorkflow, match="can't be a step of itself"):
        outer.add_workflow("again", outer)


def test_only_the_outermost_workflow_is_unique() -> None:
    with pytest.raises(InvalidWorkflow, match="only the outermost"):
        Workflow().add_workflow("x", Workflow("inner", unique=True))
    with pytest.raises(InvalidWorkflow, match="without a name"):
        Workflow(unique=True)


def test_a_step_that_was_refused_leaves_no_trace() -> None:
    order = Workflow()
    inner = Workflow("inner")
    with pytest.raises(InvalidWorkflow):
        order.add_workflow("x", inner, deps=7)  # type: ignore[arg-type]
    order.add_workflow("x", inner)
    assert list(order.parts) == ["x"]


@pytest.mark.parametrize("id", ["", "x" * 128, 7])
def test_an_id_is_text(id: object) -> None:  # noqa: A002
    with pytest.raises(InvalidWorkflow, match="id of a workflow"):
        Workflow(id=id)  # type: ignore[arg-type]


def test_the_context_is_plain_data() -> None:
    with pytest.raises(InvalidArgs):
        Workflow().put_context({"x": object()})
    given = {"x": [1]}
    order = Workflow().put_context(given).put_context({"y": 2})
    given["x"].append(2)
    assert order.context == {"x": [1], "y": 2}


def test_flags_are_truth_values() -> None:
    with pytest.raises(InvalidJob, match="hold"):
        Workflow().add("x", task(), hold=1)  # type: ignore[arg-type]
    with pytest.raises(InvalidJob, match="ignore_deleted"):
        Workflow(ignore_deleted="yes")  # type: ignore[arg-type]


def test_ten_thousand_steps_take_ten_times_the_work_of_a_thousand() -> None:
    def work(count: int) -> int:
        chain = Workflow()
        for number in range(count):
            chain.add(f"s{number}", task(), deps=[f"s{number - 1}"] if number else ())
        chain.add("last", task(), deps=[f"s{number}" for number in range(count)])
        calls = 0

        def count_call(*event: object) -> None:
            nonlocal calls
            calls += 1

        sys.setprofile(count_call)
        try:
            make_graph(chain)
        finally:
            sys.setprofile(None)
        return calls

    assert work(10_000) < 12 * work(1_000)


def test_workflows_are_nested_deeper_than_functions_can_be() -> None:
    around = Workflow().add("inmost", task())
    for number in range(2_000):
        around = Workflow().add("before", task()).add_workflow(f"in{number}", around, "before")
    graph = make_graph(around)
    assert len(graph.flows) == 2_001
    assert sum(1 for _ in graph.steps) == 2_001


def test_jobs_of_a_group_are_read_one_by_one() -> None:
    read: list[int] = []

    def jobs() -> Iterator[Job]:
        for number in range(50_000):
            read.append(number)
            yield task(number=number)

    steps = iter(make_graph(Workflow().add_many("mails", jobs())).steps)
    assert not read
    next(steps)
    next(steps)
    assert read == [0, 1]


def test_a_generator_is_not_read_twice() -> None:
    news = Workflow().add_many("mails", (task() for _ in range(2)))
    list(make_graph(news).steps)
    with pytest.raises(InvalidWorkflow, match="give a list"):
        list(make_graph(news).steps)


def test_keys_of_a_group_that_are_the_same_as_names_are_refused() -> None:
    pairs = Workflow().add_many("pairs", {1: Job(worker="w"), "1": Job(worker="w")})
    with pytest.raises(InvalidWorkflow, match=r"keys 1 and '1', which are the same as names"):
        list(make_graph(pairs).steps)


@job(chunk=Chunk(size=2))
def load(jobs: list[Job]) -> None: ...


def test_a_function_that_runs_in_chunks_is_neither_a_cascade_nor_a_graft() -> None:
    workflow = Workflow().add("load", load.new(event="x"))
    for function in (load, load.options(queue="slow")):
        with pytest.raises(InvalidWorkflow, match="load of step 'x' runs in chunks"):
            workflow.add_cascade("x", function)
        with pytest.raises(InvalidWorkflow, match="load of step 'x' runs in chunks"):
            workflow.add_graft("x", function)
        with pytest.raises(InvalidWorkflow, match="load of step 'x' runs in chunks"):
            workflow.add_cascade("x", ([1, 2], function))


def test_a_chain_by_what_is_filled_in_later_is_refused() -> None:
    chained = price.options(chain={"by": "args.article"})
    fan_out = Workflow().add_cascade("x", (["pen"], chained))
    (step,) = make_graph(fan_out).steps
    assert step.job.chain is not None
    single = Workflow().put_context({"article": "pen"}).add_cascade("x", chained)
    with pytest.raises(InvalidWorkflow, match=r"step 'x' has a chain by 'args.article', which is"):
        make_graph(single)
