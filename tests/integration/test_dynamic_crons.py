"""Entries of cron at run time: whoever leads, whatever restarts, whoever else changes something."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from staffa import Cron, Staffa, current_job, instance, job
from staffa.cron.changes import change, spread
from staffa.cron.stored import StoredCron
from staffa.engine import Engine
from staffa.errors import ConfigError, InvalidJob, UnknownOption
from staffa.testing import VirtualClock
from staffa.testing.targets import open_engine
from tests.conftest import MakeClient
from tests.support.clocks import SteppedClock
from tests.support.crons import Crons, Node, minutes_until, new_entry
from tests.support.events import Recorder, eventually
from tests.support.files import make_file
from tests.support.rows import Rows

NIGHTLY: dict[str, Any] = {"name": "nightly", "worker": "a.b"}


@pytest.fixture(params=["postgres", "sqlite"])
async def place(request: pytest.FixtureRequest, prefix: str, tmp_path: Path) -> dict[str, Any]:
    """Where the clients of a test work together."""
    if request.param == "sqlite":
        await make_file(tmp_path / "jobs.db")
        return {"dsn": f"sqlite:///{tmp_path / 'jobs.db'}", "prefix": "public"}
    return {"prefix": prefix}


@pytest.fixture
def sender(place: dict[str, Any], make_client: MakeClient) -> Staffa:
    """A client that runs no queues, in a process of its own as far as it knows."""
    return make_twin(make_client, place)


def make_twin(make_client: MakeClient, place: dict[str, Any]) -> Staffa:
    """Return a client of the instance, though there may be others of that name."""
    with instance.replaced():
        return make_client(name="shop", **place)


@asynccontextmanager
async def running(
    make_client: MakeClient, place: dict[str, Any], events: Recorder, *crons: Cron, **options: Any
) -> AsyncIterator[Staffa]:
    """Run a node of the instance, once it has registered its entries."""
    known = len(events.of("staffa.engine.register_crons.stop"))
    async with make_client(name="shop", queues={"o": 1}, cron=crons, **place, **options) as app:
        await events.wait("staffa.engine.register_crons.stop", known + 1)
        yield app


async def only(app: Staffa) -> StoredCron:
    (found,) = await app.list_crons()
    return found


async def test_an_entry_is_made_changed_and_deleted_and_events_tell_of_it(
    sender: Staffa, events: Recorder
) -> None:
    made = await sender.insert_cron(
        Cron(
            "0 9 * * MON", worker="a.b", name="mondays", args={"x": 1}, timezone="Europe/Berlin",
            dst="skip", guaranteed=True, queue="mail", priority=3, max_attempts=5, tags=["a"],
            meta={"m": 1}, scheduled_in=5, timeout=9, deadline=60, recorded=True,
            unique={"period": 60}, replace={"scheduled": ["args"]},
        )
    )  # fmt: skip
    assert (made.name, made.expression, made.timezone) == (
        "mondays",
        "0 9 * * MON",
        "Europe/Berlin",
    )
    assert (made.guaranteed, made.dynamic, made.active) == (True, True, True)
    job = made.new_job()
    assert (job.queue, job.priority, job.tags, job.scheduled_in) == ("mail", 3, ("a",), 5)
    assert job.unique is not None
    assert job.meta.items() >= {"m": 1, "staffa_timeout": 9, "recorded": True}.items()
    found = await sender.get_cron("mondays")
    assert found is not None
    assert replace(found, read_at=made.read_at) == made

    changed = await sender.update_cron("mondays", expression="@daily", meta={}, priority=0)
    assert (changed.expression, changed.options["priority"]) == ("@daily", 0)
    assert "m" not in changed.options["meta"]
    assert await sender.update_cron("mondays", priority=0) is not None

    await sender.pause_cron("mondays")
    await sender.pause_cron("mondays")
    assert (await only(sender)).paused
    ran = await sender.run_cron("mondays")
    assert ran.meta["cron_name"] == "mondays"
    assert "cron_time" not in ran.meta
    await sender.resume_cron("mondays")
    await sender.resume_cron("mondays")
    assert not (await only(sender)).paused
    await sender.delete_cron("mondays")
    assert await sender.list_crons() == []
    assert await sender.get_cron("mondays") is None

    told = [event for event in events.events if event.name.startswith("staffa.cron.")]
    assert [event.name.rpartition(".")[2] for event in told] == [
        "added", "updated", "paused", "run", "resumed", "deleted",
    ]  # fmt: skip
    assert {(event.data["cron"], event.instance) for event in told} == {("mondays", "shop")}
    assert told[1].data["options"] == ("expression", "meta", "priority")
    assert told[3].data["job"].id == ran.id


async def test_what_can_not_be_is_refused_before_anything_is_written(sender: Staffa) -> None:
    @job(name="shop.needs", queue="reports", priority=4)
    def needs(day: int) -> None: ...

    with pytest.raises(InvalidJob, match="day"):
        await sender.insert_cron(Cron("@daily", worker=needs, name="lacks"))
    assert await sender.list_crons() == []
    made = await sender.insert_cron(Cron("@daily", worker=needs, args={"day": 1}))
    assert made.name.startswith("shop.needs-")
    assert (made.options["queue"], made.options["priority"]) == ("reports", 4)
    with pytest.raises(ConfigError, match=r"there is a cron entry .* already: change it"):
        await sender.insert_cron(Cron("@daily", worker=needs, args={"day": 1}))
    with pytest.raises(InvalidJob, match="day"):
        await sender.update_cron(made.name, args={"month": 1}, queue="other")
    with pytest.raises(ConfigError, match="hour '24'"):
        await sender.update_cron(made.name, queue="other", expression="0 24 * * *")
    assert (await only(sender)).options == made.options
    for wanted in (
        sender.update_cron("shop.needz", queue="q"), sender.pause_cron("x"),
        sender.resume_cron("x"), sender.delete_cron("x"), sender.run_cron("x"),
    ):  # fmt: skip
        with pytest.raises(UnknownOption, match="unknown cron entry"):
            await wanted


async def test_two_clients_that_change_two_options_at_once_both_have_their_way(
    place: dict[str, Any], make_client: MakeClient
) -> None:
    clients = [make_twin(make_client, place) for _ in range(2)]
    await clients[0].insert_cron(Cron("@daily", **NIGHTLY))
    for number in range(1, 6):
        await asyncio.gather(
            clients[0].update_cron("nightly", expression=f"{number} 3 * * *"),
            clients[1].update_cron("nightly", priority=number),
            clients[0].update_cron("nightly", timeout=number),
            clients[1].update_cron("nightly", args={"n": number}),
        )
        found = await only(clients[0])
        assert found.expression == f"{number} 3 * * *"
        assert (found.options["priority"], found.args) == (number, {"n": number})
        assert found.options["meta"]["staffa_timeout"] == number


async def test_what_is_changed_at_run_time_survives_until_the_configuration_changes_it(
    place: dict[str, Any], make_client: MakeClient, events: Recorder, sender: Staffa
) -> None:
    entry = {**NIGHTLY, "queue": "night"}
    async with running(make_client, place, events, Cron("0 3 * * *", **entry)):
        await sender.update_cron("nightly", expression="0 4 * * *", priority=7)
        await sender.pause_cron("nightly")
        await sender.insert_cron(Cron("@hourly", worker="a.b", name="made"))
        await sender.pause_cron("made")

    async with running(make_client, place, events, Cron("0 3 * * *", **entry)) as app:
        made, nightly = await app.list_crons()
        assert (made.name, made.paused, made.dynamic, made.active) == ("made", True, True, True)
        assert (nightly.expression, nightly.options["priority"]) == ("0 4 * * *", 7)
        assert (nightly.paused, nightly.dynamic, nightly.next_run) == (True, False, None)

    async with running(make_client, place, events, Cron("0 5 * * *", **entry)) as app:
        nightly = (await app.list_crons())[1]
        assert (nightly.expression, nightly.options["priority"]) == ("0 5 * * *", 7)
        assert nightly.paused, "the configuration has not changed that"

    async with running(make_client, place, events, Cron("0 5 * * *", paused=True, **entry)):
        await sender.resume_cron("nightly")
    async with running(make_client, place, events, Cron("0 5 * * *", paused=True, **entry)):
        assert not (await sender.list_crons())[1].paused
    async with running(make_client, place, events, Cron("0 5 * * *", **entry)):
        pass
    async with running(make_client, place, events, Cron("0 5 * * *", paused=True, **entry)):
        assert (await sender.list_crons())[1].paused


@pytest.mark.parametrize("mode", ["manual", "automatic"])
async def test_entries_that_the_configuration_lacks_are_deleted_in_the_automatic_mode_alone(
    mode: str, place: dict[str, Any], make_client: MakeClient, events: Recorder, sender: Staffa
) -> None:
    crons = [Cron("@daily", worker="a.b", name=name) for name in ("stays", "goes")]
    async with running(make_client, place, events, *crons, cron_sync=mode):
        await sender.insert_cron(Cron("@hourly", worker="a.b", name="made"))
        await sender.pause_cron("stays")
        assert len(await sender.list_crons()) == 3
    async with running(make_client, place, events, crons[0], cron_sync=mode):
        await events.wait("staffa.leader.elected", 2)
        left = {entry.name: entry.active for entry in await sender.list_crons()}
        paused = await sender.get_cron("stays")
    assert paused is not None
    assert paused.paused
    deleted = {event.data["cron"] for event in events.of("staffa.cron.deleted")}
    if mode == "automatic":
        assert (left, deleted) == ({"stays": True}, {"goes", "made"})
    else:
        assert (left, deleted) == ({"stays": True, "goes": False, "made": True}, set())


async def test_an_entry_that_can_not_be_made_here_is_not_taken_for_deleted(
    place: dict[str, Any], make_client: MakeClient, events: Recorder, sender: Staffa
) -> None:
    entry = Cron("@daily", worker="shop.needs", name="needs")
    async with running(make_client, place, events, entry, cron_sync="automatic"):
        await sender.pause_cron("needs")

    @job(name="shop.needs")
    def needs(day: int) -> None: ...

    async with running(make_client, place, events, entry, cron_sync="automatic"):
        assert any("left out" in event.data["what"] for event in events.of("staffa.error"))
        assert [found.name for found in await sender.list_crons()] == ["needs"]


async def test_an_entry_that_a_process_declares_can_not_be_deleted_until_it_has_gone(
    place: dict[str, Any], make_client: MakeClient, events: Recorder, sender: Staffa
) -> None:
    async with running(make_client, place, events, Cron("@daily", **NIGHTLY)):
        with pytest.raises(ConfigError, match=r"'nightly' is in the configuration.*pause it"):
            await sender.delete_cron("nightly")
        assert len(await sender.list_crons()) == 1
    await sender.delete_cron("nightly")
    assert await sender.list_crons() == []


async def test_an_entry_made_at_run_time_runs_on_a_node_that_was_there_before(
    place: dict[str, Any], make_client: MakeClient, events: Recorder, sender: Staffa
) -> None:
    ran: list[dict[str, Any]] = []

    @job(name="shop.greet", queue="o")
    async def greet(name: str) -> None:
        ran.append({"name": name, **current_job().meta})

    async with running(make_client, place, events) as app:
        await sender.insert_cron(Cron("@yearly", worker=greet, args={"name": "Ada"}, name="g"))
        await events.wait("staffa.leader.elected")
        await sender.run_cron("g")
        await eventually(lambda: ran, "the run out of turn")
        assert ran[0]["cron_name"] == "g"
        assert app._node is not None
        engine = app._node._crontab._engine
        tick = (await only(app)).next_run
        assert tick is not None
        assert await engine.enqueue_tick("shop", "g", tick, (await only(app)).new_job(tick))
        app._node.wake_all()
        await eventually(lambda: len(ran) == 2, "the run of the tick")
    assert ran[1]["name"] == "Ada"
    assert ran[1]["cron_time"] == f"{tick:%Y-%m-%dT%H:%M:%SZ}"


async def test_times_changed_by_a_client_lose_no_tick_and_wake_its_queue(
    make_client: MakeClient, prefix: str, crons: Crons, rows: Rows, events: Recorder
) -> None:
    sender = make_client(name="shop")
    await sender.insert_cron(Cron("* * * * *", **NIGHTLY))
    now = await crons.put_back(70)
    await sender.update_cron("nightly", expression="@daily")
    assert {tick for _, tick in await crons.jobs()} >= minutes_until(now, 70)
    assert events.of("staffa.cron.inserted")[0].instance == "shop"
    assert events.of("staffa.cron.updated")[0].data["options"] == ("expression",)


async def test_two_leaders_make_up_for_one_tick_once(
    engines: list[Engine], crons: Crons, events: Recorder
) -> None:
    nodes = [Node(engine, [], grace=120) for engine in engines for _ in range(2)]
    for node in nodes:
        await node.start()
    for number in range(10):
        hourly = replace(new_entry(f"e{number}", "0 * * * *"), guaranteed=True)
        await engines[0].insert_cron("Staffa", hourly, dead_after=60.0)
        await crons.write(f"e{number}", updated_at=datetime(2026, 1, 1))  # noqa: DTZ001  # the column's
    plain = new_entry("plain", "0 * * * *")
    await engines[0].insert_cron("Staffa", plain, dead_after=60.0)
    now = await crons.put_back(10 * 3600)
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    await asyncio.gather(*(node.crontab.tick() for node in nodes * 3))
    fired = await crons.jobs()
    after = await crons.put_back(0)
    made_up = {key: count for key, count in fired.items() if key[0] != "plain"}
    assert set(made_up.values()) == {1}
    if after.astimezone(UTC).hour == hour.hour:  # else an hour has begun meanwhile
        assert made_up.keys() == {
            (f"e{number}", f"{hour:%Y-%m-%dT%H:00:00Z}") for number in range(10)
        }
    skipped = {event.data["cron"] for event in events.of("staffa.cron.skipped")}
    assert skipped >= {f"e{number}" for number in range(10)}


async def test_the_latest_tick_is_made_up_for_through_changes_of_the_clocks() -> None:
    clock = VirtualClock(datetime(2026, 3, 28, 12, 0, tzinfo=UTC))
    app = Staffa("sqlite://", testing="manual", clock=clock)
    engine = await open_engine(app, None)
    leaders = [Node(engine, [], grace=120) for _ in range(2)]
    for leader in leaders:
        await leader.start()
    for name, dst in (("cron", "cron"), ("skip", "skip")):
        entry = replace(new_entry(name, "30 2 * * *"), timezone="Europe/Berlin", dst=dst)
        await engine.insert_cron("Staffa", replace(entry, guaranteed=True), dead_after=60.0)

    async def ticks() -> list[tuple[str, str]]:
        await asyncio.gather(*(leader.crontab.tick() for leader in leaders * 2))
        found = [stored async for stored in app.stream_jobs()]
        return sorted((stored.meta["cron_name"], stored.meta["cron_time"][:16]) for stored in found)

    assert await ticks() == []
    clock.advance_to(datetime(2026, 3, 29, 9, 0, tzinfo=UTC))
    expected = [("cron", "2026-03-29T01:00")]  # right after the gap
    assert await ticks() == expected
    clock.advance_to(datetime(2026, 4, 2, 9, 0, tzinfo=UTC))
    expected += [("cron", "2026-04-02T00:30"), ("skip", "2026-04-02T00:30")]
    assert await ticks() == sorted(expected)
    await engine.change_cron(
        "Staffa", "cron",
        lambda held: change(held, {**spread(held.entry.as_row()), "paused": True}, timedelta()),
        dead_after=60.0,
    )  # fmt: skip
    clock.advance_to(datetime(2026, 10, 26, 9, 0, tzinfo=UTC))
    expected += [("skip", "2026-10-26T01:30")]
    assert await ticks() == sorted(expected)
    await engine.change_cron(
        "Staffa", "cron",
        lambda held: change(held, {**spread(held.entry.as_row()), "paused": False}, timedelta()),
        dead_after=60.0,
    )  # fmt: skip
    assert await ticks() == sorted(expected), "nothing from before it was resumed"
    await app.stop()


async def test_a_late_change_takes_the_catching_up_away(
    engines: list[Engine], crons: Crons
) -> None:
    node = Node(engines[0], [], grace=120)
    await node.start()
    hourly = replace(new_entry("hourly", "0 * * * *"), guaranteed=True)
    await engines[0].insert_cron("Staffa", hourly, dead_after=60.0)
    await crons.put_back(10 * 3600)  # what was updated just now has not missed anything
    await node.crontab.tick()
    assert {tick for _, tick in await crons.jobs()} <= minutes_until(datetime.now(UTC), 200)


async def test_rows_made_at_run_time_that_make_no_sense_stop_no_other_and_no_start(
    engines: list[Engine], crons: Crons, events: Recorder
) -> None:
    broken: dict[str, dict[str, Any]] = {
        "a": {"expression": "61 * * * *"}, "b": {"timezone": "No/Where"}, "c": {"dst": "perhaps"},
        "d": {"options": '{"queue": ""}'}, "e": {"options": '{"meta": 5}'}, "f": {"worker": ""},
        "g": {"args": '{"x": 1}', "configured": "5", "options": '{"unheard": 1}'},
    }  # fmt: skip
    for name in [*broken, "z"]:
        entry = replace(new_entry(name), guaranteed=name in "abc")
        await engines[0].insert_cron("Staffa", entry, dead_after=60.0)
    for name, columns in broken.items():
        await crons.write(name, **columns)
    node = Node(engines[0], [new_entry(name, "@yearly") for name in ("b", "d", "new")])
    await node.start()
    await crons.put_back(70)
    await node.crontab.tick()
    assert {name for name, _ in await crons.jobs()} == {"z"}
    failed = {event.data["cron"] for event in events.of("staffa.cron.failed")}
    assert failed == set(broken) - {"b", "d"}, "those that the configuration has set right"
    assert events.of("staffa.error")


async def test_of_an_entry_that_is_paused_nothing_is_enqueued_nor_told(
    engines: list[Engine], crons: Crons, events: Recorder
) -> None:
    for name in ("a", "b"):
        entry = replace(new_entry(name), paused=True)
        await engines[0].insert_cron("Staffa", entry, dead_after=60.0)
    await crons.write("b", expression="61 * * * *")
    node = Node(engines[0], [], grace=120)
    await node.start()
    await crons.put_back(600)
    await node.crontab.tick()
    assert await crons.jobs() == {}
    assert events.of("staffa.cron.skipped") == events.of("staffa.cron.failed") == []


@pytest.mark.parametrize("leading", [True, False])
async def test_a_node_that_was_taken_for_dead_registers_again_what_was_deleted(
    engines: list[Engine], crons: Crons, leading: bool
) -> None:
    clock = SteppedClock(datetime(2026, 1, 1, tzinfo=UTC))
    node = Node(engines[0], [new_entry("mine")], leading=leading, clock=clock)
    await node.start()
    await engines[0].remove_producer(node.producer)
    assert await engines[1].delete_cron("Staffa", "mine", dead_after=60.0)
    clock.seconds += 3600.0
    for _ in range(2):
        await node.crontab.tick()
    assert await crons.names() == {"mine"}
