"""What a batch is made of, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from staffa import Batch, Job, Workflow, job
from staffa.args.encryption import KeyRing
from staffa.engines.statements.callbacks import describe_callback, read_callback
from staffa.errors import ConfigError, InvalidJob, InvalidWorkflow, UnknownOption
from staffa.flows.sealing import sealed
from staffa.linking import FlowKind, NeedsStep


@job(name="tests.batch.mail")
def mail(to: str = "ada") -> None: ...


@job(name="tests.batch.report", queue="reports")
def report(title: str = "") -> None: ...


def test_each_member_names_its_batch_and_waits_for_nothing() -> None:
    batch = Batch([mail.new("ada"), mail.options(meta={"n": 1}).new("bob")], name="news")
    graph = batch.graph()
    (flow,) = graph.flows
    assert (flow.kind, flow.id, flow.root, flow.name) == (
        FlowKind.BATCH, batch.id, batch.id, "news",
    )  # fmt: skip
    steps = list(graph.steps)
    assert [step.job.meta for step in steps] == [
        {"batch_id": batch.id},
        {"n": 1, "batch_id": batch.id},
    ]
    assert [step.job.batch_id for step in steps] == [batch.id] * 2
    assert all(not step.needs for step in steps)
    assert graph.roots == ()


def test_callbacks_are_kept_by_their_events_one_or_several() -> None:
    first, second = report.new("a"), report.new("b")
    batch = Batch([], on_completed=first, on_exhausted=[first, second], on_cancelled=None)
    assert batch.callbacks == {"completed": (first,), "exhausted": (first, second)}
    (flow,) = batch.graph().flows
    assert flow.callbacks == batch.callbacks


def test_a_stream_is_read_while_it_is_written_and_once() -> None:
    read: list[int] = []

    def jobs() -> Iterator[Job]:
        for number in range(3):
            read.append(number)
            yield mail.new(str(number))

    steps = iter(Batch(jobs()).graph().steps)
    assert read == []
    next(steps)
    assert read == [0]
    assert len(list(steps)) == 2


def test_the_jobs_of_a_list_can_be_written_again() -> None:
    graph = Batch([mail.new(), mail.new()]).graph()
    assert len(list(graph.steps)) == len(list(graph.steps)) == 2


def test_a_workflow_in_a_batch_has_its_root_there() -> None:
    inner = Workflow("inner").add("c", mail.new("c"))
    order = Workflow("order").add("a", mail.new("a")).add("b", mail.new("b"), deps="a")
    order.add_workflow("rest", inner, deps="b")
    other = Workflow("other").add("x", mail.new("x")).add("y", mail.new("y"), deps="x")
    batch = Batch([mail.new("first"), order, other], id="all")
    graph = batch.graph()
    assert [flow.id for flow in graph.flows] == ["all", order.id, inner.id, other.id]
    assert {flow.root for flow in graph.flows} == {"all"}
    assert [flow.parent for flow in graph.flows] == [None, None, order.id, None]
    steps = list(graph.steps)
    assert [step.job.args["to"] for step in steps] == ["first", "a", "b", "c", "x", "y"]
    assert {step.job.batch_id for step in steps} == {"all"}
    needs = [[need.place for need in step.needs if isinstance(need, NeedsStep)] for step in steps]
    assert needs == [[], [], [1], [2], [], [4]]


def test_a_single_workflow_needs_no_list() -> None:
    order = Workflow("order").add("a", mail.new("a"))
    assert [step.job.meta["workflow_id"] for step in Batch(order).graph().steps] == [order.id]
    assert len(list(Batch(mail.new()).graph().steps)) == 1


@pytest.mark.parametrize("wrong", ["", "x" * 128, 7, "a\x00b"])
def test_an_id_or_a_name_that_can_not_be_stored_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigError, match=r"id of a batch is .*: give 1 to 127 characters"):
        Batch([], id=wrong)
    with pytest.raises(ConfigError, match="name of a batch"):
        Batch([], name=wrong)
    assert Batch([], id="x" * 127).id == "x" * 127


def test_an_unknown_callback_names_the_nearest() -> None:
    with pytest.raises(UnknownOption, match="did you mean 'on_completed'"):
        Batch([], on_complete=report.new())  # type: ignore[call-arg]  # wrong on purpose
    with pytest.raises(UnknownOption, match="did you mean 'on_completed'"):
        Batch([], completed=report.new())  # type: ignore[call-arg]  # wrong on purpose


@pytest.mark.parametrize("wrong", [report, "report", [report.new(), 5]], ids=str)
def test_a_callback_that_is_no_job_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidJob, match=r"on_completed of a batch is .* no job: give one from"):
        Batch([], on_completed=wrong)


def test_a_callback_can_not_pass_itself_off_as_a_member_of_a_flow() -> None:
    copied = report.options(meta={"workflow_id": "order", "name": "ship"}).new()
    with pytest.raises(InvalidJob, match=r"on_exhausted of a batch names the flow 'order'"):
        Batch([], on_exhausted=copied)


def test_a_callback_is_read_as_it_was_given() -> None:
    given = report.options(
        unique={"period": 60, "states": ["suspended", "scheduled", "available"]},
        replace={"scheduled": ["args", "scheduled_at"]}, chain={"by": "worker"}, priority=3,
        tags=["a"], max_attempts=2, scheduled_in=5,
    ).new()  # fmt: skip
    stored = orjson.dumps(describe_callback(given)).decode()
    found = read_callback("b", "completed", stored)
    for name in ("unique", "replace", "chain", "worker", "args", "tags", "priority", "queue"):
        assert getattr(found, name) == getattr(given, name), name
    assert (found.unique_key, found.scheduled_in) == (given.unique_key, 5.0)
    assert found.chain_id == given.on_chain().chain_id
    assert (found.batch_id, found.meta["callback"]) == ("b", "completed")


def test_keys_and_chains_of_encrypted_callbacks_tell_nothing_of_their_args() -> None:
    secret = report.options(
        encrypted=True, unique={"fields": ["worker", "args"]}, chain={"by": "args.title"}
    )
    batch = Batch([], on_completed=secret.new("aunt"), on_exhausted=[secret.new("aunt")])
    (flow,) = sealed(batch.graph(), KeyRing({"2026": bytes(32)})).flows
    for event in ("completed", "exhausted"):
        callbacks = flow.callbacks[event]
        assert not isinstance(callbacks, Job)
        (callback,) = callbacks
        stored = orjson.dumps(describe_callback(callback)).decode()
        assert "aunt" not in stored
        found = read_callback("b", event, stored)
        assert found.unique_key not in (None, secret.new("aunt").unique_key)
        assert found.chain_id not in (None, secret.new("aunt").on_chain().chain_id)


@pytest.mark.parametrize("wrong", ["mail", 7, None])
def test_what_is_no_jobs_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidJob, match="jobs of a batch is"):
        Batch(wrong)


def test_members_that_can_not_be_are_refused_by_name() -> None:
    stored = mail.new().as_enqueued(
        {"id": 5, "state": "available", "inserted_at": None, "scheduled_at": None}
    )
    with pytest.raises(InvalidJob, match="job 5 of a batch was enqueued before"):
        Batch([stored])
    with pytest.raises(InvalidJob, match="'x' of a batch is no job"):
        Batch([mail.new(), "x"])  # type: ignore[list-item]  # wrong on purpose
    with pytest.raises(InvalidJob, match="of a batch is unique"):
        Batch([mail.options(unique=True).new()])
    for key in ("batch_id", "callback"):
        with pytest.raises(InvalidJob, match=f"of a batch has '{key}' in its meta"):
            Batch([mail.options(meta={key: "other"}).new()])
    order = Workflow("order").add("mail", mail.new())
    with pytest.raises(InvalidJob, match="<Workflow 'order' of 1 step> is in the batch twice"):
        Batch([order, mail.new(), order])
    with pytest.raises(InvalidJob, match="give workflows of a batch in a list"):
        list(Batch(one for one in [Workflow("w")]).graph().steps)
    with pytest.raises(InvalidJob, match="is unique, and might be another one's"):
        Batch(Workflow("w", unique=True)).graph()


def test_a_workflow_that_does_not_fit_together_is_refused() -> None:
    with pytest.raises(InvalidWorkflow):
        Batch(Workflow("w").add("a", mail.new(), deps="missing")).graph()
