"""At most one producer leads the nodes of one name."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from staffa.engine import Engine, Producer
from tests.conformance.work import new_producer
from tests.support.events import eventually

LONG = 3600.0
SHORT = 0.05


async def test_the_first_candidate_leads_and_stays(engine: Engine, producer: Producer) -> None:
    other = new_producer("node.2")
    assert await engine.elect_leader(producer, lease=LONG)
    assert not await engine.elect_leader(other, lease=LONG)
    assert await engine.elect_leader(producer, lease=LONG)
    assert not await engine.elect_leader(other, lease=LONG)


async def test_one_of_many_candidates_at_once_leads(engine: Engine, other_engine: Engine) -> None:
    candidates = [new_producer(f"node.{number}") for number in range(8)]
    for _ in range(10):
        elected = await asyncio.gather(
            *(
                [engine, other_engine][number % 2].elect_leader(candidate, lease=LONG)
                for number, candidate in enumerate(candidates)
            )
        )
        assert elected.count(True) == 1
        assert await engine.resign_leader(candidates[elected.index(True)])


async def test_an_expired_leader_is_replaced(engine: Engine, producer: Producer) -> None:
    other = new_producer("node.2")
    assert await engine.elect_leader(producer, lease=SHORT)
    await eventually(lambda: engine.elect_leader(other, lease=LONG), "the lease to expire")
    assert not await engine.elect_leader(producer, lease=LONG)


async def test_a_leader_that_resigns_makes_room_at_once(engine: Engine, producer: Producer) -> None:
    other = new_producer("node.2")
    assert await engine.elect_leader(producer, lease=LONG)
    assert not await engine.resign_leader(other)
    assert not await engine.elect_leader(other, lease=LONG)
    assert await engine.resign_leader(producer)
    assert not await engine.resign_leader(producer)
    assert await engine.elect_leader(other, lease=LONG)


async def test_instances_of_another_name_have_a_leader_of_their_own(
    engine: Engine, producer: Producer
) -> None:
    other = replace(new_producer(), name="Other")
    assert await engine.elect_leader(producer, lease=LONG)
    assert await engine.elect_leader(other, lease=LONG)
