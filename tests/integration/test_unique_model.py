"""Uniqueness against a model that looks at all jobs, for every combination of options.

The model keeps each job that was written with what it was compared by, and judges a new one by
reading all of their rows. Two things are left out, as the documentation says: a finished job that
is retried by hand, and finished jobs of which only some are deleted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from staffa._internal.identifiers import quote_identifier
from staffa.drivers.asyncpg import ConnectionSettings
from staffa.engines.postgres import PostgresEngine
from staffa.jobs import Job
from staffa.types import State, to_seconds
from staffa.unique import LIVE_STATES, Unique

HOUR = timedelta(hours=1)
ENDED = [state for state in State if state not in LIVE_STATES]
PREFIXES = [list(LIVE_STATES[:length]) for length in range(1, len(LIVE_STATES) + 1)]
FIELDS = ("worker", "queue", "args", "meta")
REPLACEABLE = (
    "args",
    "max_attempts",
    "meta",
    "priority",
    "queue",
    "scheduled_at",
    "tags",
    "worker",
)


@dataclass
class Known:
    """A job of the model."""

    id: int
    compared: Any
    state: State
    inserted_at: datetime
    scheduled_at: datetime
    values: dict[str, Any]


SHAPES = [
    (("worker", "queue", "args"), ()),
    (FIELDS, ()),
    (("args",), ("a",)),
    (("worker", "meta"), ("a", "b")),
    (("worker",), ()),
]
STATES = [
    None, "all", "incomplete", "scheduled", "successful", *PREFIXES,
    [*LIVE_STATES, State.CANCELLED], [*LIVE_STATES, State.COMPLETED, State.DISCARDED],
]  # fmt: skip
VALUES = st.sampled_from([{"a": 1}, {"a": 1}, {"a": 1, "b": 1}, {}, {"a": 2, "c": 1}])


def drafts(shapes: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return the arguments of jobs, of which many are alike."""
    unique = shapes.flatmap(
        lambda shape: st.builds(
            Unique, fields=st.just(shape[0]), keys=st.just(shape[1]),
            states=st.sampled_from(STATES), period=st.sampled_from([None, 3 * HOUR, 30 * HOUR]),
            timestamp=st.sampled_from(["inserted_at", "scheduled_at"]),
        )
    )  # fmt: skip
    replace = st.dictionaries(
        st.sampled_from([state.value for state in State]),
        st.lists(st.sampled_from(REPLACEABLE), min_size=1, max_size=4, unique=True),
        min_size=1, max_size=4,
    )  # fmt: skip
    return st.fixed_dictionaries(
        {
            "worker": st.sampled_from(["w", "w", "w", "w", "x"]),
            "queue": st.sampled_from(["q", "q", "q", "q", "r"]),
            "args": VALUES, "meta": VALUES, "unique": unique,
            "priority": st.integers(0, 9), "max_attempts": st.integers(1, 5),
            "tags": st.lists(st.sampled_from(["s", "t"]), max_size=2, unique=True),
            "hours": st.sampled_from([None, None, -40, -5, 5]),
            "replace": st.one_of(st.none(), replace),
        }
    )  # fmt: skip


def actions_of(shapes: list[Any]) -> st.SearchStrategy[list[tuple[str, Any]]]:
    """Return what happens in turn to the jobs of a few keys."""
    draft = drafts(st.sampled_from(shapes))
    number = st.integers(0, 4)
    insert = st.tuples(st.just("insert"), st.lists(draft, min_size=1, max_size=1))
    move = st.tuples(st.just("move"), st.tuples(number, st.sampled_from(list(State))))
    return st.lists(
        st.one_of(
            insert,
            insert,
            st.tuples(st.just("insert"), st.lists(draft, min_size=2, max_size=6)),
            st.tuples(st.just("again"), number),
            move,
            move,
            st.tuples(st.just("pass"), st.sampled_from([1, 2, 28])),
            st.tuples(st.just("delete"), number),
            st.tuples(st.just("clear"), st.sampled_from(ENDED)),
            st.tuples(st.just("prune"), st.none()),
        ),
        min_size=4,
        max_size=25,
    )


ACTIONS = st.lists(st.sampled_from(SHAPES), min_size=1, max_size=2).flatmap(actions_of)


@dataclass
class World:
    """The tables, and the model beside them."""

    engine: PostgresEngine
    connection: asyncpg.Connection
    schema: str
    known: list[Known] = field(default_factory=list)
    given: list[dict[str, Any]] = field(default_factory=list)

    async def begin(self) -> None:
        self.known, self.given = [], []
        await self.connection.execute(
            f"TRUNCATE {self.schema}.oban_jobs, {self.schema}.staffa_unique"
        )

    async def act(self, action: str, about: Any) -> None:
        if action == "insert":
            await self.insert(about)
        elif action == "again" and self.given:
            await self.insert([self.given[-1 - about % len(self.given)]] * (1 + about % 2))
        elif action == "move" and self.known:
            await self.move(self.known[-1 - about[0] % len(self.known)], about[1])
        elif action == "pass":
            await self.let_pass(about * HOUR)
        elif action == "delete" and self.known:
            job = self.known[-1 - about % len(self.known)]
            await self.delete([job] if job.state in LIVE_STATES else [])
        elif action == "clear":
            await self.delete([job for job in self.known if job.state == about])
        elif action == "prune":
            await self.engine.prune_unique_keys(100)

    async def insert(self, drafts: Sequence[dict[str, Any]]) -> None:
        self.given.extend(drafts)
        now = datetime.now(UTC)
        found = await self.engine.enqueue_jobs([make(draft, now) for draft in drafts])
        for draft, job in zip(drafts, found, strict=True):
            self.check(draft, job, now)
        for known in self.known:
            row = await self.connection.fetchrow(
                f"SELECT state::text, queue, worker, args::text, meta::text, tags, priority,"
                f" max_attempts, scheduled_at FROM {self.schema}.oban_jobs WHERE id = $1", known.id
            )  # fmt: skip
            assert row is not None
            stored = Job.from_row({**dict.fromkeys(ROW), **dict(row), "id": known.id})
            assert stored.state == known.state
            assert {name: getattr(stored, name) for name in known.values} == known.values
            assert abs(row["scheduled_at"].replace(tzinfo=UTC) - known.scheduled_at) < HOUR / 2

    def check(self, draft: dict[str, Any], job: Job, now: datetime) -> None:
        """Judge a draft by all that is known, compare, and learn what became of it."""
        unique: Unique = draft["unique"]
        compared = what_is_compared(draft)
        since = (
            None
            if unique.period is None
            else now - timedelta(seconds=to_seconds(unique.period, ""))
        )
        rivals = [
            known for known in self.known
            if known.compared == compared and known.state in unique.watched
            and (since is None or getattr(known, unique.timestamp) >= since)
        ]  # fmt: skip
        assert job.conflict == bool(rivals), (draft, rivals)
        due = now if draft["hours"] is None else now + draft["hours"] * HOUR
        begins = State.SCHEDULED if due > now else State.AVAILABLE
        names = [name for name in REPLACEABLE if name != "scheduled_at"]
        if not rivals:
            assert job.id is not None
            values = {name: as_stored(draft[name]) for name in names}
            self.known.append(Known(job.id, compared, begins, now, due, values))
            return
        existing = next(rival for rival in rivals if rival.id == job.id)
        if unique.period is None or unique.timestamp == "inserted_at":
            assert existing.id == max(rival.id for rival in rivals)
        chosen = (draft["replace"] or {}).get(existing.state, ())
        for name in chosen:
            if name == "scheduled_at":
                existing.scheduled_at = due
                if existing.state in {"available", "scheduled", "retryable"}:
                    existing.state = begins
            else:
                existing.values[name] = as_stored(draft[name])
        assert job.state == existing.state
        assert {name: getattr(job, name) for name in names} == existing.values

    async def move(self, job: Known, state: State) -> None:
        if job.state not in LIVE_STATES:
            return  # it would be a retry by hand
        job.state = state
        await self.connection.execute(
            f"UPDATE {self.schema}.oban_jobs SET state = $2::text::{self.schema}.oban_job_state"
            " WHERE id = $1", job.id, state.value,
        )  # fmt: skip

    async def let_pass(self, length: timedelta) -> None:
        for job in self.known:
            job.inserted_at -= length
            job.scheduled_at -= length
        await self.connection.execute(
            f"UPDATE {self.schema}.oban_jobs"
            " SET inserted_at = inserted_at - $1::interval,"
            " scheduled_at = scheduled_at - $1::interval", length,
        )  # fmt: skip

    async def delete(self, jobs: Sequence[Known]) -> None:
        numbers = [job.id for job in jobs]
        self.known = [job for job in self.known if job.id not in numbers]
        await self.connection.execute(
            f"DELETE FROM {self.schema}.oban_jobs WHERE id = ANY ($1)", numbers
        )


ROW = (
    "errors", "attempted_by", "attempt", "inserted_at", "attempted_at", "completed_at",
    "cancelled_at", "discarded_at",
)  # fmt: skip


def make(draft: dict[str, Any], now: datetime) -> Job:
    """Return a draft's job."""
    options = {name: value for name, value in draft.items() if name != "hours"}
    if draft["hours"] is not None:
        options["scheduled_at"] = now + draft["hours"] * HOUR
    return Job(**options)


def what_is_compared(draft: dict[str, Any]) -> Any:
    """Return what tells whether two drafts are the same, by the plainest reading of the options."""
    unique: Unique = draft["unique"]
    parts: dict[str, Any] = {name: draft[name] for name in unique.fields}
    if unique.keys:
        for name in {"args", "meta"} & parts.keys():
            parts[name] = {key: value for key, value in parts[name].items() if key in unique.keys}
    return unique.fields, unique.keys, parts


def as_stored(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@pytest.fixture
def world(dsn: str, prefix: str) -> Iterator[tuple[asyncio.Runner, World]]:
    """A schema with its engine, on an event loop of its own."""

    async def open_world() -> World:
        engine = PostgresEngine(ConnectionSettings(dsn), prefix, 1)
        return World(engine, await asyncpg.connect(dsn), quote_identifier(prefix))

    async def close(world: World) -> None:
        await world.engine.close()
        await world.connection.close()

    with asyncio.Runner() as runner:
        made = runner.run(open_world())
        yield runner, made
        runner.run(close(made))


@settings(
    max_examples=150, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(actions=ACTIONS)
def test_every_insert_is_judged_as_if_all_jobs_were_looked_at(
    world: tuple[asyncio.Runner, World], actions: list[tuple[str, Any]]
) -> None:
    runner, made = world

    async def run() -> None:
        await made.begin()
        for action, about in actions:
            await made.act(action, about)

    work: Coroutine[Any, Any, None] = run()
    runner.run(work)
