"""What the engines have in common about the keys of unique jobs."""

from __future__ import annotations

from staffa._internal.kill_points import boundaries
from staffa.engine import Statements
from staffa.engines.statements.unique import Pruned
from staffa.engines.transacting import Transacting
from staffa.telemetry import observed

_KEYS_AT_ONCE = 1_000
_WORTH_GOING_ON = 0.1  # the share of a page that makes the next one worth a look


@observed("staffa.engine")
@boundaries
class UniqueVerbs(Transacting):
    """The base of engines that have these methods."""

    _pruned_until = ""

    def _prune_keys(self, after: str, limit: int) -> Statements[Pruned]:
        """Return what forgets the keys of jobs that are gone, among so many after a key."""
        raise NotImplementedError

    async def prune_unique_keys(self, limit: int) -> int:
        """Forget keys of unique jobs none of which is left."""
        forgotten = 0
        while forgotten < limit:
            page = min(limit - forgotten, _KEYS_AT_ONCE)
            found = await self._run_together(self._prune_keys(self._pruned_until, page))
            self._pruned_until = found.stopped_at if found.seen == page else ""
            forgotten += found.forgotten
            if not self._pruned_until or found.forgotten < page * _WORTH_GOING_ON:
                break
        return forgotten
