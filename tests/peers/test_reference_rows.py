"""Every row that was recorded from Elixir Oban is read as it is, and written by us in its shape.

The rows are those of 2.23.1 and 2.24-dev, on a table of the form of its schema version 14. What is
shorter to say in all engines is in `tests/conformance/test_elixir_rows.py`; here is the rest.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from staffa import Cancel, Discard, Job, Unique
from staffa._internal.identifiers import quote_identifier
from staffa._internal.sql import load_sql
from staffa.cron.stored import StoredCron
from staffa.engine import Engine, Producer
from staffa.errors import InvalidJob
from staffa.types import State
from tests.conformance.play import Play, shape
from tests.conformance.stores import DATA as SCHEMAS
from tests.conformance.stores import PostgresStore
from tests.conformance.work import ids, new_producer, outcome
from tests.peers.transcript import DATA
from tests.support.foreign_schemas import ELIXIR
from tests.support.schemas import Schemas

FILES = ("elixir_rows.json", "elixir_2_23_1_rows.json")
Case = tuple[str, dict[str, Any]]


def recorded(name: str) -> list[Case]:
    """Return the cases of a file whose row is a job's, in their order."""
    cases = json.loads((DATA / name).read_text("utf-8"))
    return [
        (case["case"], case["row"])
        for case in cases
        if isinstance(case["row"], dict) and "worker" in case["row"]
    ]


ELSEWHERE = set(json.loads((SCHEMAS / "elixir_rows.json").read_text("utf-8")))
NOT_OURS = {
    "insert: scheduled_at in the past": "we insert it as available, which is as well",
    "insert: state suspended": "nobody can insert a suspended job with us",
    "retryable, worker module does not exist": "we put it back",
}
NUMBERS = count(1_000_000)


@pytest.fixture(scope="module")
def elixir_schemas(dsn: str) -> Iterator[Schemas]:
    """Schemas of Elixir Oban that were adopted."""
    made = Schemas(dsn, ELIXIR)
    yield made
    made.close()


@pytest.fixture
async def store(elixir_schemas: Schemas) -> AsyncIterator[PostgresStore]:
    """A table of Elixir's form."""
    made = PostgresStore(elixir_schemas)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def engine(store: PostgresStore) -> Engine:
    return store.engine()


@pytest.fixture
def producer() -> Producer:
    return new_producer()


async def insert(store: PostgresStore, row: dict[str, Any]) -> int:
    """Insert a row as it was recorded but for its number, and return that."""
    number = next(NUMBERS)
    await store.connection.execute(
        f"INSERT INTO {store._table}"
        f" SELECT * FROM json_populate_record(NULL::{store._table}, $1::text::json)",
        json.dumps({**row, "id": number}),
    )
    return number


def as_read(row: dict[str, Any]) -> dict[str, Any]:
    """Return what a row is for us."""

    def at(text: str | None) -> datetime | None:
        return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)

    changed = {name: at(value) for name, value in row.items() if name.endswith("_at")}
    return {**row, **changed, "tags": tuple(row["tags"])}


def told_by(job: Job, row: dict[str, Any]) -> dict[str, Any]:
    """Return what a job tells in place of each column."""
    found = {name: getattr(job, name) for name in row}
    by = found["attempted_by"]
    return {
        **found,
        "id": row["id"],
        "errors": list(found["errors"]),
        "attempted_by": None if by is None else list(by),
    }


async def test_every_recorded_row_is_read_as_it_is(store: PostgresStore, engine: Engine) -> None:
    for name in FILES:
        for case, row in recorded(name):
            number = await insert(store, row)
            (job,) = await engine.get_jobs([number])
            assert told_by(job, row) == as_read(row), case


async def test_a_snooze_that_raised_max_attempts_changes_nothing_for_us(
    store: PostgresStore, engine: Engine, producer: Producer
) -> None:
    rows = dict(recorded("elixir_2_23_1_rows.json"))
    row = {**rows["snoozed once for 3600 s"], "state": "available"}
    number = await insert(store, row)
    (job,) = await engine.claim_jobs(row["queue"], 1, producer)
    assert (job.id, job.attempt, job.max_attempts) == (number, 2, 21)
    await engine.ack_jobs([outcome(job, State.COMPLETED)], producer)
    assert (await store.row(number))["state"] == "completed"


Recipe = Callable[[Play], Awaitable[object]]
RECIPES: dict[str, Recipe] = {}
UNIQUE = Unique(keys=["id"], period=60)
ALL_STATES = Unique(fields=["worker", "queue", "args", "meta"], keys=["id"], states="all")
REPLACEABLE = ("args", "priority", "tags", "max_attempts", "meta", "scheduled_at", "queue")


def reproduces(*cases: str) -> Callable[[Recipe], Recipe]:
    """Register how the rows of cases are made."""

    def register(recipe: Recipe) -> Recipe:
        RECIPES.update(dict.fromkeys(cases, recipe))
        return recipe

    return register


@reproduces("(to be cancelled)", "insert_all")
async def _(play: Play) -> None:
    scheduled = {"scheduled_in": 10} if play.reference["state"] == "scheduled" else {}
    given = {"priority": play.reference["priority"], **scheduled}
    job = Job(**{name: play.reference[name] for name in ("worker", "queue", "args")}, **given)
    play.ids = ids(await play.engine.enqueue_jobs([job, Job(worker="Other")]))


@reproduces("insert: schedule_in {5, :minutes}")
async def _(play: Play) -> None:
    await play.insert(scheduled_in=300)


@reproduces(
    "insert: worker level options (UniqueWorker queue uniq, unique keys [:id], priority 2, tags,"
    " max_attempts 7)",
    "insert: UniqueWorker other key",
)
async def _(play: Play) -> None:
    options = {name: play.reference[name] for name in ("priority", "tags", "max_attempts")}
    await play.insert(unique=UNIQUE, scheduled_in=300, **options)


@reproduces("insert: UniqueWorker same key again  [conflict?: true]")
async def _(play: Play) -> None:
    await RECIPES["insert: UniqueWorker other key"](play)
    await same_again(play, Unique(keys=["id"], period=60), args={"id": 1, "note": "second"})


@reproduces("insert: unique: true")
async def _(play: Play) -> None:
    await play.insert(unique=True)


@reproduces("insert: unique: true duplicate  [conflict?: true]")
async def _(play: Play) -> None:
    await play.insert(unique=True)
    await same_again(play, True)


@reproduces(
    "insert: unique [period: :infinity, fields [:worker, :queue, :args, :meta], keys [:id],"
    " states :all]"
)
async def _(play: Play) -> None:
    await play.insert(unique=ALL_STATES, meta=play.reference["meta"])


@reproduces("insert: same duplicate  [conflict?: true]")
async def _(play: Play) -> None:
    await play.insert(unique=ALL_STATES, meta=play.reference["meta"])
    await same_again(play, ALL_STATES, meta=play.reference["meta"])


@reproduces("insert: unique [period: 60, timestamp: :scheduled_at, states :incomplete]")
async def _(play: Play) -> None:
    unique = Unique(period=60, timestamp="scheduled_at", states="incomplete")
    await play.insert(unique=unique, scheduled_in=5)


@reproduces("insert: replace target, scheduled")
async def _(play: Play) -> None:
    await play.insert(unique=UNIQUE, scheduled_in=3600, args={"id": 77, "v": 1})


@reproduces(
    "insert: replace: [scheduled: [:args, :priority, :tags, :max_attempts, :meta, :scheduled_at,"
    " :queue]] on conflict  [conflict?: true]"
)
async def _(play: Play) -> None:
    await RECIPES["insert: replace target, scheduled"](play)
    await same_again(
        play, UNIQUE, args={"id": 77, "v": 2}, replace={"scheduled": REPLACEABLE},
        priority=4, tags=["replaced"], max_attempts=9, meta={"m": 2}, scheduled_in=7200,
    )  # fmt: skip


@reproduces(
    "insert: replace list [:args] (all states) on conflict  [conflict?: true]",
    "insert: replace: [available: [:args]] while the existing job is scheduled (nothing replaced)"
    "  [conflict?: true]",
)
async def _(play: Play) -> None:
    (first,) = [case for case in RECIPES if case.startswith("insert: replace: [scheduled")]
    await RECIPES[first](play)
    await same_again(play, UNIQUE, args={"id": 77, "v": 3}, replace={"scheduled": ["args"]})
    await same_again(play, UNIQUE, args={"id": 77, "v": 4}, replace={"available": ["args"]})


async def same_again(play: Play, unique: Unique | bool, **options: Any) -> None:
    """Insert a job that is the same as the one before, which is returned for it."""
    given = {name: play.reference[name] for name in ("worker", "queue", "args")} | options
    (job,) = await play.engine.enqueue_jobs([Job(unique=unique, **given)])
    assert (job.conflict, [job.id]) == (True, play.ids)


@reproduces("completed, returned {:ok, value}", "completed, returned an unexpected value :whatever")
async def _(play: Play) -> None:
    await play.insert()
    await play.run("whatever")


@reproduces(
    "retryable, returned {:error, map}", "retryable, raised ArgumentError", "retryable, throw",
    "retryable, exit", "retryable, process killed", "retryable, timeout 100 ms",
)  # fmt: skip
async def _(play: Play) -> None:
    await play.insert(max_attempts=play.reference["max_attempts"])
    await play.run(TimeoutError("timed out after 0.1 s"))


@reproduces("cancelled, returned {:cancel, :not_found}")
async def _(play: Play) -> None:
    await play.insert()
    await play.run(Cancel("not_found"))


@reproduces("discarded, returned :discard")
async def _(play: Play) -> None:
    await play.insert()
    await play.run(Discard("not needed"))


@reproduces("cron")
async def _(play: Play) -> None:
    meta, now = play.reference["meta"], datetime.now(UTC)
    entry = StoredCron(
        name=meta["cron_name"], expression=meta["cron_expr"], timezone=meta["cron_tz"], dst="cron",
        worker=play.reference["worker"], args=play.reference["args"],
        options={"queue": play.reference["queue"], "tags": play.reference["tags"]},
        active=True, last_tick=now, last_job_id=None, booted_at=now, registered_at=now,
        updated_at=now, read_at=now,
    )  # fmt: skip
    play.ids = ids(await play.engine.enqueue_jobs([entry.new_job(now)]))


async def test_every_row_has_the_shape_of_elixirs(
    store: PostgresStore, engine: Engine, producer: Producer
) -> None:
    tables = ", ".join(
        f"{quote_identifier(store._prefix)}.{name}" for name in ("oban_jobs", "staffa_unique")
    )
    for case, row in recorded(FILES[0]):
        if case in ELSEWHERE or case in NOT_OURS:
            continue
        await store.connection.execute(f"TRUNCATE {tables}")
        play = Play(engine, producer, row)
        await RECIPES[case](play)
        ours = await store.row(play.ids[0])
        ours["meta"].pop("cron_time", None)  # which minute it is for; they have no such key
        assert shape(ours) == shape(row), case


def test_every_recorded_row_is_one_that_we_write_or_have_a_reason_not_to() -> None:
    cases = {case for case, _ in recorded(FILES[0])}
    assert cases == {case for case, _ in recorded(FILES[1])}
    assert RECIPES.keys() | NOT_OURS.keys() | (ELSEWHERE & cases) == cases
    assert not RECIPES.keys() & NOT_OURS.keys()


@pytest.mark.parametrize("options", [{"priority": 10}, {"queue": ""}, {"max_attempts": 0}])
def test_what_elixir_refuses_to_insert_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidJob):
        Job(worker="Ref.OkWorker", **options)


def told(case: str) -> Iterator[Any]:
    """Yield what was recorded of a case that is no job's row, in each file."""
    for name in FILES:
        cases = json.loads((DATA / name).read_text("utf-8"))
        yield next(found["row"] for found in cases if found["case"].startswith(case))


async def test_a_recorded_leader_is_read_while_its_lease_lasts(store: PostgresStore) -> None:
    """By the time when it was recorded it has long expired."""
    peers = f"{quote_identifier(store._prefix)}.oban_peers"
    leaders = load_sql("staffa.engines.postgres", "peers/elixir_leaders.sql", store._prefix)
    for (row,) in told("oban_peers"):
        await store.connection.execute(
            f"INSERT INTO {peers}"
            f" SELECT * FROM json_populate_record(NULL::{peers}, $1::text::json)",
            json.dumps(row),
        )
        assert await store.connection.fetch(leaders) == []
        await store.connection.execute(f"UPDATE {peers} SET expires_at = now() + interval '1 day'")
        found = await store.connection.fetch(leaders)
        assert [tuple(leader) for leader in found] == [(row["name"], row["node"])]
        await store.connection.execute(f"DELETE FROM {peers}")


async def test_an_orphan_of_theirs_is_rescued_as_they_do_it(
    store: PostgresStore, engine: Engine
) -> None:
    rows = dict(recorded(FILES[0]))
    orphan = {**rows["completed, returned :ok"], "state": "executing", "completed_at": None}
    number = await insert(store, orphan)
    before = await store.row(number)
    (rescued,) = await engine.rescue_foreign_jobs(age=3600, limit=10)
    for (theirs,) in told("rescue_jobs returned"):
        assert theirs == {**theirs, "queue": rescued.queue, "state": rescued.state}
    assert await store.row(number) == {**before, "state": "available"}


async def test_all_of_their_jobs_that_have_ended_are_pruned_and_no_others(
    store: PostgresStore, engine: Engine
) -> None:
    """As `prune_jobs(max_age: -1)` did: it told of these three states alone."""
    ended = (State.CANCELLED, State.COMPLETED, State.DISCARDED)
    assert all(tuple(counts) == tuple(map(str, ended)) for counts in told("prune_jobs"))
    left = set()
    for _, row in recorded(FILES[0]):
        number = await insert(store, row)
        if row["state"] not in ended:
            left.add(number)
    for state in ended:
        found = await engine.find_oldest_finished(state, age=0.0, after=None, limit=100)
        assert await engine.prune_jobs(found) == {job.id for job in found}
    rows = await store.connection.fetch(f"SELECT id FROM {store._table}")
    assert {row["id"] for row in rows} == left
