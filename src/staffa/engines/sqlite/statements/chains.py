"""The statements of chains where one of PostgreSQL's takes several."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import orjson

from staffa.dialogues import Dialogue
from staffa.engine import Statement
from staffa.engines.statements import chains as shared
from staffa.engines.statements.area import Rows
from staffa.jobs import Job
from staffa.statement import Part


class ChainStatements(shared.ChainStatements):
    """What has jobs wait for those before them."""

    def link(self, jobs: Sequence[tuple[int, Job]]) -> Sequence[Part]:
        """Return what ties stored jobs to the ends of their chains, in the order given.

        The last part's result has the ids of those that wait.

        Args:
            jobs: Their ids, and what they were made of.
        """
        params = (_describe(jobs),)
        waiting: list[frozenset[int]] = []

        def keep(rows: Rows) -> None:
            waiting[:] = [shared.ids_of(rows)]

        def extend() -> Statement[frozenset[int]]:
            return self.statement("extend", params, lambda rows: waiting[0])

        return [
            partial(self.statement, "edges", params, lambda rows: None),
            partial(self.statement, "steps", params, lambda rows: None),
            partial(self.statement, "suspend", params, keep),
            extend,
        ]

    def alone(self) -> None:
        """Return nothing: a file has one writer."""

    def bridge(self, jobs: Sequence[int], flows: Sequence[str]) -> Dialogue[None]:
        """Have those that wait for jobs wait for what these have waited for themselves.

        Args:
            jobs: Those that were cancelled or deleted while they waited.
            flows: Their flows, chains among them.
        """
        numbers = orjson.dumps(list(jobs)).decode()
        for verb in ("bridge", "recount"):
            yield self.statement(verb, (numbers,), lambda rows: None)
        names = orjson.dumps(list(flows)).decode()
        yield self.statement("shorten", (numbers, names), lambda rows: None)


def _describe(jobs: Sequence[tuple[int, Job]]) -> str:
    """Return stored jobs of chains as the statements read them."""
    rows = [
        [number, job.chain_id, job.chain.on_cancelled, job.chain.on_discarded]
        for number, job in jobs
        if job.chain is not None
    ]
    return orjson.dumps(rows).decode()
