"""The hot statements, at a size, with the indexes that their files name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from staffa.chunking import ChunkRule
from staffa.drivers.asyncpg import Access
from staffa.engine import Ack, Checkpoint, Lease, Producer, Statement
from staffa.engines.statements.chunks import ChunkStatements, Follower, Formed
from staffa.engines.statements.jobs import JobStatements
from staffa.engines.statements.limited import Ring, Weights
from staffa.engines.statements.limits import LimitStatements
from staffa.engines.statements.operations import OperationStatements
from staffa.engines.statements.rescues import RescueStatements
from staffa.engines.statements.rounds import Entry
from staffa.engines.statements.signals import SignalStatements
from staffa.engines.statements.surveys import SurveyStatements
from staffa.engines.statements.unique import UniqueStatements
from staffa.filters import JobFilter
from staffa.jobs import Job
from staffa.limits import Partition
from staffa.types import State
from staffa.unique import Replace
from tests.plans.tables import PRODUCERS, QUEUE

LIMITS = (10, 500, 5000)
PRODUCER = Producer(PRODUCERS[0], "Staffa", "node.1")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
PRIMARY = {"oban_jobs_pkey"}
CLAIM = {"staffa_jobs_claim"}
STAGE = {"staffa_jobs_stage"}
LEASE = {"staffa_jobs_lease"}
FINISHED = {"staffa_jobs_finished"}
RINGS = {"staffa_jobs_ring"}
LIMITED = {"staffa_jobs_limited"}
RULES = [
    ChunkRule(("tests.Worker", "tests.Old"), 100, 1.0, ("args.id", "meta.kind")),
    ChunkRule(("tests.Load",), 100, 1.0),
]
RING = Ring(QUEUE, Partition("args.tenant"))

Build = Callable[[JobStatements, RescueStatements, int], Statement[Any]]


def _leases(count: int) -> list[Lease]:
    return [Lease(number, 1, datetime.now(UTC)) for number in range(1, count + 1)]


def _acks(count: int) -> list[Ack]:
    return [Ack(lease=lease, state=State.COMPLETED) for lease in _leases(count)]


def _failures(count: int) -> list[Ack]:
    return [Ack(lease=lease, state=State.RETRYABLE, error="it") for lease in _leases(count)]


def _ids(count: int) -> list[int]:
    return list(range(1, count + 1))


def _dead(count: int) -> dict[Any, int]:
    return dict.fromkeys(PRODUCERS[:2], count)


def _operations(jobs: JobStatements) -> OperationStatements:
    return OperationStatements(jobs._prefix)


def _signals(jobs: JobStatements) -> SignalStatements:
    return SignalStatements(jobs._prefix)


def _surveys(jobs: JobStatements) -> SurveyStatements:
    return SurveyStatements(jobs._prefix)


def _portion(count: int) -> JobFilter:
    """Return a filter as a portion of a larger operation has it."""
    return JobFilter(ids=_ids(count), states=["available", "executing"], args={"id": 1})


def _unique(jobs: JobStatements) -> UniqueStatements:
    return UniqueStatements(jobs._prefix)


def _entries(count: int) -> dict[int, Entry]:
    replace: Replace = {"scheduled": ["args", "scheduled_at"]}
    jobs = [Job(worker="w", args={"n": n}, unique=True, replace=replace) for n in range(count)]
    return {place: Entry(job, job.unique_key) for place, job in enumerate(jobs)}


def _chunks(jobs: JobStatements) -> ChunkStatements:
    return ChunkStatements(jobs._prefix)


def _limits(jobs: JobStatements) -> LimitStatements:
    return LimitStatements(jobs._prefix)


def _quotas(count: int) -> dict[str, tuple[int, int | None]]:
    return {f"{RING.prefix}[{number}]": (1, 5) for number in range(count)}


HOT: dict[str, tuple[Build, set[str]]] = {
    "claim": (lambda jobs, _, size: jobs.claim(QUEUE, size, PRODUCER), CLAIM | PRIMARY),
    "claim others": (
        lambda jobs, _, size: jobs.claim(QUEUE, size, PRODUCER, ["tests.Load", "tests.Old"]),
        CLAIM | PRIMARY,
    ),
    "look for chunks": (
        lambda jobs, _, size: _chunks(jobs).look(QUEUE, 20 * size, size, RULES),
        CLAIM,
    ),
    "claim chunks": (
        lambda jobs, _, size: _chunks(jobs).claim(
            QUEUE, [Formed(_ids(size), rule) for rule in RULES], PRODUCER
        ),
        PRIMARY,
    ),
    "join chunks": (
        lambda jobs, _, size: _chunks(jobs).join(
            QUEUE, [Follower(number, 1, "") for number in _ids(size)], PRODUCER, NOW
        ),
        PRIMARY,
    ),
    "ack": (lambda jobs, _, size: jobs.ack(_failures(size), PRODUCER), PRIMARY),
    "ack what nobody holds": (
        lambda jobs, _, size: jobs.ack(_failures(size), PRODUCER, wait=False),
        PRIMARY,
    ),
    "complete": (lambda jobs, _, size: jobs.ack(_acks(size), PRODUCER), PRIMARY),
    "complete what nobody holds": (
        lambda jobs, _, size: jobs.ack(_acks(size), PRODUCER, wait=False),
        PRIMARY,
    ),
    "holds": (lambda jobs, _, size: jobs.find_holds(PRODUCER, _leases(size)), PRIMARY),
    "trace": (lambda jobs, _, size: jobs.trace(_acks(size), PRODUCER), PRIMARY),
    "checkpoint": (
        lambda jobs, _, size: jobs.checkpoint(
            [Checkpoint(lease, {"progress": 1}) for lease in _leases(size)], PRODUCER
        ),
        PRIMARY,
    ),
    "find signals": (
        lambda jobs, _, size: _signals(jobs).find(_leases(size), PRODUCER),
        PRIMARY,
    ),
    "signal": (lambda jobs, _, size: _signals(jobs).signal(_ids(size), "go", "1"), PRIMARY),
    "stage": (
        lambda jobs, _, size: jobs.stage(size, [QUEUE, "no such queue"]),
        STAGE | PRIMARY | CLAIM,
    ),
    "cancel": (lambda jobs, _, size: _operations(jobs).cancel(_ids(size)), PRIMARY),
    "cancel a portion": (
        lambda jobs, _, size: _operations(jobs).cancel(_portion(size), wait=False),
        PRIMARY,
    ),
    "retry a portion": (
        lambda jobs, _, size: _operations(jobs).retry(_portion(size), wait=False),
        PRIMARY,
    ),
    "delete a portion": (
        lambda jobs, _, size: _operations(jobs).delete(_portion(size), wait=False),
        PRIMARY,
    ),
    "update a portion": (
        lambda jobs, _, size: _operations(jobs).change(_portion(size), {"priority": 1}, wait=False),
        PRIMARY,
    ),
    "pick": (lambda jobs, _, size: _operations(jobs).pick(_portion(size)), PRIMARY),
    "find": (
        lambda jobs, _, size: _operations(jobs).find(
            JobFilter(states=["available"], args={"id": 1}), 0, 2**31, 10 * size
        ),
        PRIMARY,
    ),
    "span": (lambda jobs, _, size: _operations(jobs).span(2**31, 10 * size), PRIMARY),
    "find lost leases": (
        lambda jobs, _, size: jobs.find_lost_leases(PRODUCER, _leases(size)),
        PRIMARY,
    ),
    "release": (
        lambda _, rescues, size: rescues.release(PRODUCER, queue=None, running=_ids(size)),
        LEASE | PRIMARY,
    ),
    "release a queue": (
        lambda _, rescues, size: rescues.release(PRODUCER, queue=QUEUE, running=_ids(size)),
        LEASE | PRIMARY,
    ),
    "rescue": (
        lambda _, rescues, size: rescues.rescue(_dead(size), max_rescues=3, limit=size),
        LEASE | PRIMARY,
    ),
    "rescue foreign": (
        lambda _, rescues, size: rescues.rescue_foreign(age=3600, limit=size),
        LEASE | PRIMARY,
    ),
    "discard exhausted": (
        lambda _, rescues, size: rescues.discard_exhausted(limit=size),
        CLAIM | PRIMARY,
    ),
    "count available": (
        lambda jobs, _, size: jobs.count_available({QUEUE: size, "no such queue": size}),
        CLAIM,
    ),
    "count running": (lambda jobs, _, size: _surveys(jobs).count_running(), LEASE),
    "count waiting": (lambda jobs, _, size: _surveys(jobs).count_waiting(size), CLAIM | STAGE),
    "count ended": (lambda jobs, _, size: _surveys(jobs).count_ended(10), FINISHED | STAGE),
    "count outcomes": (lambda jobs, _, size: _surveys(jobs).count_outcomes(10), FINISHED | STAGE),
    "list running": (lambda jobs, _, size: _surveys(jobs).list_running(size), LEASE),
    "list failed": (lambda jobs, _, size: _surveys(jobs).list_failed(size), FINISHED | STAGE),
    "enqueue unique": (lambda jobs, _, size: _unique(jobs).enqueue(_entries(size)), PRIMARY),
    "enqueue new unique": (
        lambda jobs, _, size: _unique(jobs).write_new(list(_entries(size).values())),
        set(),
    ),
    "enqueue new unique alone": (
        lambda jobs, _, size: _unique(jobs).insert_new(list(_entries(size).values())),
        set(),
    ),
    "take back": (lambda jobs, _, size: _unique(jobs).take_back(_ids(size)), PRIMARY),
    "prune unique keys": (lambda jobs, _, size: _unique(jobs).prune("", size), PRIMARY),
    "look at a limit": (
        lambda jobs, _, size: _limits(jobs).look(QUEUE, counted=True, node=None),
        LIMITED,
    ),
    "strays": (
        lambda jobs, _, size: _limits(jobs).find_strays(QUEUE, RING.partition, None),
        LEASE,
    ),
    "sweep": (
        lambda jobs, _, size: _limits(jobs).sweep(RING, (0, "2026-01-01 00:00:00", 5), size),
        CLAIM,
    ),
    "tail": (lambda jobs, _, size: _limits(jobs).find_unsigned(RING, size), CLAIM),
    "sign": (lambda jobs, _, size: _limits(jobs).sign(RING, _ids(size)), PRIMARY),
    "walk the partitions": (
        lambda jobs, _, size: _limits(jobs).walk(
            RING,
            0,
            wanted=size,
            cursors={},
            slots=2,
            node=None,
            strays={},
            now=NOW,
            weights=Weights(),
        ),
        RINGS | LIMITED,
    ),
    "take from partitions": (
        lambda jobs, _, size: _limits(jobs).take(
            RING, 0, _quotas(size), tokens=9, now=NOW, producer=PRODUCER, weights=Weights()
        ),
        RINGS | PRIMARY,
    ),
    "take under a limit": (
        lambda jobs, _, size: _limits(jobs).take_flat(
            QUEUE, size, tokens=9, now=NOW, producer=PRODUCER, weights=Weights()
        ),
        CLAIM | PRIMARY,
    ),
    "claim under a limit": (
        lambda jobs, _, size: _limits(jobs).claim(
            QUEUE, size, PRODUCER, options="{}", allowed=9, node=None
        ),
        CLAIM | LIMITED | PRIMARY,
    ),
    "claim in turns": (
        lambda jobs, _, size: _limits(jobs).claim_in_turns(
            RING, size, PRODUCER, used_at=NOW, slots=9, node=None, sweep={}, page=size
        ),
        CLAIM | RINGS | LIMITED | PRIMARY,
    ),
    "head of a limited queue": (
        lambda jobs, _, size: _limits(jobs).weigh_head(QUEUE, Weights()),
        CLAIM,
    ),
    "waiting partitions": (lambda jobs, _, size: _limits(jobs).find_waiting(RING, 2), RINGS),
    "list a stretch": (
        lambda jobs, _, size: _operations(jobs).select(
            JobFilter(states=["retryable"], after_id=50_000, before_id=50_000 + size), 100
        ),
        PRIMARY,
    ),
}


ACCESS = {
    "claim": Access.ORDERED,
    "claim others": Access.ORDERED,
    "ack": Access.PROBES,
    "ack what nobody holds": Access.PROBES,
    "complete": Access.PROBES,
    "complete what nobody holds": Access.PROBES,
    "trace": Access.PROBES,
    "look at a limit": Access.ORDERED,
    "strays": Access.ORDERED,
    "sweep": Access.ORDERED,
    "tail": Access.ORDERED,
    "sign": Access.ORDERED,
    "walk the partitions": Access.ORDERED,
    "take from partitions": Access.ORDERED,
    "take under a limit": Access.ORDERED,
    "claim under a limit": Access.ORDERED,
    "claim in turns": Access.ORDERED,
    "head of a limited queue": Access.ORDERED,
    "waiting partitions": Access.ORDERED,
}
"""Those that the engine runs on connections of their own, by plans that are made once."""


def build(name: str, prefix: str, size: int) -> Statement[Any]:
    """Return a statement of a schema, as the engine builds it for so many jobs."""
    make, _ = HOT[name]
    return make(JobStatements(prefix), RescueStatements(prefix), size)
