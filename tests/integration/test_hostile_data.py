"""Hostile data of every kind, on both engines: an error of ours or a visible end, and work goes on.

`test_hostile_rows` has the cases that were thought of; here they are made up. One process runs
through all examples of a test: after each of them a good job must still end in it.
``STAFFA_HOSTILE_EXAMPLES=2000`` makes a long run.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from staffa import Job, JobFilter, Staffa, job, telemetry
from staffa._internal.identifiers import quote_identifier
from staffa.client.backend import make_migrator
from staffa.errors import ConfigError, InvalidJob
from staffa.types import State
from tests.conftest import QUICK
from tests.support.events import eventually
from tests.support.hostile import JSON_TEXTS, LARGE, PRINTABLE, TEXTS, VALUES, nested, packed

EXAMPLES = int(os.environ.get("STAFFA_HOSTILE_EXAMPLES", "25"))
BOUNDED = settings(
    max_examples=EXAMPLES, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow,
                           HealthCheck.data_too_large, HealthCheck.large_base_example],
)  # fmt: skip
pytestmark = [
    pytest.mark.filterwarnings("ignore:Generating overly large repr"),
    pytest.mark.filterwarnings("ignore:Do not use the `random` module"),  # threads of ours do
]

T = TypeVar("T")
UNDER_WAY = {State.AVAILABLE, State.EXECUTING}


class Postgres:
    """A schema, beside Staffa."""

    TYPES: dict[str, str] = {"args": "jsonb", "meta": "jsonb", "tags": "text[]"}  # noqa: RUF012

    def __init__(self, connection: asyncpg.Connection, prefix: str) -> None:
        self._connection = connection
        self._prefix = prefix

    async def insert(self, columns: dict[str, str]) -> int | None:
        marks = [
            f"${n}::text::{self.TYPES.get(name, 'text')}" for n, name in enumerate(columns, start=1)
        ]
        try:
            found: int = await self._connection.fetchval(
                f"INSERT INTO {quote_identifier(self._prefix)}.oban_jobs ({', '.join(columns)})"
                f" VALUES ({', '.join(marks)}) RETURNING id",
                *columns.values(),
            )
        except (asyncpg.PostgresError, asyncpg.DataError, UnicodeError):
            return None
        return found

    async def notify(self, channel: str, payload: str) -> None:
        refusals = (asyncpg.PostgresError, asyncpg.DataError, UnicodeError)
        with contextlib.suppress(*refusals):  # no channel carries it
            await self._connection.execute(
                "SELECT pg_notify($1, $2)", f"{self._prefix}.oban_{channel}", payload
            )


class Sqlite:
    """A file, beside Staffa."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, timeout=30, isolation_level=None)

    async def insert(self, columns: dict[str, str]) -> int | None:
        marks = ", ".join("?" for _ in columns)
        try:
            found = self._connection.execute(
                f"INSERT INTO oban_jobs ({', '.join(columns)}) VALUES ({marks})",
                tuple(columns.values()),
            )
        except (sqlite3.Error, UnicodeError):
            return None
        return found.lastrowid

    async def notify(self, channel: str, payload: str) -> None:
        return None

    def close(self) -> None:
        self._connection.close()


class Running:
    """A client that runs the queue ``default``, and what is beside it."""

    def __init__(self, runner: asyncio.Runner, app: Staffa, beside: Postgres | Sqlite) -> None:
        self.runner = runner
        self.app = app
        self.beside = beside
        self.failures: list[str] = []

    def watch(self, event: telemetry.Event) -> None:
        """Note what must not happen: a service that has to begin anew."""
        if event.name == "staffa.error" and "begins anew" in str(event.data["what"]):
            self.failures.append(f"{event.data['what']}: {event.data.get('error')!r}")

    async def good_job_runs(self) -> None:
        """A job of no harm ends within the usual time, and no service has ended meanwhile."""
        stored = await self.app.enqueue(Job(worker="good", args={"name": "ada"}))
        await self.ended([stored.id or 0])
        found = await self.app.get_job(stored)
        assert found is not None
        assert found.state is State.COMPLETED
        assert self.failures == []

    async def ended(self, ids: list[int]) -> None:
        """Wait until nothing of these is available or runs."""

        async def all_ended() -> bool:
            wanted = JobFilter(ids=ids, states=[state.value for state in UNDER_WAY])
            return await self.app.count_jobs(wanted) == {}

        await eventually(all_ended, f"the end of {ids}")


def as_floats(value: Any) -> Any:
    """Return a value whose numbers can be compared: PostgreSQL writes 1e308 out."""
    match value:
        case float() | int() if not isinstance(value, bool) and abs(value) <= sys.float_info.max:
            return float(value)
        case dict():
            return {key: as_floats(item) for key, item in value.items()}
        case list() | tuple():
            return [as_floats(item) for item in value]
        case _:
            return value


def accepted(make: Callable[[], T]) -> T | None:
    """Return what is made, or None where it is refused, which has to be said clearly."""
    try:
        return make()
    except (InvalidJob, ConfigError) as error:
        message = str(error)
    assert 5 < len(message) < 1000, message[:2000]
    return None


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """An event loop for all examples."""
    with asyncio.Runner() as made:
        yield made


@pytest.fixture(params=["postgres", "sqlite"])
def running(
    request: pytest.FixtureRequest, runner: asyncio.Runner, tmp_path: Path
) -> Iterator[Running]:
    """A process that runs jobs, on each engine in turn."""

    @job(name="good")
    async def good(name: object) -> object:
        return name

    @job(name="recorded", recorded=True)
    async def recorded(name: object) -> object:
        return name

    options: dict[str, Any] = {"name": "hostile", "queues": {"default": 20}, **QUICK}
    if request.param == "postgres":
        dsn, prefix = request.getfixturevalue("dsn"), request.getfixturevalue("prefix")
        connection = runner.run(asyncpg.connect(dsn))
        made = Running(runner, Staffa(dsn, prefix=prefix, **options), Postgres(connection, prefix))
        close: Callable[[], Any] = lambda: runner.run(connection.close())  # noqa: E731
    else:
        path = tmp_path / "hostile.db"
        runner.run(make_migrator(f"sqlite:///{path}", "public").up())
        beside = Sqlite(path)
        made = Running(runner, Staffa(f"sqlite:///{path}", **options), beside)
        close = beside.close
    telemetry.attach(made.watch)
    runner.run(made.app.start())
    yield made
    runner.run(made.app.stop(grace=0))
    telemetry.detach(made.watch)
    close()


META_KEYS = st.sampled_from(
    ["staffa_timeout", "staffa_deadline", "staffa_record_limit", "staffa_encrypted", "recorded",
     "encrypted", "return", "rescued", "snoozed", "unknown_worker", "progress", "uniq", "cron",
     "cron_name", "digest"]
)  # fmt: skip
ROWS = st.fixed_dictionaries(
    {"worker": st.sampled_from(["good", "recorded"]) | st.text(min_size=1, max_size=20)},
    optional={
        "args": JSON_TEXTS | JSON_TEXTS.map(lambda text: f'{{"name": {text}}}'),
        "meta": st.dictionaries(META_KEYS, JSON_TEXTS, max_size=3).map(
            lambda found: "{" + ", ".join(f'"{key}": {text}' for key, text in found.items()) + "}"
        ) | JSON_TEXTS,
        "scheduled_at": st.sampled_from(
            ["infinity", "-infinity", "0044-03-15 00:00:00 BC", "1999-99-99", "",
             "2026-01-01T00:00:00Z", "20000-01-01 00:00:00"]
        ),
    },
)  # fmt: skip


@BOUNDED
@given(batch=st.lists(ROWS, min_size=1, max_size=5))
def test_any_row_comes_to_an_end_and_good_jobs_run_beside_it(
    running: Running, batch: list[dict[str, str]]
) -> None:
    async def live() -> None:
        ids = [await running.beside.insert({"args": '{"name": 1}', **row}) for row in batch]
        await running.good_job_runs()
        await running.ended([number for number in ids if number is not None])
        for found in await running.app.list_jobs():
            for error in found.errors:
                assert len(str(error)) < 100_000

    running.runner.run(live())


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "worker": TEXTS | VALUES, "queue": TEXTS | VALUES,
        "args": st.dictionaries(TEXTS, VALUES) | VALUES,
        "meta": st.dictionaries(TEXTS, VALUES) | VALUES, "tags": st.lists(TEXTS | VALUES) | VALUES,
        "priority": VALUES, "max_attempts": VALUES, "scheduled_in": VALUES, "deadline": VALUES,
        "timeout": VALUES,
    },
)  # fmt: skip


@BOUNDED
@given(options=OPTIONS)
def test_whatever_is_enqueued_is_refused_with_a_clear_error_or_stored_as_it_is(
    running: Running, options: dict[str, Any]
) -> None:
    async def live() -> None:
        given = accepted(lambda: Job(**{"worker": "good", "queue": "nobody", **options}))
        if given is None:
            return
        stored = await running.app.enqueue(given)
        found = await running.app.get_job(stored)
        assert found is not None
        assert (found.worker, found.queue) == (given.worker, given.queue)
        assert as_floats(found.args) == as_floats(given.args)
        assert found.tags == given.tags

    running.runner.run(live())


@pytest.mark.parametrize(
    "args",
    [{"name": LARGE}, {"name": ["y" * 1000] * 1000}, {"name": nested(90)}, {"name": 10**300}],
    ids=["a long text", "many texts", "nested", "a long number"],
)
def test_large_args_run_and_their_results_come_back(running: Running, args: dict[str, Any]) -> None:
    async def live() -> None:
        stored = await running.app.enqueue(Job(worker="good", args=args))
        await running.ended([stored.id or 0])
        found = await running.app.get_job(stored)
        assert found is not None
        assert (found.state, found.args) == (State.COMPLETED, args)

    running.runner.run(live())


FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "ids": st.lists(VALUES) | VALUES, "states": st.lists(TEXTS | VALUES) | VALUES,
        "queues": st.lists(TEXTS) | VALUES, "workers": st.lists(TEXTS) | VALUES,
        "tags": st.lists(TEXTS) | VALUES, "all_tags": st.lists(TEXTS),
        "args": st.dictionaries(TEXTS, VALUES), "meta": st.dictionaries(TEXTS, VALUES) | VALUES,
        "priorities": st.lists(VALUES), "nodes": st.lists(TEXTS), "limit": VALUES,
        "after_id": VALUES, "before_id": VALUES, "inserted_after": VALUES | st.datetimes(),
        "finished_before": st.datetimes(timezones=st.timezones()),
    },
)  # fmt: skip


@BOUNDED
@given(fields=FILTERS)
def test_any_filter_is_refused_with_a_clear_error_or_selects_something(
    running: Running, fields: dict[str, Any]
) -> None:
    async def live() -> None:
        wanted = accepted(lambda: JobFilter(**fields))
        if wanted is None:
            return
        listed = await running.app.list_jobs(wanted)
        counted = await running.app.count_jobs(wanted)
        assert len(listed) <= max(sum(counted.values()), 0)

    running.runner.run(live())


CHANNELS = st.sampled_from(["insert", "signal", "control", "leader", "sonar", "gossip"])
WORDS = st.sampled_from(["pause", "resume", "scale", "start", "stop", "pkill", "any", "hostile"])
PAYLOADS = st.dictionaries(
    st.sampled_from(["action", "queue", "ident", "limit", "paused", "uuid", "node", "down", "name",
                     "signal", "job_id", "ping", "option", "local_limit"]),
    WORDS | st.text(max_size=9) | PRINTABLE.filter(lambda value: value not in ("default", "*")),
    max_size=6,
).map(lambda found: json.dumps(found, default=str)) | JSON_TEXTS | st.text(max_size=50)  # fmt: skip
SPELLED = st.builds(
    lambda text, spell: spell(text),
    PAYLOADS,
    st.sampled_from([str, packed, lambda text: "Z:" + packed(text)]),
)


@BOUNDED
@given(messages=st.lists(st.tuples(CHANNELS, SPELLED), min_size=1, max_size=20))
@pytest.mark.parametrize("running", ["postgres"], indirect=True)
def test_no_notification_stops_anything(running: Running, messages: list[tuple[str, str]]) -> None:
    async def live() -> None:
        for channel, payload in messages:
            await running.beside.notify(channel, payload)
        await running.good_job_runs()

    running.runner.run(live())
