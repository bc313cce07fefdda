"""Who is measured: each with its requirements and its best settings."""

from __future__ import annotations

from dataclasses import dataclass

from bench.environments import Environment

UVLOOP = "uvloop==0.23.0"


@dataclass(frozen=True, slots=True)
class Peer:
    """A job system.

    Args:
        name: How tables call it.
        module: The program in ``bench/contenders``.
        requirements: What its environment holds.
        settings: What is set for the sake of its speed, in words.
        limit: The limit at which it is quickest.
        jobs: How many jobs it gets, so that a run takes a few seconds.
        done: SQL that counts the jobs that the database calls done; none where only the system
            itself can tell.
        redis: Whether Redis is its database.
    """

    name: str
    module: str
    requirements: tuple[str, ...]
    settings: str
    limit: int = 500
    jobs: int = 20_000
    done: str | None = None
    redis: bool = False

    @property
    def environment(self) -> Environment:
        """Where it runs."""
        return Environment(self.module.rstrip("_"), self.requirements)


_COMPLETED = "SELECT count(*) FROM oban_jobs WHERE state = 'completed'"

STAFFA = Peer(
    "staffa",
    "staffa_",
    ("-e", ".", UVLOOP),
    "limit 500, all else as it comes",
    jobs=200_000,
    done=_COMPLETED,
)
BARE = Peer(
    "bare loop",
    "bare",
    ("asyncpg==0.32.0", "orjson>=3.10", UVLOOP),
    "the same table, but for its one index, which the claim needs; batches of 500, two connections",
    jobs=300_000,
    done=_COMPLETED,
)
PGQUEUER = Peer(
    "pgqueuer 1.6",
    "pgqueuer_",
    ("pgqueuer[asyncpg]==1.6.0", UVLOOP),
    "asyncpg, batches of 500; rows are deleted when done",
    jobs=80_000,
    done="SELECT count(*) FROM pgqueuer_log WHERE status = 'successful'",
)
OBAN = Peer(
    "oban 0.7",
    "oban_",
    ("oban==0.7.0", UVLOOP),
    "psycopg's binary build, a pool of 10, limit 200",
    limit=200,
    jobs=15_000,
    done=_COMPLETED,
)
PROCRASTINATE = Peer(
    "procrastinate 3.10",
    "procrastinate_",
    ("procrastinate==3.10.0", "psycopg[binary]==3.3.9", UVLOOP),
    "psycopg's binary build, concurrency 20",
    limit=20,
    jobs=1_000,
    done="SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded'",
)
CHANCY = Peer(
    "chancy 0.26",
    "chancy_",
    ("chancy==0.26.0", "psycopg[binary]==3.3.9", UVLOOP),
    "its executor for asyncio, concurrency 500, eager polling",
    jobs=5_000,
    done="SELECT count(*) FROM chancy_jobs WHERE state = 'succeeded'",
)
AWA = Peer("awa-pg 0.6", "awa_", ("awa-pg==0.6.9", UVLOOP), "500 workers, COPY for bulk")
CELERY = Peer(
    "celery 5.7 + Redis",
    "celery_",
    ("celery[redis]==5.7.0",),
    "threads, no limit of prefetch, results ignored, no gossip, mingle or heartbeat",
    limit=8,
    jobs=3_000,
    redis=True,
)
DRAMATIQ = Peer(
    "dramatiq 2.2 + Redis",
    "dramatiq_",
    ("dramatiq[redis]==2.2.1",),
    "eight threads in one process",
    limit=8,
    jobs=6_000,
    redis=True,
)
PEERS = (STAFFA, BARE, PGQUEUER, OBAN, PROCRASTINATE, CHANCY, AWA, CELERY, DRAMATIQ)
