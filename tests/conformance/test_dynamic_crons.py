"""Entries of cron that are made and changed at run time, beside what the configuration says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from staffa.cron.changes import ChangedCron, CronChange, HeldCron, change, spread
from staffa.engine import Engine, Producer
from staffa.errors import ConfigError
from staffa.jobs import Job
from tests.conformance.cron_entries import (
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

LONG = timedelta(days=1)


def setting(**values: Any) -> Callable[[HeldCron], CronChange]:
    """Return what sets some values of an entry."""

    def make(held: HeldCron) -> CronChange:
        return change(held, {**spread(held.entry.as_row()), **values}, GRACE)

    return make


async def insert(engine: Engine, name: str = "minutely", **changes: Any) -> bool:
    return await engine.insert_cron(INSTANCE, new_entry(name, **changes), dead_after=DEAD_AFTER)


async def set_(engine: Engine, name: str = "minutely", /, **values: Any) -> ChangedCron:
    done = await engine.change_cron(INSTANCE, name, setting(**values), dead_after=DEAD_AFTER)
    assert done is not None
    return done


async def delete(engine: Engine, name: str = "minutely") -> bool:
    return await engine.delete_cron(INSTANCE, name, dead_after=DEAD_AFTER)


async def names(engine: Engine) -> list[str]:
    board = await engine.read_crons(INSTANCE, reader=None, dead_after=DEAD_AFTER)
    return [entry.name for entry in board.entries]


async def test_an_entry_that_is_made_at_run_time_is_in_force_though_nobody_declares_it(
    engine: Engine,
) -> None:
    assert await insert(engine, guaranteed=True)
    entry = await read(engine)
    assert (entry.active, entry.dynamic, entry.guaranteed, entry.paused) == (
        True,
        True,
        True,
        False,
    )
    assert (entry.worker, entry.args, entry.options["queue"]) == (
        "tests.Worker", {"n": 2**70}, "mail",
    )  # fmt: skip
    assert entry.due(GRACE) == [], "nothing of the past is due"
    assert entry.next_run is not None
    tick = datetime(2040, 3, 1, 12, 30, tzinfo=UTC)
    job = await take(engine, tick)
    assert job is not None
    assert await take(engine, tick) is None
    assert ((await read(engine)).last_run, (await read(engine)).last_job_id) == (tick, job.id)


async def test_a_second_one_of_the_name_is_not_written(
    engine: Engine, other_engine: Engine, producer: Producer
) -> None:
    done = await asyncio.gather(
        *(
            insert(one, job=Job(worker=f"w{number}"))
            for number, one in enumerate([engine, other_engine] * 4)
        )
    )
    assert sorted(done) == [False] * 7 + [True]
    assert (await read(engine)).worker == f"w{done.index(True)}"
    await register(engine, producer, new_entry("configured"))
    assert not await insert(engine, "configured")
    assert not (await read(engine, "configured")).dynamic


async def test_changes_of_two_options_at_once_both_stay(
    engine: Engine, other_engine: Engine
) -> None:
    await insert(engine)
    for number in range(5):
        values = {"options.priority": number, "timezone": f"Etc/GMT+{number}", "meta.x": number}
        await asyncio.gather(
            *(
                set_(one, **{key: value})
                for one, (key, value) in zip(
                    [engine, other_engine, engine], values.items(), strict=True
                )
            )
        )
        assert values.items() <= spread((await read(engine)).as_row()).items()
    assert (await read(engine)).options["meta"] == {"m": "é", "x": 4}


async def test_a_change_that_is_refused_changes_nothing_and_leaves_the_row_free(
    engine: Engine,
) -> None:
    await insert(engine)

    def refuse(held: HeldCron) -> CronChange:
        raise ConfigError("no")

    for _ in range(12):  # more than the pool has
        with pytest.raises(ConfigError, match="no"):
            await engine.change_cron(INSTANCE, "minutely", refuse, dead_after=DEAD_AFTER)
    before = await read(engine)
    done = await set_(engine, dst="skip")
    assert (done.change.changed, done.taken) == (frozenset(), []), "it is so already"
    assert replace(await read(engine), read_at=before.read_at) == before
    nothing = await engine.change_cron(INSTANCE, "none", refuse, dead_after=DEAD_AFTER)
    assert nothing is None


async def test_a_paused_entry_gives_no_tick_and_one_that_is_resumed_later_ones_alone(
    engine: Engine, store: Store
) -> None:
    await insert(engine)
    past = await store.now() - timedelta(minutes=1)
    await store.write_cron("minutely", last_tick=past - MINUTE)
    stale = await read(engine)
    await set_(engine, paused=True)
    entry = await read(engine)
    assert (entry.paused, entry.next_run) == (True, None)
    assert await take(engine, stale.due(GRACE)[0]) is None, "a leader that has read it before"
    await set_(engine, paused=False)
    entry = await read(engine)
    assert entry.due(GRACE) == []
    assert entry.last_tick >= past
    assert entry.last_run is None, "to be resumed is no run"
    assert await take(engine, datetime(2040, 1, 1, tzinfo=UTC)) is not None


async def test_other_times_lose_no_tick_that_was_due_and_none_comes_twice(
    engine: Engine, other_engine: Engine, store: Store
) -> None:
    await insert(engine)
    await store.write_cron("minutely", last_tick=await store.now() - MINUTE)
    stale = (await read(engine)).due(GRACE)
    done = await asyncio.gather(
        set_(engine, expression="*/2 * * * *"),
        *(take(one, tick) for tick in stale for one in (engine, other_engine)),
    )
    changed = done[0]
    taken = [tick.tick for tick in changed.taken]
    others = [job for job in done[1:] if job is not None]
    jobs = await engine.count_jobs()
    assert sum(jobs.values()) == len(taken) + len(others) >= 1
    assert {job.meta["cron_expr"] for job in others} <= {"* * * * *"}
    entry = await read(engine)
    assert entry.expression == "*/2 * * * *"
    assert entry.last_tick >= max([*stale, changed.change.before.read_at])
    assert [await take(engine, tick) for tick in stale] == [None] * len(stale)


async def test_what_was_due_is_taken_right_before_the_times_change(
    engine: Engine, store: Store
) -> None:
    await insert(engine)
    await store.write_cron("minutely", last_tick=await store.now() - timedelta(seconds=70))
    due = (await read(engine)).due(GRACE)
    done = await set_(engine, **{"timezone": "UTC", "options.queue": "later"})
    assert [one.tick for one in done.taken][: len(due)] == due
    first = await store.row(done.taken[0].job.id)
    assert (first["queue"], first["meta"]["cron_tz"]) == ("mail", "Europe/Berlin")
    entry = await read(engine)
    assert entry.last_job_id == done.taken[-1].job.id
    assert entry.last_run == done.taken[-1].tick


async def test_a_row_that_makes_no_sense_can_be_mended(engine: Engine, store: Store) -> None:
    await insert(engine)
    past = await store.now() - timedelta(seconds=70)
    for columns in ({"expression": "61 * * * *"}, {"worker": ""}, {"timezone": "No/Where"}):
        await store.write_cron("minutely", last_tick=past, **columns)
        done = await set_(
            engine, expression="@daily", worker="tests.Worker", timezone="UTC", args={}
        )
        assert done.taken == []
        entry = await read(engine)
        assert (entry.expression, entry.worker, entry.timezone) == ("@daily", "tests.Worker", "UTC")


async def test_a_change_survives_registering_until_the_configuration_changes_that_option(
    engine: Engine, producer: Producer
) -> None:
    await register(engine, producer, new_entry())
    await set_(engine, **{"expression": "@hourly", "options.priority": 7, "paused": True})
    await register(engine, new_producer(), new_entry())
    entry = await read(engine)
    assert (entry.expression, entry.options["priority"], entry.paused) == ("@hourly", 7, True)

    urgent = Job(
        worker="tests.Worker", queue="mail", args={"n": 2**70}, tags=["a"], meta={"m": "é"},
        priority=1, max_attempts=5,
    )  # fmt: skip
    await register(engine, new_producer(), new_entry(job=urgent))
    entry = await read(engine)
    assert (entry.expression, entry.options["priority"], entry.paused) == ("@hourly", 1, True)
    await set_(engine, **{"options.priority": 8})
    await register(engine, new_producer(), new_entry(job=urgent, expression="@daily"))
    entry = await read(engine)
    assert (entry.expression, entry.options["priority"], entry.paused) == ("@daily", 8, True)
    await register(engine, new_producer(), new_entry(job=urgent, expression="@daily", paused=True))
    await set_(engine, paused=False)
    await register(engine, new_producer(), new_entry(job=urgent, expression="@daily", paused=True))
    assert not (await read(engine)).paused
    await register(engine, new_producer(), new_entry(job=urgent, expression="@daily"))
    await register(engine, new_producer(), new_entry(job=urgent, expression="@daily", paused=True))
    assert (await read(engine)).paused, "the configuration says so anew"


async def test_an_entry_made_at_run_time_becomes_the_configurations_when_it_names_it(
    engine: Engine, producer: Producer
) -> None:
    await insert(engine, expression="@hourly")
    await set_(engine, **{"options.scheduled_in": 5})
    await register(engine, producer, new_entry())
    entry = await read(engine)
    assert (entry.expression, entry.dynamic) == ("* * * * *", False)
    assert "scheduled_in" not in entry.options
    await engine.remove_producer(producer)
    assert not (await read(engine)).active


async def test_times_that_the_configuration_changes_lose_no_tick(
    engine: Engine, store: Store, producer: Producer
) -> None:
    await register(engine, producer, new_entry(), new_entry("other"))
    await store.write_cron("minutely", last_tick=await store.now() - timedelta(seconds=70))
    due = (await read(engine)).due(GRACE)
    done = await engine.register_crons(
        new_producer(), [new_entry(expression="@daily")], dead_after=DEAD_AFTER, grace=GRACE
    )
    assert [one.tick for one in done.taken][: len(due)] == due
    assert {one.cron for one in done.taken} == {"minutely"}
    assert (await read(engine)).due(LONG) == []


async def test_only_what_nobody_alive_declares_can_be_deleted(
    engine: Engine, producer: Producer
) -> None:
    await insert(engine, "made")
    await register(engine, producer, new_entry())
    assert await delete(engine, "made")
    assert not await delete(engine, "made")
    assert not await delete(engine)
    assert await names(engine) == ["minutely"]
    await engine.remove_producer(producer)
    assert await delete(engine)
    assert await names(engine) == []


async def test_syncing_deletes_what_the_configuration_lacks(
    engine: Engine, producer: Producer
) -> None:
    other, gone = new_producer("node.2"), new_producer("node.3")
    await register(engine, gone, new_entry("gone"), new_entry("mine"))
    await register(engine, other, new_entry("of another"))
    await engine.remove_producer(gone)
    await insert(engine, "made")
    stranger = replace(new_producer(), name="Other")
    await register(engine, stranger, new_entry("of another instance"))
    entries = [new_entry("mine")]
    done = await engine.register_crons(producer, entries, dead_after=DEAD_AFTER)
    assert done.deleted == []
    done = await engine.register_crons(producer, entries, dead_after=DEAD_AFTER, sync=True)
    assert sorted(done.deleted) == ["gone", "made"]
    assert await names(engine) == ["mine", "of another"]
    left = await engine.read_crons("Other", reader=None, dead_after=DEAD_AFTER)
    assert len(left.entries) == 1


async def test_nodes_that_sync_together_keep_what_each_declares(
    engine: Engine, other_engine: Engine
) -> None:
    for _ in range(5):
        nodes = [new_producer(f"node.{number}") for number in range(4)]

        async def start(number: int, node: Producer) -> None:
            where = [engine, other_engine][number % 2]
            heartbeat = where.heartbeat()
            await heartbeat.beat(node)
            await heartbeat.close()
            entries = [new_entry("of all"), new_entry(f"of {number}")]
            await where.register_crons(node, entries, dead_after=DEAD_AFTER, sync=True)

        await asyncio.gather(*(start(number, node) for number, node in enumerate(nodes)))
        assert await names(engine) == ["of 0", "of 1", "of 2", "of 3", "of all"]
        for node in nodes:
            await engine.remove_producer(node)


async def test_what_is_made_at_run_time_or_declared_is_never_forgotten(
    engine: Engine, store: Store, producer: Producer
) -> None:
    await insert(engine)
    await store.write_cron("minutely", seen_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert await engine.tend_crons(INSTANCE, dead_after=DEAD_AFTER, forget_after=0.0) == []
    await register(engine, producer, new_entry("declared"))
    assert await engine.tend_crons(INSTANCE, dead_after=DEAD_AFTER, forget_after=0.0) == []
    assert await names(engine) == ["declared", "minutely"]
    await engine.remove_producer(producer)
    forgotten = await engine.tend_crons(INSTANCE, dead_after=DEAD_AFTER, forget_after=0.0)
    assert forgotten == ["declared"]


async def test_a_reboot_that_is_made_at_run_time_waits_for_the_next_start(
    engine: Engine, producer: Producer
) -> None:
    await register(engine, producer)
    await insert(engine, "boot", expression="@reboot")
    assert (await read(engine, "boot")).due(GRACE) == []
    late = new_producer("node.2")
    await register(engine, late)
    assert (await read(engine, "boot")).due(GRACE) == [], "it only joins one that lives"
    for node in (producer, late):
        await engine.remove_producer(node)
    await register(engine, new_producer("node.3"))
    entry = await read(engine, "boot")
    assert entry.due(GRACE) == [entry.booted_at]
    assert await take(engine, entry.booted_at, "boot") is not None


async def test_columns_that_others_have_written_are_read_all_the_same(
    engine: Engine, store: Store, producer: Producer
) -> None:
    await register(engine, producer, new_entry())
    odd: tuple[Any, ...] = (5, [], "text", {"expression": ["no", "text"]})
    for told in odd:
        await store.write_cron("minutely", configured=told)
        done = await engine.register_crons(producer, [new_entry()], dead_after=DEAD_AFTER)
        assert done.taken == []
        assert (await read(engine)).expression == "* * * * *"
