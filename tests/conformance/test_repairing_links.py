"""Ends of jobs that other clients have written are found, and counts are put right."""

from __future__ import annotations

from datetime import timedelta

import pytest

from staffa.engine import Engine, Producer
from staffa.linking import Repairs
from staffa.types import State
from tests.conformance.graphs import Flows
from tests.conformance.stores import Store
from tests.conformance.test_rescue import beat
from tests.conformance.work import QUEUE


async def sweep(flows: Flows) -> Repairs:
    """Sweep, a minute after the last time."""
    await flows.store.age_flows(await flows.store.now() - timedelta(minutes=5))
    return await flows.engine.repair_links(limit=100)


def told(repairs: Repairs) -> tuple[int, int, int]:
    """Return the numbers of what was found."""
    return repairs.foreign, repairs.own, repairs.recounted


@pytest.mark.parametrize(
    ("end", "expected"),
    [("completed", "available"), ("cancelled", "cancelled"), ("discarded", "cancelled")],
)
async def test_an_end_by_another_client_is_followed(
    flows: Flows, store: Store, end: str, expected: str
) -> None:
    await flows.add("w")
    first = await flows.job("w")
    second = await flows.job("w", first)
    third = await flows.job("w", second)
    await store.write(first, state=end, attempt=1, attempted_by=["peer", "its-uuid"])
    found = await sweep(flows)
    assert told(found) == (1, 0, 1)
    assert await flows.states(second) == [expected]
    if expected == "available":
        assert (found.followed.woken, found.followed.cancelled) == ({QUEUE: 1}, ())
    else:
        assert (found.followed.woken, found.followed.cancelled) == ({}, (second, third))
        assert found.followed.ended == ("w",)
    await flows.check_counts("w")
    assert told(await sweep(flows)) == (0, 0, 0)


async def test_a_deletion_by_another_client_is_followed(flows: Flows, store: Store) -> None:
    await flows.add("w")
    first = await flows.job("w")
    second = await flows.job("w", first, policies={"deleted": "ignore"})
    await store.delete(first)
    assert told(await sweep(flows)) == (1, 0, 1)
    assert await flows.states(second) == ["available"]
    assert (await flows.flow("w"))["deleted"] == 1
    await flows.check_counts("w")


async def test_an_end_that_one_of_ours_has_not_followed_is_told_apart(
    flows: Flows, store: Store, engine: Engine, producer: Producer
) -> None:
    await beat(engine, producer)
    await flows.add("w")
    first = await flows.job("w")
    await flows.job("w", first)
    (claimed,) = await flows.claim(first)
    await engine.ack_jobs([flows.outcome(claimed)], producer)
    assert told(await sweep(flows)) == (0, 1, 1)
    await flows.check_counts("w")


async def test_a_step_that_holds_is_left_waiting(flows: Flows) -> None:
    await flows.add("w")
    first = await flows.job("w")
    second = await flows.job("w", first, policies={"discarded": "hold"})
    await flows.end(first, state=State.DISCARDED)
    assert told(await sweep(flows)) == (0, 0, 0)
    assert await flows.states(second) == ["suspended"]


async def test_a_flow_whose_jobs_have_all_ended_ends_outwards(flows: Flows, store: Store) -> None:
    await flows.add("outer")
    await flows.add("inner", parent="outer")
    last = await flows.job("outer", "inner")
    first = await flows.job("inner")
    await store.write(first, state="completed", attempt=1, attempted_by=["peer", "its-uuid"])
    found = await sweep(flows)
    assert (told(found), found.followed.ended) == ((0, 0, 1), ("inner",))
    assert await flows.states(last) == ["available"]
    await flows.check_counts("outer", "inner")


async def test_a_flow_is_looked_at_once_a_minute_at_most(flows: Flows, store: Store) -> None:
    await flows.add("w")
    first = await flows.job("w")
    second = await flows.job("w", first)
    assert told(await sweep(flows)) == (0, 0, 0)
    await store.write(first, state="completed", attempt=1)
    assert told(await flows.engine.repair_links(limit=100)) == (0, 0, 0)
    assert await flows.states(second) == ["suspended"]


async def test_ends_that_are_under_way_are_no_differences(flows: Flows) -> None:
    await flows.add("w")
    numbers = [await flows.job("w") for _ in range(3)]
    await flows.job("w", *numbers)
    await flows.claim(*numbers)
    assert told(await sweep(flows)) == (0, 0, 0)
