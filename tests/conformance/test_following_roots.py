"""What follows under the roots of flows: one after the other, and never held up by others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from staffa.engine import Engine
from staffa.types import State
from tests.conformance.graphs import Flows
from tests.conformance.stores import Store
from tests.conformance.work import QUEUE


async def end_at_once(
    flows: Flows, pairs: Sequence[tuple[int, int]], engine: Engine, other: Engine
) -> int:
    """End the jobs of each pair at the same time; return how many jobs that has woken."""
    claimed = await flows.claim(*(job for pair in pairs for job in pair))
    woken = 0
    for place in range(0, len(claimed), 2):
        left, right = claimed[place : place + 2]
        ends = await asyncio.gather(flows.ack(left, engine=engine), flows.ack(right, engine=other))
        woken += sum(end.followed.woken.get(QUEUE, 0) for end in ends)
    return woken


async def test_two_dependencies_that_end_at_once_release_their_step_once(
    flows: Flows, engine: Engine, other_engine: Engine
) -> None:
    await flows.add("w")
    pairs = []
    for _ in range(10):
        left, right = await flows.job("w"), await flows.job("w")
        pairs.append((left, right, await flows.job("w", left, right)))
    ends = [(left, right) for left, right, _ in pairs]
    assert await end_at_once(flows, ends, engine, other_engine) == len(pairs)
    assert set(await flows.states(*(last for _, _, last in pairs))) == {"available"}
    await flows.check_counts("w")


async def test_a_step_of_two_roots_is_released_once_though_they_end_at_once(
    flows: Flows, engine: Engine, other_engine: Engine
) -> None:
    for name in ("a", "b", "c"):
        await flows.add(name)
    triples = []
    for _ in range(10):
        left, right = await flows.job("a"), await flows.job("b")
        triples.append((left, right, await flows.job("c", left, right)))
    ends = [(left, right) for left, right, _ in triples]
    assert await end_at_once(flows, ends, engine, other_engine) == len(triples)
    await flows.check_counts("a", "b", "c")


@pytest.mark.parametrize("named", [True, False])
async def test_a_root_that_is_held_leaves_its_jobs_out_and_others_not(
    flows: Flows, engine: Engine, store: Store, named: bool
) -> None:
    if not engine.capabilities.holds_rows:
        pytest.skip("a file has one writer")
    for name in ("w", "v"):
        await flows.add(name)
    held, free = await flows.claim(await flows.job("w"), await flows.job("v"))
    async with store.holding("w"):
        found = await flows.ack(held, free, wait=False, named=named)
        assert found.states == {free.id: State.COMPLETED}
        assert found.left == {held.id}
    assert (await flows.ack(held, free, wait=False)).states == {held.id: State.COMPLETED}
    await flows.check_counts("w", "v")


async def test_whoever_needs_a_root_that_is_held_waits_for_it_in_turn(
    flows: Flows, engine: Engine, other_engine: Engine, store: Store
) -> None:
    if not engine.capabilities.holds_rows:
        pytest.skip("a file has one writer")
    await flows.add("w")
    first, second = await flows.job("w"), await flows.job("w")
    (claimed,) = await flows.claim(first)
    async with store.holding("w"):
        cancelling = asyncio.create_task(engine.cancel_jobs([second]))
        ending = asyncio.create_task(flows.ack(claimed, engine=other_engine))
        await asyncio.wait([cancelling, ending], timeout=0.05)
    assert [job.id for job in await cancelling] == [second]
    assert (await ending).states == {first: State.COMPLETED}
    await flows.check_counts("w")


async def test_an_outcome_that_leads_to_a_root_that_is_held_is_left_out_and_others_not(
    flows: Flows, engine: Engine, store: Store
) -> None:
    if not engine.capabilities.holds_rows:
        pytest.skip("a file has one writer")
    await flows.add("c", "chain")
    for name in ("w", "v"):
        await flows.add(name)
    first = await flows.job("w", chain="c")
    second = await flows.job("v", first, chain="c")
    others = [await flows.job("w") for _ in range(4)]
    claimed = await flows.claim(others[0], first, *others[1:])
    async with store.holding("v"):
        found = await flows.ack(*claimed, wait=False)
        assert set(found.states) == set(others)
        assert found.left == {first}
        assert await flows.states(first, second) == ["executing", "suspended"]
    assert (await flows.ack(*claimed, wait=False)).followed.woken == {QUEUE: 1}
    assert await flows.states(first, second) == ["completed", "available"]
    await flows.check_counts("w", "v", "c")
