"""Cron on real nodes and databases: ticks make one job each, whoever leads and whatever fails.

Entries come round every minute; a test puts their last tick back instead of waiting for the next.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

import pytest

from staffa import Cron, Staffa, current_job, job
from staffa._internal.clock import SYSTEM_CLOCK
from staffa.client.backend import make_migrator
from staffa.engine import Engine
from staffa.errors import ConfigError, UnknownOption
from tests.conftest import MakeClient
from tests.support.crons import LONG, MINUTE, Crons, Node, minutes_until, new_entry
from tests.support.events import Recorder, eventually
from tests.support.proxy import Proxy
from tests.support.rows import Rows


async def test_a_decorated_job_runs_when_its_time_comes(
    make_client: MakeClient, crons: Crons, events: Recorder
) -> None:
    seen: list[dict[str, Any]] = []

    @job(
        name="shop.report",
        queue="reports",
        cron=Cron("* * * * *", name="report", timezone="Europe/Berlin", args={"day": 5}),
    )
    async def report(day: int) -> None:
        seen.append({"day": day, **current_job().meta})

    app = make_client(queues={"reports": 5})
    async with app:
        await events.wait("staffa.leader.elected")
        await eventually(crons.names, "the entry to be registered")
        await crons.put_back(90)
        _wake(app)
        told = await events.wait("staffa.cron.inserted")
        await eventually(lambda: seen, "the job to run")
    meta = seen[0]
    assert meta.items() >= {
        "day": 5, "cron": True, "cron_expr": "* * * * *", "cron_name": "report",
        "cron_tz": "Europe/Berlin",
    }.items()  # fmt: skip
    assert datetime.fromisoformat(meta["cron_time"]).second == 0
    assert told[0].data["cron"] == "report"
    assert told[0].data["job"].worker == "shop.report"


async def test_encrypted_args_lie_encrypted_in_the_entry_and_the_job_reads_them(
    make_client: MakeClient, crons: Crons, rows: Rows, events: Recorder
) -> None:
    seen: list[str] = []

    @job(
        name="shop.pay",
        encrypted=True,
        cron=Cron("* * * * *", name="pay", args={"ssn": "078-05-1120"}),
    )
    async def pay(ssn: str) -> None:
        seen.append(ssn)

    app = make_client(queues={"default": 5}, encryption_keys={"2026": bytes(32)})
    async with app:
        await events.wait("staffa.leader.elected")
        await eventually(crons.names, "the entry to be registered")
        await crons.put_back(90)
        _wake(app)
        await eventually(lambda: seen, "the job to run")
    assert set(seen) == {"078-05-1120"}
    for table in (crons.table, rows.jobs):
        text = await rows.connection.fetchval(f"SELECT json_agg(entry)::text FROM {table} AS entry")
        assert "staffa_encrypted" in text
        assert "078-05" not in text


def _wake(app: Staffa) -> None:
    assert app._node is not None
    app._node._crontab.wake()


async def test_two_leaders_at_once_make_one_job_of_each_tick_of_each_entry(
    engines: list[Engine], crons: Crons
) -> None:
    entries = [new_entry(f"entry {number}") for number in range(10)]
    nodes = [Node(engine, entries) for engine in engines for _ in range(2)]
    for node in nodes:
        await node.start()
    expected: set[tuple[str, str]] = set()
    for _ in range(8):
        now = await crons.put_back(100)
        for minute in minutes_until(now, 100):
            expected.update((entry.name, minute) for entry in entries)
        taken = set(await crons.jobs())
        await asyncio.gather(*(node.crontab.tick() for node in nodes * 3))
        fired = await crons.jobs()
        new = Counter({key: count for key, count in fired.items() if key not in taken})
        assert set(new.values()) <= {1}, "put back, earlier ticks come again, but new ones once"
        assert set(fired) >= expected
    woken = sum(len(node.woken) for node in nodes)
    assert woken == sum((await crons.jobs()).values())


async def test_many_ticks_of_many_leaders_fire_the_exact_expected_set(
    engines: list[Engine], crons: Crons
) -> None:
    entries = [new_entry(f"entry {number}") for number in range(25)]
    nodes = [Node(engine, entries) for engine in engines for _ in range(4)]
    for node in nodes:
        await node.start()
    now = await crons.put_back(100)
    await asyncio.gather(*(node.crontab.tick() for node in nodes * 4))
    after = await crons.put_back(0)
    fired = await crons.jobs()
    assert set(fired.values()) == {1}
    for name in (entry.name for entry in entries):
        ticks = {tick for of, tick in fired if of == name}
        assert minutes_until(now, 100) <= ticks <= minutes_until(after, 220)


async def test_ticks_beyond_the_grace_are_skipped_and_told_once(
    engines: list[Engine], crons: Crons, events: Recorder
) -> None:
    node = Node(engines[0], [new_entry("minutely"), new_entry("yearly", "0 0 1 1 *")], grace=120)
    await node.start()
    await crons.put_back(600)
    for _ in range(3):
        await node.crontab.tick()
    ticks = [tick for name, tick in await crons.jobs() if name == "minutely"]
    assert len(ticks) in {2, 3}  # three where a minute begins meanwhile
    (skipped,) = events.of("staffa.cron.skipped")
    assert skipped.data["cron"] == "minutely"
    assert skipped.data["tick"] < datetime.fromisoformat(min(ticks))
    assert await crons.names() == {"minutely", "yearly"}


async def test_a_tick_whose_insert_fails_is_tried_again_and_the_others_go_on(
    engines: list[Engine], crons: Crons, rows: Rows, events: Recorder
) -> None:
    node = Node(engines[0], [new_entry("a", queue="refused"), new_entry("b", queue="mail")])
    await node.start()
    await rows.connection.execute(
        f"ALTER TABLE {rows.jobs} ADD CONSTRAINT refusal CHECK (queue <> 'refused')"
    )
    now = await crons.put_back(70)
    before = await crons.last_tick("a")
    await node.crontab.tick()
    assert node.crontab.interval <= 1.0, "soon again"
    assert await crons.last_tick("a") == before
    assert {name for name, _ in await crons.jobs()} == {"b"}
    (failed,) = events.of("staffa.cron.failed")
    assert (failed.data["cron"], "refusal" in str(failed.data["error"])) == ("a", True)
    await rows.connection.execute(f"ALTER TABLE {rows.jobs} DROP CONSTRAINT refusal")
    await node.crontab.tick()
    fired = await crons.jobs()
    assert set(fired.values()) == {1}
    assert {tick for name, tick in fired if name == "a"} >= minutes_until(now, 70)


async def test_rows_that_make_no_sense_stop_no_other_entry(
    engines: list[Engine], crons: Crons, make_client: MakeClient, events: Recorder
) -> None:
    broken: dict[str, dict[str, Any]] = {
        "a": {"expression": "61 * * * *"},
        "b": {"timezone": "No/Where"},
        "c": {"dst": "perhaps"},
        "d": {"options": '{"queue": ""}'},
        "e": {"options": '{"unheard": 1}'},
        "f": {"options": '{"meta": 5}'},
        "g": {"worker": ""},
        "h": {"expression": "\U0001f921" * 9000},
    }
    harmless: dict[str, dict[str, Any]] = {"x": {"options": "[]"}, "y": {"args": "5"}}
    names = [*broken, *harmless, "z"]
    node = Node(engines[0], [new_entry(name) for name in names])
    await node.start()
    for name, columns in {**broken, **harmless}.items():
        await crons.write(name, **columns)
    await crons.put_back(70)
    await node.crontab.tick()
    assert {name for name, _ in await crons.jobs()} == {*harmless, "z"}
    assert {event.data["cron"] for event in events.of("staffa.cron.failed")} == set(broken)
    client = make_client(name="Staffa", dead_after=LONG)  # the node's heart has beaten but once
    listed = {entry.name: entry.next_run for entry in await client.list_crons()}
    assert listed["a"] is None
    assert listed["z"] is not None


async def test_an_entry_runs_though_the_leader_has_not_imported_it(
    engines: list[Engine], crons: Crons
) -> None:
    leader = Node(engines[0], [])
    other = Node(engines[1], [new_entry("of the other")], leading=False)
    await leader.start()
    await other.start()
    await crons.put_back(70)
    await other.crontab.tick()
    assert await crons.jobs() == Counter()
    await leader.crontab.tick()
    assert {name for name, _ in await crons.jobs()} == {"of the other"}
    await other.engine.remove_producer(other.producer)
    await crons.put_back(70)
    before = await crons.jobs()
    await leader.crontab.tick()
    assert await crons.jobs() == before, "nobody declares it any more"


async def test_who_is_elected_after_a_tick_takes_it_still(
    make_client: MakeClient, crons: Crons, rows: Rows, events: Recorder
) -> None:
    await rows.connection.execute(
        f"INSERT INTO {rows.leaders} SELECT 'shop', 'dead', gen_random_uuid(), now(), 'infinity'"
    )
    app = make_client(
        name="shop", cron=[Cron("* * * * *", worker="a.b", name="minutely")], queues={"other": 1}
    )
    async with app:
        await eventually(crons.names, "the entry to be registered")
        now = await crons.put_back(70)
        _wake(app)
        await rows.connection.execute(
            f"UPDATE {rows.leaders} SET expires_at = timezone('UTC', clock_timestamp())"
        )
        await events.wait("staffa.leader.elected")
        await crons.until_fired(minutes_until(now, 70))
    assert set((await crons.jobs()).values()) == {1}


class WrongClock:
    """A machine whose clock is an hour ahead."""

    def now(self) -> datetime:
        return SYSTEM_CLOCK.now() + timedelta(hours=1)

    def monotonic(self) -> float:
        return SYSTEM_CLOCK.monotonic() + 1e9


async def test_the_clock_of_the_machine_does_not_matter(
    make_client: MakeClient, crons: Crons, events: Recorder
) -> None:
    app = make_client(
        cron=[Cron("* * * * *", worker="a.b", name="minutely")], queues={"o": 1}, clock=WrongClock()
    )
    async with app:
        await events.wait("staffa.leader.elected")
        await eventually(crons.names, "the entry to be registered")
        now = await crons.put_back(70)
        _wake(app)
        told = await events.wait("staffa.cron.inserted")
    assert now - timedelta(seconds=70) < told[0].data["tick"] <= now + MINUTE


async def test_the_leader_sleeps_until_the_database_begins_a_minute(engines: list[Engine]) -> None:
    node = Node(engines[0], [])
    board = await engines[0].read_crons("Staffa", reader=None, dead_after=1)
    await node.start()
    await node.crontab.tick()
    later = await engines[0].read_crons("Staffa", reader=None, dead_after=1)
    woken_by = later.read_at + timedelta(seconds=node.crontab.interval)
    minute = (board.read_at + MINUTE).replace(second=0, microsecond=0)
    assert minute <= woken_by <= later.read_at + MINUTE + timedelta(seconds=1)
    assert woken_by <= minute + MINUTE + (later.read_at - board.read_at)


@pytest.mark.parametrize("piece", ["SET last_tick = timezone", "SET last_job_id"])
async def test_a_lost_reply_makes_no_second_job_and_loses_none(
    piece: str,
    make_client: MakeClient,
    proxy: Proxy,
    crons: Crons,
    events: Recorder,
) -> None:
    app = make_client(
        dsn=proxy.dsn, cron=[Cron("* * * * *", worker="a.b", name="minutely")], queues={"other": 1}
    )
    async with app:
        await events.wait("staffa.leader.elected")
        await eventually(crons.names, "the entry to be registered")
        proxy.lose_reply(piece)
        now = await crons.put_back(70)
        _wake(app)
        await proxy.caught()
        await crons.until_fired(minutes_until(now, 70))
    assert set((await crons.jobs()).values()) == {1}


async def test_a_boot_runs_once_at_each_start_of_the_instance(
    make_client: MakeClient, crons: Crons, events: Recorder
) -> None:
    app = make_client(cron=[Cron("@reboot", worker="a.b", name="warm up")], queues={"other": 1})
    for start in (1, 2):
        async with app:
            await events.wait("staffa.cron.inserted", start)
            rounds = len(events.of("staffa.service.crontab.stop"))
            _wake(app)
            await events.wait("staffa.service.crontab.stop", rounds + 1)
        assert len(events.of("staffa.cron.inserted")) == start
    assert set((await crons.jobs()).values()) == {1}


async def test_two_entries_of_one_name_keep_a_node_from_starting(make_client: MakeClient) -> None:
    twice = [Cron("@daily", worker="a.b", name="same"), Cron("@hourly", worker="c.d", name="same")]
    app = make_client(cron=twice, queues={"default": 1})
    with pytest.raises(ConfigError, match=r"'same': '@daily' of a.b and '@hourly' of c.d"):
        await app.start()
    assert not app.started


async def test_cron_that_is_off_registers_and_runs_nothing(
    make_client: MakeClient, crons: Crons, events: Recorder
) -> None:
    @job(cron="* * * * *", name="shop.off")
    async def off() -> None: ...

    async with make_client(cron=False, queues={"default": 1}):
        await events.wait("staffa.leader.elected")
        await events.wait("staffa.service.lifeline.stop", 2)
    assert await crons.names() == set()


@pytest.mark.parametrize("name", ["crons", "dynamic_crons"])
async def test_an_outdated_schema_stops_nothing_but_cron(
    name: str, dsn: str, prefix: str, make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    @job(cron="* * * * *", name="shop.early")
    async def early() -> None: ...

    migrator = make_migrator(dsn, prefix)
    before = list(takewhile(lambda step: step.name != name, migrator.migrations))
    await migrator.down(before[-1].version)
    async with make_client(queues={"default": 1}) as app:
        await events.until(
            lambda: any("migrated" in event.data["what"] for event in events.of("staffa.error")),
            "the warning",
        )
        stored = await app.enqueue(early.new())
        await rows.until(stored.id, "completed")


async def test_a_client_lists_entries_with_their_runs_and_runs_one_now(
    make_client: MakeClient, crons: Crons, rows: Rows, events: Recorder
) -> None:
    entry = Cron("0 3 * * *", worker="a.b", name="nightly", args={"x": 1}, queue="night")
    app = make_client(name="shop", cron=[entry], queues={"other": 1})
    async with app:
        await eventually(crons.names, "the entry to be registered")
        (listed,) = await app.list_crons()
        assert (listed.name, listed.worker, listed.args) == ("nightly", "a.b", {"x": 1})
        assert (listed.active, listed.last_run, listed.last_job_id) == (True, None, None)
        assert listed.next_run is not None
        assert (listed.next_run.hour, listed.next_run.minute) == (3, 0)
        stored = await app.run_cron("nightly")
        row = await rows.get(stored.id)
        assert (row["queue"], row["args"], row["worker"]) == ("night", {"x": 1}, "a.b")
        assert row["meta"] == {
            "cron": True, "cron_expr": "0 3 * * *", "cron_name": "nightly", "cron_tz": "UTC",
        }  # fmt: skip
        assert (await app.list_crons())[0].last_run is None, "that was no tick"
        with pytest.raises(UnknownOption, match="did you mean 'nightly'"):
            await app.run_cron("nightli")
    (listed,) = await app.list_crons()
    assert (listed.active, listed.next_run) == (False, None)
