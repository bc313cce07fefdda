"""What we tell dashboards has the form of what Elixir Oban and the package `oban` tell them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from staffa import Cancel, Snooze, Staffa, job
from staffa.notifier import decode_payload
from tests.conftest import MakeClient
from tests.peers.transcript import read_transcript
from tests.support.events import Recorder, eventually
from tests.support.oban_peer import oban_peer
from tests.support.rows import Rows

CHANNELS = ("gossip", "metrics", "cronitor")
NODE: dict[str, Any] = {"name": "Oban", "node": "web.1", "queues": {"alpha": 5}, "metrics": True}


class Dashboard:
    """Hears what nodes tell.

    Args:
        rows: Their schema.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.heard: list[tuple[str, dict[str, Any]]] = []

    async def open(self) -> None:
        for channel in CHANNELS:
            await self._rows.connection.add_listener(
                f"{self._rows.prefix}.oban_{channel}", self._hear
            )

    async def close(self) -> None:
        await self._rows.connection.reset()

    async def checks(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the first check of a queue that is as wanted, once there is one."""

        def found() -> list[dict[str, Any]]:
            told = [payload["checks"] for channel, payload in self.heard if channel == "gossip"]
            return [check for checks in told for check in checks if wanted(check)]

        await eventually(found, "a check of a queue")
        return found()[0]

    async def until(self, series: str, **labels: str) -> dict[str, Any]:
        """Return the last measurement of a series, once there is one."""

        def found() -> list[dict[str, Any]]:
            return [
                one
                for channel, payload in self.heard
                for one in payload.get("metrics", [])
                if channel == "metrics"
                and one["series"] == series
                and labels.items() <= one.items()
            ]

        await eventually(found, f"{series} of {labels}")
        return found()[-1]

    def sum(self, series: str) -> int:
        """Return how many completed runs were told of, at once or one by one."""
        values = [
            one["value"]["data"]
            for channel, payload in self.heard
            for one in payload.get("metrics", [])
            if (one["series"], one["state"]) == (series, "completed")
        ]
        return sum(sum(one if isinstance(one, list) else one.values()) for one in values)

    async def crontab(self) -> list[list[Any]]:
        """Return the entries of cron that are told, once some are."""

        def found() -> list[dict[str, Any]]:
            return [payload for channel, payload in self.heard if channel == "cronitor"]

        await eventually(found, "a crontab")
        assert found()[0]["name"] == "Oban"
        assert found()[0]["node"] == "web.1"
        crontab: list[list[Any]] = found()[0]["crontab"]
        return crontab

    def _hear(self, connection: object, pid: int, channel: str, payload: object) -> None:
        self.heard.append((channel.rpartition("_")[2], decode_payload(str(payload))))


@pytest.fixture
async def dashboard(rows: Rows) -> Any:
    """A dashboard."""
    made = Dashboard(rows)
    await made.open()
    yield made
    await made.close()


def recorded_checks() -> list[dict[str, Any]]:
    told = [one.decoded["checks"] for one in read_transcript() if one.channel == "gossip"]
    return [check for checks in told for check in checks]


def recorded_metrics() -> list[dict[str, Any]]:
    return [
        {**metric, "time": one.decoded["time"]}
        for one in read_transcript()
        if one.channel == "metrics"
        for metric in one.decoded["metrics"]
    ]


def kinds(value: dict[str, Any]) -> dict[str, Any]:
    """Return the types of values, and those within lists and objects."""

    def kind(item: Any) -> Any:
        if isinstance(item, dict):
            return {"of": {type(key) for key in item}, "to": {type(one) for one in item.values()}}
        return [{type(one) for one in item}] if isinstance(item, list) else type(item)

    return {key: kind(item) for key, item in value.items()}


@pytest.fixture
async def app(make_client: MakeClient, dashboard: Dashboard) -> Any:
    """A node that tells dashboards, one of which has been listening before."""

    @job(name="Ref.CronWorker", queue="beta", cron="0 3 * * *", max_attempts=3, priority=2)
    async def nightly(mode: str = "night") -> None: ...

    made: Staffa = make_client(**NODE)
    async with made:
        yield made


async def test_a_queue_is_told_as_elixir_tells_it(
    app: Staffa, dashboard: Dashboard, events: Recorder
) -> None:
    go_on = asyncio.Event()

    @job(queue="alpha")
    async def wait() -> None:
        await go_on.wait()

    stored = await app.enqueue(wait.new())
    await events.wait("staffa.job.start")
    ours = await dashboard.checks(lambda check: check["running"] == [stored.id])
    theirs = next(check for check in recorded_checks() if check["running"])
    limit = theirs.pop("limit")
    assert kinds(theirs | {"local_limit": limit}) == kinds(ours)
    assert (ours["name"], ours["node"], ours["queue"]) == ("Oban", "web.1", "alpha")
    assert (ours["local_limit"], ours["paused"]) == (5, False)
    check = app.check_queue("alpha")
    assert UUID(ours["uuid"]) == check.uuid
    assert datetime.fromisoformat(ours["started_at"]) == check.started_at
    assert ours["started_at"].endswith("Z")
    go_on.set()
    await app.pause_queue("alpha")
    await dashboard.checks(lambda check: check["paused"] and check["shutdown_started_at"] is None)
    dashboard.heard.clear()
    await app.stop()
    last = await dashboard.checks(lambda check: check["shutdown_started_at"] is not None)
    assert last["paused"]
    assert last["shutdown_started_at"].endswith("Z")


async def test_runs_and_jobs_are_told_as_elixir_tells_them(
    app: Staffa, dashboard: Dashboard
) -> None:
    @job(queue="alpha", max_attempts=2)
    async def end(how: str) -> object:
        match how:
            case "retryable":
                raise ValueError("boom")
            case "cancelled":
                return Cancel("not needed")
            case "scheduled":
                return Snooze(3600)
        return None

    states = ("completed", "retryable", "cancelled", "scheduled")
    await app.enqueue_many([end.new("completed"), *map(end.new, states)])
    worker = end.new("completed").worker
    for state in states:
        for series in ("exec_count", "exec_time", "wait_time", "full_count"):
            ours = await dashboard.until(series, state=state, queue="alpha")
            theirs = next(
                one
                for one in recorded_metrics()
                if (one["series"], one["state"]) == (series, state)
            )
            assert kinds(ours) == kinds({k: v for k, v in theirs.items() if k != "time"})
            assert ours.get("worker", worker) == worker

    for series in ("exec_count", "exec_time", "wait_time"):
        await eventually(lambda: dashboard.sum(series) == 2, f"two runs in {series}")  # noqa: B023
    heads = [payload for channel, payload in dashboard.heard if channel == "metrics"]
    assert {(one["name"], one["node"], type(one["time"])) for one in heads} == {
        ("Oban", "web.1", int)
    }


async def test_entries_of_cron_are_told_as_elixir_tells_them(
    app: Staffa, dashboard: Dashboard
) -> None:
    (told,) = [one.decoded for one in read_transcript() if one.channel == "cronitor"]
    (_, (expression, worker, theirs)) = told["crontab"]
    ((our_expression, our_worker, ours),) = await dashboard.crontab()
    assert (our_expression, our_worker) == (expression, worker)
    theirs = {key: value for key, value in theirs.items() if key != "args"}
    assert ours.items() >= theirs.items()
    assert ours.keys() - theirs.keys() == {"name", "timezone"}


async def test_the_package_oban_tells_the_same(
    dsn: str, app: Staffa, dashboard: Dashboard, rows: Rows, tmp_path: Path
) -> None:
    @job(queue="alpha")
    async def end() -> None: ...

    options: dict[str, Any] = {"queues": {"theirs": 5}, "metrics": {"interval": 0.2}}
    async with oban_peer(dsn, rows.prefix, tmp_path / "peer.log", **options) as peer:
        await peer.install()
        await peer.start()
        await peer.enqueue(
            {"worker": "peer_program.Doze", "queue": "theirs", "args": {"seconds": 9}}
        )
        await app.enqueue(end.new())
        theirs = await dashboard.checks(lambda check: check["queue"] == "theirs")
        ours = await dashboard.checks(lambda check: check["queue"] == "alpha")
        assert theirs.keys() <= ours.keys()
        for series in ("exec_count", "exec_time", "wait_time", "full_count"):
            theirs = await dashboard.until(series, queue="theirs", state="scheduled")
            ours = await dashboard.until(series, queue="alpha", state="completed")
            assert kinds(theirs) == kinds(ours)


async def test_nothing_is_told_unless_it_is_wanted(
    make_client: MakeClient, dashboard: Dashboard, events: Recorder
) -> None:
    async with make_client(queues={"alpha": 5}):
        await events.wait("staffa.leader.elected")
        await dashboard._rows.notify("gossip", '{"checks":[{"queue":"other"}]}')
        await dashboard.checks(lambda check: check["queue"] == "other")
    assert len(dashboard.heard) == 1
