"""What is measured, and what is asked of it: the table of targets, one case a figure.

A target is a ratio of two entries within one run on one machine; absolute figures drift.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.peers import (
    AWA,
    BARE,
    CELERY,
    CHANCY,
    DRAMATIQ,
    OBAN,
    PEERS,
    PGQUEUER,
    PROCRASTINATE,
    STAFFA,
    Peer,
)

Outcome = Mapping[str, Any]
"""What a run of a contender has told, with the CPU time of the server and its transactions."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One contender in one case.

    Args:
        label: How tables call it.
        peer: Who runs.
        action: What it is asked for.
        options: The arguments of the action.
        value: Makes the figure of an outcome.
        filled: How many jobs wait in the database when it begins.
        filling: What fills the database, with its arguments.
        jobs: How many jobs its costs are divided by; of those that wait, so many must be done in
            the end.
        processes: How many of its processes run at once.
        analyzed: Whether the server has statistics of the rows that wait.
        marked: Whether it says when that begins and ends which is measured of the server.
    """

    label: str
    peer: Peer
    action: str
    options: Mapping[str, Any]
    value: Callable[[Outcome], float]
    filled: int = 0
    filling: tuple[str, Mapping[str, Any]] = ("insert", {})
    jobs: int = 0
    processes: int = 1
    analyzed: bool = False
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked of a case.

    Args:
        text: In words.
        entry: Whose figure is judged.
        against: The figure that it is divided by; the figure itself if there is none.
        must: The bound that is asked for.
        stretch: The bound that is hoped for.
        metric: What makes the figures out of an entry's outcomes, if not its value.
        at_least: Whether the ratio is to be at least so large, or at most.
    """

    text: str
    entry: str
    against: str | None
    must: float
    stretch: float | None = None
    metric: Callable[[Outcome], float] | None = None
    at_least: bool = True

    def met(self, ratio: float, bound: float) -> bool:
        """Return whether a ratio meets a bound."""
        return ratio >= bound if self.at_least else ratio <= bound


@dataclass(frozen=True, slots=True)
class Case:
    """One measurement of several contenders."""

    name: str
    title: str
    unit: str
    entries: tuple[Entry, ...]
    targets: tuple[Target, ...] = ()
    notes: tuple[str, ...] = field(default=())


def _rate(jobs: int) -> Callable[[Outcome], float]:
    return lambda outcome: jobs / float(outcome["seconds"])


def _quantile(share: float) -> Callable[[Outcome], float]:
    def value(outcome: Outcome) -> float:
        waited = sorted(outcome["waited"])
        return 1_000 * float(waited[min(len(waited) - 1, int(share * len(waited)))])

    return value


def _median_wait(outcome: Outcome) -> float:
    return 1_000 * float(statistics.median(outcome["waited"]))


def _seconds(outcome: Outcome) -> float:
    return float(outcome["seconds"])


def _megabytes(outcome: Outcome) -> float:
    return float(outcome["resident"]) / 1_000_000


def _per_second(outcome: Outcome) -> float:
    return float(outcome["transactions"]) / float(outcome["seconds"])


def _process(peer: Peer, label: str = "", *, limit: int = 0, jobs: int = 0, **more: Any) -> Entry:
    jobs, limit = jobs or peer.jobs, limit or peer.limit
    return Entry(
        label or peer.name,
        peer,
        more.pop("action", "process"),
        {"jobs": jobs, "limit": limit},
        _rate(jobs),
        filled=jobs,
        jobs=jobs,
        **more,
    )


def _shared(label: str, processes: int) -> Entry:
    jobs = 200_000
    return Entry(
        label,
        STAFFA,
        "share",
        {"limit": 500},
        _rate(jobs),
        filled=jobs,
        jobs=jobs,
        processes=processes,
    )


def _insert(peer: Peer, jobs: int, label: str = "", action: str = "insert") -> Entry:
    return Entry(label or peer.name, peer, action, {"jobs": jobs}, _rate(jobs), jobs=jobs)


_REACTIONS = 300
_IDLING = (STAFFA, PGQUEUER, OBAN, PROCRASTINATE, CHANCY, AWA)
_IDLE_SECONDS = 30
_CPU_JOBS = 200
_THREAD_JOBS = 10_000


def _computing(label: str, name: str) -> Entry:
    return Entry(
        label,
        STAFFA,
        "process_all",
        {"jobs": _CPU_JOBS, "limit": 20},
        _seconds,
        filled=_CPU_JOBS,
        filling=("insert", {"name": name}),
        jobs=_CPU_JOBS,
    )


def _claiming(label: str, backlog: int, **more: Any) -> Entry:
    return Entry(
        label,
        STAFFA,
        more.pop("action", "claim"),
        {"limit": 500, "times": 20, **more.pop("options", {})},
        _median_wait,
        filled=backlog,
        analyzed=True,
        **more,
    )


_LIMITED_JOBS = 200_000


def _limited(label: str, tenants: int | None) -> Entry:
    """Return one that works under a global limit that never binds; None stands for no limit."""
    options = {"jobs": _LIMITED_JOBS, "limit": 500}
    return Entry(
        label,
        STAFFA,
        "process" if tenants is None else "process_limited",
        options if tenants is None else {**options, "tenants": tenants},
        _rate(_LIMITED_JOBS),
        filled=_LIMITED_JOBS,
        filling=("insert_for", {"tenants": tenants or 0}),
        jobs=_LIMITED_JOBS,
    )


_FLOW_JOBS = 40_080
_FAN_WIDTH = 1_000


def _composed(label: str, filling: str = "insert", **options: int) -> Entry:
    """Return one that works off jobs that belong together, or do not."""
    return Entry(
        label,
        STAFFA,
        "process",
        {"jobs": _FLOW_JOBS, "limit": 500},
        _rate(_FLOW_JOBS),
        filled=_FLOW_JOBS,
        filling=(filling, options),
        jobs=_FLOW_JOBS,
    )


def _claiming_in_turns(label: str, backlog: int) -> Entry:
    tenants = {"tenants": 20}
    return _claiming(
        label,
        backlog,
        action="claim_limited",
        options=tenants,
        filling=("insert_for", tenants),
    )


CASES = (
    Case(
        "process",
        "Working off jobs that do nothing, one worker process",
        "jobs/s",
        tuple(_process(peer) for peer in PEERS),
        (
            Target("of the bare loop at 500", "staffa", BARE.name, 0.6, 0.8),
            Target("times pgqueuer", "staffa", PGQUEUER.name, 2.5, 3.5),
            Target("times oban", "staffa", OBAN.name, 9.0),
        ),
    ),
    Case(
        "small",
        "The same at a limit of 20",
        "jobs/s",
        (
            _process(STAFFA, limit=20),
            _process(BARE, limit=20),
            _process(PGQUEUER, limit=20, jobs=10_000),
            _process(OBAN, limit=20, jobs=4_000),
        ),
        (Target("of the bare loop at 20", "staffa", BARE.name, 0.6, 0.8),),
    ),
    Case(
        "telemetry",
        "The same with somebody who listens",
        "jobs/s",
        (
            _process(STAFFA, "nobody"),
            _process(STAFFA, "metrics", action="process_measured"),
            _process(STAFFA, "JSON log", action="process_logged"),
        ),
        (Target("of the rate with nobody", "metrics", "nobody", 0.97),),
    ),
    Case(
        "two",
        "Two worker processes on one queue",
        "jobs/s",
        (_shared("one process", 1), _shared("two processes", 2)),
        (Target("times one process", "two processes", "one process", 1.2),),
    ),
    Case(
        "bulk",
        "Inserting in bulk",
        "jobs/s",
        (
            _insert(STAFFA, 50_000, "staffa, ids", "insert_ids"),
            _insert(STAFFA, 50_000, "staffa, jobs"),
            _insert(STAFFA, 50_000, "staffa, unique", "insert_unique"),
            _insert(PGQUEUER, 50_000),
            _insert(AWA, 50_000),
            _insert(OBAN, 10_000),
            _insert(PROCRASTINATE, 20_000),
            _insert(CHANCY, 10_000),
            _insert(CELERY, 3_000),
            _insert(DRAMATIQ, 10_000),
        ),
        (
            Target("times pgqueuer", "staffa, ids", PGQUEUER.name, 1.8, 2.2),
            Target("times awa-pg", "staffa, ids", AWA.name, 1.25),
            Target("of plain when unique", "staffa, unique", "staffa, ids", 0.6),
        ),
    ),
    Case(
        "single",
        "Inserting one job after the other, each with its wake-up",
        "jobs/s",
        tuple(_insert(peer, 2_000, action="insert_singly") for peer in PEERS),
        (Target("times pgqueuer", "staffa", PGQUEUER.name, 2.0, 2.3),),
    ),
    Case(
        "latency",
        "From the call that enqueues to the function's entry, worker idle: the median",
        "ms",
        tuple(
            Entry(peer.name, peer, "react", {"jobs": _REACTIONS}, _quantile(0.5))
            for peer in (*_IDLING, BARE)
        ),
        (
            Target("of oban's p50", "staffa", OBAN.name, 0.6, 0.45, at_least=False),
            Target(
                "of oban's p99",
                "staffa",
                OBAN.name,
                1.0,
                metric=_quantile(0.99),
                at_least=False,
            ),
        ),
    ),
    Case(
        "cpu",
        "200 jobs that compute 50 ms each",
        "s",
        (
            _computing("one process", "compute_in_thread"),
            _computing("process pool", "compute_in_process"),
        ),
        (Target("of one process", "process pool", "one process", 0.55, at_least=False),),
    ),
    Case(
        "threads",
        "10 000 synchronous jobs in threads, beside the same number of asynchronous ones",
        "jobs/s",
        (
            _process(STAFFA, "async", jobs=_THREAD_JOBS),
            _process(
                STAFFA,
                "threads",
                jobs=_THREAD_JOBS,
                filling=("insert", {"name": "count_in_thread"}),
            ),
        ),
        (Target("of the rate of async jobs", "threads", "async", 0.5),),
    ),
    Case(
        "idle",
        "Transactions of an idle worker process with ten queues",
        "transactions/s",
        tuple(
            Entry(peer.name, peer, "idle", {"seconds": _IDLE_SECONDS}, _per_second, marked=True)
            for peer in _IDLING
            if peer is not AWA  # it starts for no other queues than those of its tasks
        ),
        (Target("transactions a second", "staffa", None, 1.0, 0.6, at_least=False),),
    ),
    Case(
        "memory",
        "What lies in memory after 50 000 jobs (oban: 20 000)",
        "MB",
        (
            Entry(
                "staffa",
                STAFFA,
                "process",
                {"jobs": 50_000, "limit": 500},
                _megabytes,
                filled=50_000,
                jobs=50_000,
            ),
            Entry(
                OBAN.name,
                OBAN,
                "process",
                {"jobs": 20_000, "limit": 200},
                _megabytes,
                filled=20_000,
                jobs=20_000,
            ),
        ),
        (Target("of oban's", "staffa", OBAN.name, 1.1, at_least=False),),
    ),
    Case(
        "backlog",
        "A claim of 500 out of a backlog",
        "ms",
        (_claiming("10 000 rows", 10_000), _claiming("1 000 000 rows", 1_000_000)),
        (Target("of that at 10 000", "1 000 000 rows", "10 000 rows", 1.2, 1.0, at_least=False),),
    ),
    Case(
        "limits",
        "200 000 jobs under a global limit that never binds",
        "jobs/s",
        (
            _limited("no limit", None),
            _limited("global limit", 0),
            _limited("20 partitions", 20),
            _limited("10 000 partitions", 10_000),
        ),
        (
            Target("of the rate without", "global limit", "no limit", 0.8),
            Target("in 20 partitions, of one that has none", "20 partitions", "global limit", 0.6),
            Target(
                "in 10 000 partitions, of one that has none",
                "10 000 partitions",
                "global limit",
                0.5,
            ),
        ),
    ),
    Case(
        "turns",
        "A claim of 500 out of a backlog in 20 partitions",
        "ms",
        (
            _claiming_in_turns("10 000 rows", 10_000),
            _claiming_in_turns("1 000 000 rows", 1_000_000),
        ),
        (Target("of that at 10 000", "1 000 000 rows", "10 000 rows", 1.5, at_least=False),),
    ),
    Case(
        "flows",
        "Working off workflows, one worker process",
        "jobs/s",
        (
            _composed("plain jobs"),
            _composed("a flat workflow", "insert_flat"),
            _composed("workflows of 1, 1000 and 1", "insert_fans", width=_FAN_WIDTH),
        ),
        (
            Target("flat, of plain jobs", "a flat workflow", "plain jobs", 0.6),
            Target(
                "of 1, 1000 and 1, of plain jobs", "workflows of 1, 1000 and 1", "plain jobs", 0.5
            ),
        ),
    ),
)
