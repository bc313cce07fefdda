"""How SQLite runs the hot statements: by indexes, never through the whole table."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import staffa.engines.sqlite
from staffa.chunking import ChunkRule
from staffa.engine import Ack, Checkpoint, Lease, Producer, Statement
from staffa.engines.sqlite.functions import install
from staffa.engines.sqlite.statements.changes import ChangeStatements
from staffa.engines.sqlite.statements.chunks import ChunkStatements
from staffa.engines.sqlite.statements.idiom import SQLITE
from staffa.engines.sqlite.statements.jobs import JobStatements, StageStatements
from staffa.engines.sqlite.statements.limits import LimitStatements
from staffa.engines.sqlite.statements.nodes import BeatStatements
from staffa.engines.sqlite.statements.unique import UniqueStatements
from staffa.engines.statements.ages import AgeStatements
from staffa.engines.statements.chunks import Follower, Formed
from staffa.engines.statements.limited import Ring, Weights
from staffa.engines.statements.prunes import PruneStatements
from staffa.engines.statements.rescues import RescueStatements
from staffa.engines.statements.signals import SignalStatements
from staffa.engines.statements.surveys import SurveyStatements
from staffa.filters import JobFilter
from staffa.limits import Partition
from staffa.maintenance import Finished
from staffa.types import State
from staffa.waiting import Level, Waiting

FOLDER = Path(staffa.engines.sqlite.__file__).parent
PRODUCER = Producer(UUID(int=1), "Staffa", "node.1")
JOBS, STAGES = JobStatements("main", SQLITE), StageStatements("main", SQLITE)
CHANGES, RESCUES = ChangeStatements("main", SQLITE), RescueStatements("main", SQLITE)
PRUNES, PRODUCERS = PruneStatements("main", SQLITE), BeatStatements("main", SQLITE)
AGES, SIGNALS = AgeStatements("main", SQLITE), SignalStatements("main", SQLITE)
UNIQUE, SURVEYS = UniqueStatements("main", SQLITE), SurveyStatements("main", SQLITE)
CHUNKS, RULE = ChunkStatements("main", SQLITE), ChunkRule(("w", "v"), 100, 1.0, ("args.a",))
LIMITS, RING = LimitStatements("main", SQLITE), Ring("q", Partition("worker"))
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LEASES = [Lease(number, 1, datetime.now(UTC)) for number in range(1, 501)]
IDS = list(range(1, 501))
FINISHED = Finished(
    id=3, state=State.COMPLETED, queue="q", worker="w", age=9.0, ended_at="2026", version="77"
)
LEVEL = Level(queue="q", priority=5)
WAITING = Waiting(
    id=3, queue="q", worker="w", priority=5, own_priority=7, waited=9.0, due_since="2026"
)
PRIMARY, CLAIM, STAGE, LEASE, ENDED = (
    "INTEGER PRIMARY KEY", "staffa_jobs_claim", "staffa_jobs_stage", "staffa_jobs_lease",
    "staffa_jobs_finished",
)  # fmt: skip

RINGS, LIMITED = "staffa_jobs_ring", "staffa_jobs_limited"

HOT: dict[str, tuple[Callable[[], Statement[Any] | None], set[str]]] = {
    "claim": (lambda: JOBS.claim("q", 10, PRODUCER), {CLAIM, PRIMARY}),
    "claim others": (lambda: JOBS.claim("q", 10, PRODUCER, ["w"]), {CLAIM, PRIMARY}),
    "look for chunks": (lambda: CHUNKS.look("q", 1000, 10, [RULE]), {CLAIM, PRIMARY}),
    "claim chunks": (lambda: CHUNKS.claim("q", [Formed(IDS, RULE)], PRODUCER), {PRIMARY}),
    "join chunks": (
        lambda: CHUNKS.join("q", [Follower(number, 1, "") for number in IDS], PRODUCER, NOW),
        {PRIMARY},
    ),
    "survey of running jobs": (SURVEYS.count_running, {LEASE}),
    "survey of waiting jobs": (lambda: SURVEYS.count_waiting(100), {CLAIM, STAGE}),
    "survey of ended jobs": (lambda: SURVEYS.count_ended(1.0), {ENDED, STAGE}),
    "survey of outcomes": (lambda: SURVEYS.count_outcomes(3600.0), {ENDED, STAGE}),
    "running jobs": (lambda: SURVEYS.list_running(10), {LEASE}),
    "failed jobs": (lambda: SURVEYS.list_failed(10), {STAGE, ENDED}),
    "count_available": (lambda: JOBS.count_waiting("q", 10), {CLAIM}),
    "ack": (
        lambda: JOBS.ack([Ack(lease=one, state=State.COMPLETED) for one in LEASES], PRODUCER),
        {PRIMARY},
    ),
    "trace": (
        lambda: JOBS.trace([Ack(lease=one, state=State.COMPLETED) for one in LEASES], PRODUCER),
        {PRIMARY},
    ),
    "checkpoint": (
        lambda: JOBS.checkpoint([Checkpoint(one, {"a": 1}) for one in LEASES], PRODUCER),
        {PRIMARY},
    ),
    "find signals": (lambda: SIGNALS.find(LEASES, PRODUCER), {PRIMARY}),
    "signal": (lambda: SIGNALS.signal(IDS, "go", "1"), {PRIMARY}),
    "lost leases": (lambda: JOBS.find_lost_leases(PRODUCER, LEASES), {PRIMARY}),
    "stage": (STAGES.stage(10, ["q"]).parts[0], {STAGE, PRIMARY}),
    "waiting": (STAGES.stage(10, ["q"]).parts[1], {CLAIM}),
    "cancel": (CHANGES.cancelling(IDS).parts[1], {PRIMARY}),
    "retry": (CHANGES.retrying(IDS).parts[1], {PRIMARY}),
    "previous": (CHANGES.retrying(IDS).parts[0], {PRIMARY}),
    "delete": (lambda: CHANGES.delete(IDS), {PRIMARY}),
    "update": (lambda: CHANGES.update(IDS, {"priority": 1}), {PRIMARY}),
    "a portion": (
        lambda: CHANGES.update(JobFilter(ids=IDS, states=["available"]), {"priority": 1}),
        {PRIMARY},
    ),
    "get": (lambda: CHANGES.get(IDS), {PRIMARY}),
    "list": (lambda: CHANGES.select(JobFilter(after_id=5, states=["available"]), 9), {PRIMARY}),
    "find": (lambda: CHANGES.find(JobFilter(states=["available"]), 1, 9, 9), {PRIMARY}),
    "span": (lambda: CHANGES.span(100, 9), {PRIMARY}),
    "bounds": (lambda: CHANGES.bounds(JobFilter(states=["executing"])), {LEASE}),
    "bounds of all live": (
        lambda: CHANGES.bounds(JobFilter(states=["executing", "available", "retryable"])),
        {LEASE, CLAIM, STAGE, PRIMARY},
    ),
    "count": (lambda: CHANGES.count(JobFilter(states=["available"])), {CLAIM}),
    "release": (lambda: RESCUES.release(PRODUCER, queue="q", running=IDS), {LEASE}),
    "rescue": (
        lambda: RESCUES.rescue({PRODUCER.uuid: 3}, max_rescues=3, limit=9),
        {LEASE, PRIMARY},
    ),
    "rescue foreign": (lambda: RESCUES.rescue_foreign(age=5.0, limit=9), {LEASE, PRIMARY}),
    "discard exhausted": (lambda: RESCUES.discard_exhausted(limit=9), {CLAIM, PRIMARY}),
    "oldest finished": (
        lambda: PRUNES.find_oldest(State.COMPLETED, age=5.0, after=FINISHED, limit=9),
        {ENDED},
    ),
    "newest finished": (
        lambda: PRUNES.find_newest(State.COMPLETED, age=5.0, before=None, limit=9),
        {ENDED},
    ),
    "prune": (lambda: PRUNES.prune([FINISHED]), {PRIMARY}),
    "levels": (lambda: AGES.find_levels(after=LEVEL, limit=9), {CLAIM, PRIMARY}),
    "oldest waiting": (
        lambda: AGES.find_oldest(LEVEL, age=5.0, after=WAITING, limit=9),
        {CLAIM},
    ),
    "raise": (lambda: AGES.raise_to([WAITING], [4]), {PRIMARY}),
    "remove a producer": (lambda: PRODUCERS.remove(PRODUCER), {LEASE}),
    "look at a limit": (lambda: LIMITS.look("q", counted=True, node=None), {LIMITED}),
    "strays": (lambda: LIMITS.find_strays("q", RING.partition, None), {LEASE}),
    "sweep": (lambda: LIMITS.sweep(RING, (0, "2026-01-01 00:00:00.000000", 5), 100), {CLAIM}),
    "tail": (lambda: LIMITS.find_unsigned(RING, 50), {CLAIM, PRIMARY}),
    "sign": (lambda: LIMITS.sign(RING, IDS), {PRIMARY}),
    "walk the partitions": (
        lambda: LIMITS.walk(
            RING,
            0,
            wanted=5,
            cursors={},
            slots=1,
            node=None,
            strays={},
            now=NOW,
            weights=Weights(),
        ),
        {RINGS, LIMITED},
    ),
    "take from partitions": (
        lambda: LIMITS.take(
            RING, 0, {"k": (5, None)}, tokens=None, now=NOW, producer=PRODUCER, weights=Weights()
        ),
        {RINGS, PRIMARY},
    ),
    "take under a limit": (
        lambda: LIMITS.take_flat(
            "q", 5, tokens=None, now=NOW, producer=PRODUCER, weights=Weights()
        ),
        {CLAIM, PRIMARY},
    ),
    "head": (lambda: LIMITS.weigh_head("q", Weights()), {CLAIM}),
    "waiting partitions": (lambda: LIMITS.find_waiting(RING, 2), {RINGS}),
    "holders of keys": (UNIQUE.write({})[0], {PRIMARY}),
}

TEXTS = {
    str(path.relative_to(FOLDER / "sql")): path.read_text("utf-8")
    for path in sorted((FOLDER / "sql").rglob("*.sql"))
}


@pytest.fixture(scope="module", params=["without statistics", "with statistics"])
def raw(request: pytest.FixtureRequest) -> Iterator[sqlite3.Connection]:
    """Tables with a long history and few jobs that wait or run."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as made:
        install(made)
        for path in sorted((FOLDER / "migrations").glob("*.up.sql")):
            made.executescript(path.read_text("utf-8"))
        for state, count in {
            "completed": 20_000, "available": 200, "executing": 50, "scheduled": 50,
        }.items():  # fmt: skip
            made.execute(
                "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?)"
                " INSERT INTO oban_jobs (state, worker, queue, attempted_by, completed_at)"
                " SELECT ?, 'w', 'q', json_array('a', 'b'), '2026-01-01 00:00:00.000000' FROM n",
                (count, state),
            )
        if request.param == "with statistics":
            made.execute("ANALYZE")
        yield made


@pytest.mark.parametrize("name", HOT)
def test_a_hot_statement_uses_its_indexes_and_never_reads_the_table(
    raw: sqlite3.Connection, name: str
) -> None:
    build, indexes = HOT[name]
    statement = build()
    assert statement is not None
    params = {str(place): value for place, value in enumerate(statement.params, start=1)}
    plan = [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement.sql}", params)]
    used = {
        match[1]
        for line in plan
        for match in [re.search(r"USING (?:COVERING )?(INTEGER PRIMARY KEY|INDEX (\w+))", line)]
        if match
    }
    found = {index.removeprefix("INDEX ") for index in used}
    ours = {index for index in found if index == PRIMARY or index.startswith("staffa_jobs")}
    assert ours == indexes, plan
    tables = r"SCAN (oban_jobs|job|candidate|due|exhausted|stretch)\b(?! USING)"
    bounded = "CO-ROUTINE job" in plan  # then what is scanned is a stretch, not the table
    assert bounded or not [line for line in plan if re.search(tables, line)], plan


@pytest.mark.parametrize("name", TEXTS)
def test_a_file_holds_one_statement_whose_head_names_its_parameters_and_index(name: str) -> None:
    lines = TEXTS[name].splitlines()
    end = next(number for number, line in enumerate(lines) if not line.startswith("--"))
    head, body = "\n".join(lines[:end]), "\n".join(lines[end:])
    assert re.match(r"-- [A-Z].+", head)
    assert re.search(r"Index: .*(primary key|staffa_\w+|none)", head, re.DOTALL)
    assert set(re.findall(r"\$\d+", body)) == set(re.findall(r"\$\d+", head))
    assert body.count(";") == 1
    assert sqlite3.complete_statement(body)


@pytest.mark.parametrize("name", TEXTS)
def test_sqlite_prepares_a_file_as_it_stands(raw: sqlite3.Connection, name: str) -> None:
    numbers = re.findall(r"\$(\d+)", TEXTS[name])
    raw.execute(f"EXPLAIN {TEXTS[name]}", dict.fromkeys(numbers, "[]")).fetchall()
