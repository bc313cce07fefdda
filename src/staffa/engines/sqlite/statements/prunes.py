"""The pruner's statements: what finished jobs have waited for is forgotten by others."""

from __future__ import annotations

from collections.abc import Sequence

from staffa.dialogues import Dialogue
from staffa.engines.statements import prunes as shared
from staffa.engines.statements.area import Rows
from staffa.engines.statements.following import FollowStatements
from staffa.maintenance import Finished


class PruneStatements(shared.PruneStatements):
    """What is asked of finished jobs."""

    def prune_all(
        self, jobs: Sequence[Finished], following: FollowStatements
    ) -> Dialogue[frozenset[int]]:
        """Delete what has not changed, and what it has waited for."""
        versions = ([job.id for job in jobs], [job.version for job in jobs])
        linked: dict[int, bool] = yield self.statement("prune", versions, _linked)
        numbers = [number for number, is_linked in linked.items() if is_linked]
        if numbers:
            yield from following.forget_steps(numbers)
        return frozenset(linked)


def _linked(rows: Rows) -> dict[int, bool]:
    return {row["id"]: bool(row["linked"]) for row in rows}
