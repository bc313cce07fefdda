"""What is set about queues at run time: who hears of it, in which order, for how long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from staffa.engine import (
    EVERYBODY,
    Control,
    Engine,
    Heartbeat,
    Producer,
    node_scope,
    process_scope,
)
from tests.conformance.work import QUEUE, new_producer

NAME = "Staffa"


@pytest.fixture
async def heart(engine: Engine) -> AsyncIterator[Heartbeat]:
    """A heartbeat."""
    made = engine.heartbeat()
    yield made
    await made.close()


async def put(engine: Engine, value: Any, name: str = NAME, **fields: Any) -> Control:
    """Set one option, of everybody's queue unless told otherwise."""
    wanted = {"queue": QUEUE, "scope": EVERYBODY, "option": "paused", **fields}
    (written,) = await engine.control_queues(name, [Control(value=value, **wanted)])
    return written


async def news(heart: Heartbeat, producer: Producer, known: int | None) -> list[Control]:
    pulse = await heart.beat(producer, known)
    return sorted(pulse.controls, key=lambda control: control.version)


async def test_a_change_is_told_once_with_the_version_that_it_got(
    engine: Engine, heart: Heartbeat, producer: Producer
) -> None:
    begun = await heart.beat(producer)
    assert (list(begun.controls), begun.version) == ([], 0)
    written = await put(engine, True)
    assert written == Control(QUEUE, EVERYBODY, "paused", True, written.version)
    pulse = await heart.beat(producer, begun.version)
    assert (list(pulse.controls), pulse.version) == ([written], written.version)
    assert await news(heart, producer, pulse.version) == []


async def test_versions_rise_in_the_order_given_and_from_call_to_call(engine: Engine) -> None:
    wanted = [
        Control("b", EVERYBODY, "running", True),
        Control("a", node_scope("x"), "limit", 5),
        Control("*", EVERYBODY, "paused", False),
    ]
    first = await engine.control_queues(NAME, wanted)
    second = await engine.control_queues(NAME, list(reversed(wanted)))
    versions = {(one.queue, one.option): one.version for one in first}
    assert versions["b", "running"] < versions["a", "limit"] < versions["*", "paused"]
    again = {(one.queue, one.option): one.version for one in second}
    assert versions["*", "paused"] < again["*", "paused"] < again["a", "limit"]
    assert await engine.control_queues(NAME, []) == []


@pytest.mark.parametrize("value", [True, False, 5, 10**12])
async def test_values_come_back_as_they_were(
    engine: Engine, heart: Heartbeat, producer: Producer, value: Any
) -> None:
    await put(engine, value, queue='q "u" ü', scope=node_scope(producer.node))
    (found,) = await news(heart, producer, 0)
    assert (found.queue, found.value) == ('q "u" ü', value)
    assert type(found.value) is type(value)


async def test_each_process_hears_what_is_meant_for_it(engine: Engine, heart: Heartbeat) -> None:
    one, other = new_producer("node.1"), new_producer("node.2")
    everybody = await put(engine, 1, option="limit")
    node = await put(engine, 2, option="limit", scope=node_scope("node.1"))
    process = await put(engine, 3, option="limit", scope=process_scope(other))
    await put(engine, 4, option="limit", name="another instance")
    assert await news(heart, one, 0) == [everybody, node]
    assert await news(heart, other, 0) == [everybody, process]


async def test_a_process_that_begins_hears_of_pauses_of_whole_queues_alone(
    engine: Engine, heart: Heartbeat, producer: Producer
) -> None:
    pause = await put(engine, True)
    resume = await put(engine, False, queue="*")
    await put(engine, True, scope=node_scope(producer.node))
    await put(engine, 7, option="limit")
    await put(engine, False, option="running")
    last = await put(engine, True, option="running", queue="another")
    pulse = await heart.beat(producer)
    assert sorted(pulse.controls, key=lambda control: control.version) == [pause, resume]
    assert pulse.version == last.version
    assert await news(heart, producer, pulse.version) == []


async def test_changes_at_the_same_time_are_all_heard_of_by_somebody_who_beats_meanwhile(
    engine: Engine, other_engine: Engine, heart: Heartbeat, producer: Producer
) -> None:
    known = (await heart.beat(producer)).version
    heard: list[Control] = []
    done = asyncio.Event()

    async def listen() -> None:
        nonlocal known
        while True:
            ending = done.is_set()
            pulse = await heart.beat(producer, known)
            heard.extend(pulse.controls)
            known = max(known, pulse.version)
            if ending:
                return

    async def change(changing: Engine, first: int) -> None:
        for number in range(first, first + 50):
            await put(changing, number + 1, queue=f"queue {number}", option="limit")

    listening = asyncio.create_task(listen())
    await asyncio.gather(
        change(engine, 0), change(other_engine, 50), change(engine, 100), change(other_engine, 150)
    )
    done.set()
    await listening
    assert {one.queue for one in heard} == {f"queue {number}" for number in range(200)}
    assert len({one.version for one in heard}) == 200


async def test_changes_of_one_option_at_the_same_time_leave_the_one_with_the_highest_version(
    engine: Engine, other_engine: Engine, heart: Heartbeat, producer: Producer
) -> None:
    written = await asyncio.gather(
        *(put([engine, other_engine][n % 2], n + 1, option="limit") for n in range(40))
    )
    last = max(written, key=lambda control: control.version)
    assert await news(heart, producer, 0) == [last]


async def test_what_is_covered_by_a_later_change_is_forgotten(
    engine: Engine, heart: Heartbeat, producer: Producer
) -> None:
    await heart.beat(producer)
    await put(engine, True, scope=node_scope(producer.node))
    await put(engine, True, scope=process_scope(producer))
    await put(engine, 4, option="limit", scope=node_scope(producer.node))
    await put(engine, True)
    assert await engine.forget_controls(age=3600) == 0
    assert await engine.forget_controls(age=0) == 2
    pause_of_all = await put(engine, True, queue="*")
    assert await engine.forget_controls(age=0) == 1
    limit, pause = await news(heart, producer, 0)
    assert (limit.value, pause) == (4, pause_of_all)


async def test_what_no_living_process_obeys_is_forgotten_but_not_a_pause(
    engine: Engine, heart: Heartbeat
) -> None:
    old = new_producer()
    await heart.beat(old)
    pause = await put(engine, True)
    await put(engine, 5, option="limit")
    await put(engine, 6, option="limit", queue="other", scope=process_scope(old))
    await put(engine, False, queue="third")
    assert await engine.forget_controls(age=0) == 0
    await engine.remove_producer(old)
    assert await engine.forget_controls(age=0) == 3
    assert list((await heart.beat(new_producer())).controls) == [pause]


async def test_what_lifts_a_pause_of_all_queues_is_kept_as_long_as_that(engine: Engine) -> None:
    await put(engine, True, queue="*")
    await put(engine, False)
    assert await engine.forget_controls(age=0) == 0
    await put(engine, False, queue="*")
    assert await engine.forget_controls(age=0) == 2
