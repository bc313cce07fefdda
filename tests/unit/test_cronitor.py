"""What dashboards are told of entries of cron."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from staffa import Job
from staffa.cron.stored import CronBoard, Entry, StoredCron
from staffa.engine import Engine, Producer
from staffa.met.cronitor import Cronitor
from staffa.notifier import Notifier

NOW = datetime(2026, 6, 1, tzinfo=UTC)


class Database:
    """As much of an engine and a notifier as is needed."""

    def __init__(self) -> None:
        self.stored: list[StoredCron] = []
        self.sent: list[tuple[str, Mapping[str, Any]]] = []

    async def read_crons(self, instance: str, **_: Any) -> CronBoard:
        return CronBoard(NOW, self.stored)

    async def notify(self, payloads: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        self.sent.extend(payloads)


def entry(name: str, **options: Any) -> Entry:
    return Entry(name, "@daily", "UTC", "cron", Job(worker="a.b", **options))


def stored(made: Entry, **columns: Any) -> StoredCron:
    found = StoredCron(
        **made.as_row(), active=True, last_tick=NOW, last_job_id=None, booted_at=NOW,
        registered_at=NOW, updated_at=NOW, read_at=NOW,
    )  # fmt: skip
    return replace(found, **columns)


async def tell(
    database: Database, entries: Sequence[Entry], *, leading: bool = False
) -> dict[str, list[Any]]:
    """Return the lines that are told, by the entries' names."""
    database.sent.clear()
    cronitor = Cronitor(
        cast("Engine", database),
        cast("Notifier", database),
        Producer(UUID(int=1), "Oban", "web.1"),
        entries=lambda: entries,
        leading=lambda: leading,
        dead_after=20.0,
    )
    await cronitor.tick()
    lines = [line for _, payload in database.sent for line in payload["crontab"]]
    return {line[2]["name"]: line for line in lines}


async def test_what_is_declared_is_told_before_it_is_registered() -> None:
    entries = [entry("a", queue="q", args={"x": 1}, priority=2, tags=["t"])]
    told = await tell(Database(), entries)
    assert told == {
        "a": ["@daily", "a.b", {
            "name": "a", "queue": "q", "timezone": "UTC", "priority": 2, "tags": ["t"],
            "args": {"x": 1},
        }],
    }  # fmt: skip


async def test_changes_at_run_time_are_told_and_what_is_paused_is_not() -> None:
    database, entries = Database(), [entry("a"), entry("b"), entry("c", args={"x": 1})]
    sealed = {"queue": "q", "meta": {"encrypted": True}}
    database.stored = [
        stored(entries[0], expression="@hourly"),
        stored(entries[1], paused=True),
        stored(entries[2], options=sealed),
        stored(entry("another's")),
    ]
    told = await tell(database, entries)
    assert told.keys() == {"a", "c"}
    assert told["a"][0] == "@hourly"
    assert "args" not in told["c"][2]


async def test_what_was_made_at_run_time_is_told_by_the_leader() -> None:
    database = Database()
    database.stored = [
        stored(entry("made"), dynamic=True),
        stored(entry("odd"), dynamic=True, options={"meta": 5}),
        stored(entry("paused"), dynamic=True, paused=True),
        stored(entry("another's")),
    ]
    assert await tell(database, []) == {}
    assert (await tell(database, [], leading=True)).keys() == {"made", "odd"}
