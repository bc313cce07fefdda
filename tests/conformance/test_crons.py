"""Entries of cron: they are registered, their ticks are taken once, each with its job."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from staffa.engine import Engine, Producer
from staffa.errors import DatabaseError, DataRefused
from staffa.jobs import Job
from staffa.unique import Unique
from tests.conformance.cron_entries import (
    DAY,
    DEAD_AFTER,
    GRACE,
    INSTANCE,
    MINUTE,
    new_entry,
    read,
    register,
    take,
)
from tests.conformance.stores import Store
from tests.conformance.work import new_producer


async def test_what_was_registered_is_read_with_the_clock(
    engine: Engine, store: Store, producer: Producer
) -> None:
    before = await store.now()
    await register(engine, producer, new_entry(), new_entry("other", expression="@reboot"))
    board = await engine.read_crons(INSTANCE, reader=None, dead_after=DEAD_AFTER)
    assert before <= board.read_at <= await store.now()
    assert [entry.name for entry in board.entries] == ["minutely", "other"]
    entry = board.entries[0]
    assert (entry.expression, entry.timezone, entry.dst) == ("* * * * *", "Europe/Berlin", "skip")
    assert (entry.worker, entry.args, entry.active) == ("tests.Worker", {"n": 2**70}, True)
    assert entry.options == {
        "queue": "mail", "priority": 3, "max_attempts": 5, "tags": ["a"], "meta": {"m": "é"},
    }  # fmt: skip
    assert before <= entry.last_tick == entry.last_tick <= board.read_at
    assert (entry.last_run, entry.last_job_id, entry.read_at) == (None, None, board.read_at)
    assert entry.next_run is not None
    assert board.read_at < entry.next_run <= board.read_at + MINUTE
    assert entry.due(GRACE) == [], "nothing of the past is due"


async def test_without_entries_the_clock_is_read_all_the_same(engine: Engine, store: Store) -> None:
    before = await store.now()
    board = await engine.read_crons("Nobody", reader=None, dead_after=DEAD_AFTER)
    assert board.entries == []
    assert before <= board.read_at <= await store.now()


async def test_a_tick_is_taken_once_and_its_job_tells_of_it(
    engine: Engine, other_engine: Engine, store: Store, producer: Producer
) -> None:
    await register(engine, producer, new_entry())
    tick = datetime(2040, 3, 1, 12, 30, tzinfo=UTC)
    job = await take(engine, tick)
    assert job is not None
    assert await take(engine, tick) is None
    assert await take(other_engine, tick) is None
    assert await take(other_engine, tick - MINUTE) is None
    row = await store.row(job.id)
    assert row["meta"] == {
        "m": "é", "cron": True, "cron_expr": "* * * * *", "cron_name": "minutely",
        "cron_tz": "Europe/Berlin", "cron_time": "2040-03-01T12:30:00Z",
    }  # fmt: skip
    assert (row["state"], row["queue"], row["priority"]) == ("available", "mail", 3)
    assert (row["worker"], row["args"], row["tags"]) == ("tests.Worker", {"n": 2**70}, ["a"])
    assert row["max_attempts"] == 5
    entry = await read(engine)
    assert (entry.last_run, entry.last_job_id) == (tick, job.id)
    assert sum((await engine.count_jobs()).values()) == 1


async def test_many_takers_at_once_make_one_job_for_each_tick(
    engine: Engine, other_engine: Engine, producer: Producer
) -> None:
    await register(engine, producer, *(new_entry(f"entry {number}") for number in range(3)))
    first = datetime(2040, 3, 1, 12, tzinfo=UTC)
    taken = await asyncio.gather(
        *(
            take([engine, other_engine][number % 2], first + minute * MINUTE, f"entry {number % 3}")
            for minute in range(5)
            for number in range(24)
        )
    )
    ticks = [(job.meta["cron_name"], job.meta["cron_time"]) for job in taken if job is not None]
    assert len(ticks) == len(set(ticks))
    assert {(name, max(time for of, time in ticks if of == name)) for name, _ in ticks} == {
        (f"entry {number}", "2040-03-01T12:04:00Z") for number in range(3)
    }
    assert sum((await engine.count_jobs()).values()) == len(ticks)


async def test_a_tick_whose_job_is_refused_is_not_taken(engine: Engine, producer: Producer) -> None:
    await register(engine, producer, new_entry())
    before = await read(engine)
    job = before.new_job()
    job.max_attempts = 10**6  # more than the column holds
    tick = datetime(2040, 3, 1, 12, tzinfo=UTC)
    with pytest.raises(DataRefused):
        await engine.enqueue_tick(INSTANCE, "minutely", tick, job)
    assert (await read(engine)).last_tick == before.last_tick
    assert await take(engine, tick) is not None


async def test_a_tick_of_a_unique_job_that_is_still_there_makes_no_other(
    engine: Engine, producer: Producer
) -> None:
    given = Job(
        worker="tests.Worker",
        unique=Unique(fields=["worker"], states="all", period=DAY),
        replace={"available": ["meta"]},
    )
    await register(engine, producer, new_entry(job=given))
    ticks = [datetime(2040, 3, 1, 12, minute, tzinfo=UTC) for minute in range(2)]
    first, second = [await take(engine, tick) for tick in ticks]
    assert first is not None
    assert second is not None
    assert (first.conflict, second.conflict, second.id) == (False, True, first.id)
    assert second.meta["cron_time"] == "2040-03-01T12:01:00Z"
    assert sum((await engine.count_jobs()).values()) == 1


async def test_a_tick_of_an_entry_that_is_not_there_makes_nothing(engine: Engine) -> None:
    job = Job(worker="tests.Worker")
    tick = datetime(2040, 3, 1, 12, tzinfo=UTC)
    assert await engine.enqueue_tick(INSTANCE, "nothing", tick, job) is None
    assert await engine.count_jobs() == {}


async def test_instances_have_entries_of_their_own(engine: Engine, producer: Producer) -> None:
    await register(engine, producer, new_entry())
    await register(engine, replace(new_producer(), name="Other"), new_entry())
    tick = datetime(2040, 3, 1, 12, tzinfo=UTC)
    job = Job(worker="tests.Worker")
    assert await engine.enqueue_tick(INSTANCE, "minutely", tick, job) is not None
    assert await engine.enqueue_tick("Other", "minutely", tick, job) is not None
    assert await engine.enqueue_tick("Other", "minutely", tick, job) is None


async def test_registering_again_keeps_the_last_tick_unless_the_times_change(
    engine: Engine, store: Store, producer: Producer
) -> None:
    await register(engine, producer, new_entry())
    past = await store.now() - timedelta(days=3)
    await store.write_cron("minutely", last_tick=past, registered_at=past, updated_at=past)
    await register(engine, new_producer(), new_entry())
    entry = await read(engine)
    assert (entry.last_tick, entry.registered_at, entry.updated_at) == (past, past, past)
    other = Job(worker="tests.Other")
    await register(engine, new_producer(), new_entry(job=other))
    entry = await read(engine)
    assert (entry.worker, entry.last_tick, entry.registered_at) == ("tests.Other", past, past)
    assert entry.updated_at > past
    await register(engine, new_producer(), new_entry(expression="*/2 * * * *"))
    entry = await read(engine)
    assert entry.expression == "*/2 * * * *"
    assert entry.last_tick > past, "what was not due by the old times is not due by the new ones"


async def test_an_entry_is_active_while_a_living_process_declares_it(
    engine: Engine, store: Store, producer: Producer
) -> None:
    other = new_producer("node.2")
    await register(engine, producer, new_entry(), new_entry("mine"))
    await register(engine, other, new_entry())
    await engine.remove_producer(producer)
    assert (await read(engine)).active
    assert not (await read(engine, "mine")).active
    assert (await read(engine, "mine")).next_run is None
    assert (await read(engine, "mine", producer)).active, "who reads it, lives"
    await store.write_producer(other.uuid, beat_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert not (await read(engine)).active
    await register(engine, other, new_entry())
    assert (await read(engine)).active


async def test_a_boot_is_the_first_declaration_while_no_living_process_declares_it(
    engine: Engine, store: Store, producer: Producer
) -> None:
    boot = new_entry("boot", expression="@reboot")
    await register(engine, producer, boot)
    entry = await read(engine, "boot")
    assert entry.due(GRACE) == [entry.booted_at]
    assert await take(engine, entry.booted_at, "boot") is not None
    assert (await read(engine, "boot")).due(GRACE) == []

    other = new_producer("node.2")
    await register(engine, other, boot)
    await register(engine, producer, boot)
    await engine.remove_producer(producer)
    await register(engine, new_producer("node.3"), boot)
    assert (await read(engine, "boot")).due(GRACE) == [], "there was always one that lived"


async def test_after_all_have_died_or_stopped_the_next_start_is_a_boot(
    engine: Engine, store: Store, producer: Producer
) -> None:
    boot = new_entry("boot", expression="@reboot")
    dead = new_producer("node.2")
    await register(engine, producer, boot)
    await register(engine, dead, boot)
    first = (await read(engine, "boot")).booted_at
    assert await take(engine, first, "boot") is not None
    await engine.remove_producer(producer)
    await store.write_producer(dead.uuid, beat_at=datetime(2020, 1, 1, tzinfo=UTC))
    await register(engine, new_producer("node.3"), boot)
    entry = await read(engine, "boot")
    assert entry.booted_at > first
    assert entry.due(GRACE) == [entry.booted_at]


async def test_a_boot_is_due_even_if_the_clock_was_put_back(
    engine: Engine, store: Store, producer: Producer
) -> None:
    boot = new_entry("boot", expression="@reboot")
    await register(engine, producer, boot)
    await engine.remove_producer(producer)
    ahead = await store.now() + timedelta(hours=1)
    await store.write_cron("boot", last_tick=ahead)
    await register(engine, new_producer(), boot)
    assert (await read(engine, "boot")).booted_at > ahead


async def test_many_that_start_together_make_one_boot(engine: Engine, other_engine: Engine) -> None:
    entries = [new_entry(f"boot {number}", expression="@reboot") for number in range(3)]
    for _ in range(8):
        nodes = [new_producer(f"node.{number}") for number in range(6)]
        boots: set[datetime] = set()

        async def start(number: int, node: Producer, boots: set[datetime]) -> None:
            where = [engine, other_engine][number % 2]
            await register(where, node, *entries[:: 1 - 2 * (number % 2)])
            boots.add((await read(where, "boot 1")).booted_at)

        await asyncio.gather(*(start(number, node, boots) for number, node in enumerate(nodes)))
        assert len(boots) == 1
        for node in nodes:
            await engine.remove_producer(node)


async def test_entries_that_nobody_has_declared_for_long_are_forgotten(
    engine: Engine, store: Store, producer: Producer
) -> None:
    gone = new_producer("node.2")
    await register(engine, producer, new_entry("declared"))
    await register(engine, gone, new_entry("old"), new_entry("young"))
    await engine.remove_producer(gone)
    old = await store.now() - timedelta(days=2)
    for name in ("declared", "old"):
        await store.write_cron(name, seen_at=old)
    for expected in (["old"], []):
        forgotten = await engine.tend_crons(INSTANCE, dead_after=DEAD_AFTER, forget_after=86_400.0)
        assert forgotten == expected
    await engine.remove_producer(producer)
    assert await engine.tend_crons(INSTANCE, dead_after=DEAD_AFTER, forget_after=86_400.0) == []
    left = await engine.read_crons(INSTANCE, reader=None, dead_after=DEAD_AFTER)
    assert {entry.name for entry in left.entries} == {"declared", "young"}


async def test_times_beyond_those_of_python_are_read(
    engine: Engine, store: Store, producer: Producer
) -> None:
    await register(engine, producer, new_entry())
    for time in (*store.past_times, *store.future_times):
        await store.write_cron("minutely", last_tick=time, booted_at=time)
        entry = await read(engine)
        past = time in store.past_times
        assert len(entry.due(GRACE)) == (2 if past else 0)
        assert (entry.missed(GRACE) is not None) is past


async def test_an_error_in_the_middle_leaves_the_connection_usable(
    engine: Engine, producer: Producer
) -> None:
    await register(engine, producer, new_entry())
    job = (await read(engine)).new_job()
    job.max_attempts = 10**6
    for _ in range(12):  # more than the pool has
        with pytest.raises(DatabaseError):
            await engine.enqueue_tick(INSTANCE, "minutely", datetime(2040, 1, 1, tzinfo=UTC), job)
    assert await take(engine, datetime(2040, 1, 1, tzinfo=UTC)) is not None
