"""What depends on jobs that end is released or cancelled, and flows are counted and end."""

from __future__ import annotations

import pytest

from staffa.engine import Engine, Producer
from staffa.types import State
from tests.conformance.graphs import Flows
from tests.conformance.rows import Since, error
from tests.conformance.stores import Store
from tests.conformance.work import QUEUE


@pytest.fixture
def flows(store: Store, engine: Engine, producer: Producer) -> Flows:
    """What writes flows."""
    return Flows(store, engine, producer)


async def test_a_step_is_released_when_the_last_thing_that_it_needs_has_completed(
    flows: Flows, store: Store
) -> None:
    await flows.add("w")
    first = await flows.job("w")
    left = await flows.job("w", first)
    right = await flows.job("w", first)
    last = await flows.job("w", left, right)
    done = await flows.end(first)
    assert done.states == {first: State.COMPLETED}
    assert (done.followed.woken, done.followed.cancelled) == ({QUEUE: 2}, ())
    assert await flows.states(left, right, last) == ["available", "available", "suspended"]
    await flows.end(left)
    assert await flows.states(last) == ["suspended"]
    await flows.check_counts("w")
    moment = await store.now()
    ended = await flows.end(right)
    assert (ended.followed.woken, ended.followed.ended) == ({QUEUE: 1}, ())
    row = await store.row(last)
    assert (row["state"], row["attempt"]) == ("available", 0)
    assert Since(moment) == f"{row['scheduled_at']}+00:00"
    assert (await flows.end(last)).followed.ended == ("w",)
    await flows.check_counts("w")
    assert not await flows.is_open("w")


async def test_a_dependent_is_cancelled_with_all_that_depends_on_it(
    flows: Flows, store: Store
) -> None:
    await flows.add("w")
    first = await flows.job("w")
    second = await flows.job("w", first)
    third = await flows.job("w", second)
    moment = await store.now()
    done = await flows.end(first, state=State.DISCARDED, error="no")
    assert sorted(done.followed.cancelled) == [second, third]
    assert (done.followed.woken, done.followed.ended) == ({}, ("w",))
    assert await flows.states(first, second, third) == ["discarded", "cancelled", "cancelled"]
    text = f"job {first}, which it depends on, was discarded"
    assert (await store.row(second))["errors"] == [error(0, text, moment)]
    text = f"job {second}, which it depends on, was cancelled"
    assert (await store.row(third))["errors"] == [error(0, text, moment)]
    await flows.check_counts("w")


@pytest.mark.parametrize("policy", ["cancel", "ignore", "hold"])
@pytest.mark.parametrize("end", ["cancelled", "discarded", "deleted"])
async def test_what_does_not_complete_is_answered_as_the_step_wants_it(
    flows: Flows, engine: Engine, end: str, policy: str
) -> None:
    await flows.add("w")
    first = await flows.job("w")
    second = await flows.job("w", first, policies={end: policy})
    if end == "deleted":
        followed = (await engine.delete_jobs([first])).followed
    elif end == "cancelled":
        followed = (await engine.cancel_jobs([first])).followed
    else:
        followed = (await flows.end(first, state=State.DISCARDED)).followed
    expected = {"cancel": "cancelled", "ignore": "available", "hold": "suspended"}[policy]
    assert await flows.states(second) == [expected]
    assert followed.cancelled == ((second,) if policy == "cancel" else ())
    assert followed.woken == ({QUEUE: 1} if policy == "ignore" else {})
    assert await flows.is_open("w") == (policy != "cancel")
    await flows.check_counts("w")


async def test_a_step_that_holds_goes_on_when_what_it_needs_has_completed_after_all(
    flows: Flows, engine: Engine
) -> None:
    await flows.add("w")
    first = await flows.job("w")
    second = await flows.job("w", first, policies={"discarded": "hold"})
    await flows.end(first, state=State.DISCARDED)
    assert [job.id for job in await engine.retry_jobs([first])] == [first]
    await flows.check_counts("w")
    assert (await flows.end(first)).followed.woken == {QUEUE: 1}
    assert await flows.states(second) == ["available"]
    await flows.check_counts("w")


async def test_a_held_step_waits_on_though_nothing_is_open(flows: Flows) -> None:
    await flows.add("w")
    first = await flows.job("w")
    second = await flows.job("w", first, held=True)
    assert (await flows.end(first)).followed.woken == {}
    assert await flows.states(second) == ["suspended"]
    await flows.check_counts("w")


async def test_nested_flows_end_outwards_and_release_what_needs_them(flows: Flows) -> None:
    await flows.add("outer")
    await flows.add("middle", parent="outer", root="outer")
    await flows.add("inner", parent="middle", root="outer")
    first = await flows.job("inner")
    last = await flows.job("outer", "middle")
    done = await flows.end(first)
    assert done.followed.ended == ("inner", "middle")
    assert await flows.states(last) == ["available"]
    await flows.check_counts("outer", "middle", "inner")
    assert (await flows.end(last)).followed.ended == ("outer",)
    await flows.check_counts("outer", "middle", "inner")


async def test_a_flow_has_ended_as_badly_as_any_job_inside_of_it(flows: Flows) -> None:
    await flows.add("outer")
    await flows.add("middle", parent="outer", root="outer")
    await flows.add("inner", parent="middle", root="outer")
    first = await flows.job("inner")
    goes = await flows.job("outer", "middle", policies={"discarded": "ignore"})
    last = await flows.job("outer", "middle")
    await flows.end(first, state=State.DISCARDED)
    assert await flows.states(goes, last) == ["available", "cancelled"]


async def test_a_retried_job_opens_its_flows_again_outwards(flows: Flows, engine: Engine) -> None:
    await flows.add("outer")
    await flows.add("inner", parent="outer")
    first = await flows.job("inner")
    await engine.cancel_jobs([first])
    assert not await flows.is_open("outer")
    await flows.check_counts("outer", "inner")
    await engine.retry_jobs([first])
    assert await flows.is_open("outer")
    assert await flows.is_open("inner")
    await flows.check_counts("outer", "inner")
    await flows.end(first)
    await flows.check_counts("outer", "inner")
    assert not await flows.is_open("outer")


async def test_ten_thousand_jobs_release_what_needs_all_of_them_once(flows: Flows) -> None:
    pass
