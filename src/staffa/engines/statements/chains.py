"""The statements of chains; each verb is the file of that name in ``sql/chains/``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any

import orjson

from staffa.chains import Chain
from staffa.dialogues import Dialogue
from staffa.engine import Statement, Statements
from staffa.engines.statements.area import Area, Rows
from staffa.jobs import Job
from staffa.statement import Part
from staffa.types import State

Wait = tuple[int | str, int | str]
"""What waits, and what it waits for: ids of jobs and of flows."""


class ChainStatements(Area):
    """What has jobs wait for those before them."""

    folder = "chains"

    def lock(self, chains: Collection[str]) -> Statement[None]:
        """Take chains, in their order."""
        return self.statement("lock", (sorted(chains),), lambda rows: None)

    def link(self, jobs: Sequence[tuple[int, Job]]) -> Sequence[Part]:
        """Return what ties stored jobs to the ends of their chains, in the order given.

        The last part's result has the ids of those that wait.

        Args:
            jobs: Their ids, and what they were made of.
        """
        return [partial(self._link, describe_links(jobs))]

    def waits(self, jobs: Collection[int]) -> Statement[list[Wait]]:
        """Read what waits for jobs, and what waits for that, and so on."""
        return self.statement("waits", (list(jobs),), _waits_of)

    def alone(self) -> Statement[None] | None:
        """Return what keeps other transactions from looking at waits; None if no other writes."""
        return self.statement("alone", (), lambda rows: None)

    def bridge(self, jobs: Sequence[int], flows: Sequence[str]) -> Dialogue[None]:
        """Have those that wait for jobs wait for what these have waited for themselves.

        Args:
            jobs: Those that were cancelled or deleted while they waited.
            flows: Their flows, chains among them.
        """
        yield self.statement("bridge", (list(jobs), list(flows)), lambda rows: None)

    def _link(self, params: tuple[str, str]) -> Statement[frozenset[int]]:
        return self.statement("link", params, ids_of)


class ChainedWrite:
    """The statements of a call that writes jobs of chains, around those that write the jobs.

    The chains are taken first of all, and the jobs tied to them once they are written. It is made
    for one transaction, which may be run again.

    Args:
        statements: Makes the statements of chains.
        jobs: The jobs, with the ids of their chains.
        inner: What writes them.
    """

    def __init__(
        self, statements: ChainStatements, jobs: Sequence[Job], inner: Statements[list[Job]]
    ) -> None:
        self._statements = statements
        self._chains = chains_of(jobs)
        self._inner = inner
        self._results: list[Any] = []
        self._links: Sequence[Part] = []

    @property
    def parts(self) -> Sequence[Part]:
        """Make the statements."""
        links = len(self._statements.link([]))
        return [
            self._lock,
            *(partial(self._keep, part) for part in self._inner.parts),
            *(partial(self._link, place) for place in range(links)),
        ]

    def combine(self, results: Sequence[Any]) -> list[Job]:
        """Return the jobs in the order given."""
        end = 1 + len(self._inner.parts)
        waiting: frozenset[int] = results[-1] or frozenset()
        return [
            job.in_state(State.SUSPENDED) if job.id in waiting else job
            for job in self._inner.combine(list(results[1:end]))
        ]

    def _lock(self) -> Statement[None]:
        self._results = []
        return self._statements.lock(self._chains)

    def _keep(self, part: Part) -> Statement[Any] | None:
        """Return a statement that writes jobs, and keep what comes of it."""
        made = part()
        if made is None:
            self._results.append(None)
            return None
        return Statement(made.sql, made.params, self._kept(made.decode), made.dialect)

    def _kept(self, decode: Callable[[Rows], Any]) -> Callable[[Rows], Any]:
        def keep(rows: Rows) -> Any:
            result = decode(rows)
            self._results.append(result)
            return result

        return keep

    def _link(self, place: int) -> Statement[Any] | None:
        if place == 0:
            stored = self._inner.combine(self._results)
            new = [
                (job.id, job)
                for job in stored
                if job.chain is not None and job.id is not None and not job.conflict
            ]
            self._links = self._statements.link(new) if new else []
        return self._links[place]() if self._links else None


def chains_of(jobs: Iterable[Job]) -> frozenset[str]:
    """Return the chains of new jobs."""
    found = (job.on_chain().chain_id for job in jobs if job.chain is not None)
    return frozenset(chain for chain in found if chain is not None)


def describe_links(jobs: Sequence[tuple[int, Job]]) -> tuple[str, str]:
    """Return stored jobs of chains as the statements read them: pairs, and their kinds."""
    kinds: dict[tuple[str | None, Chain | None], int] = {}
    pairs = [
        [number, kinds.setdefault((job.chain_id, job.chain), len(kinds))] for number, job in jobs
    ]
    described = [
        [chain_id, chain.on_cancelled, chain.on_discarded]
        for chain_id, chain in kinds
        if chain is not None
    ]
    return orjson.dumps(pairs).decode(), orjson.dumps(described).decode()


def ids_of(rows: Rows) -> frozenset[int]:
    """Return the ids of rows."""
    return frozenset(row["id"] for row in rows)


def _waits_of(rows: Rows) -> list[Wait]:
    return [
        (
            row["waiting_flow"] if row["waiting_job"] is None else row["waiting_job"],
            row["needed_flow"] if row["needed_job"] is None else row["needed_job"],
        )
        for row in rows
    ]
