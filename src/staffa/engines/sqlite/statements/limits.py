"""The statements of limits that differ from PostgreSQL's in more than their texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from staffa._internal import json
from staffa.engine import Statement
from staffa.engines.statements import limits as shared
from staffa.engines.statements.area import Rows
from staffa.engines.statements.limited import Page, Ring


class LimitStatements(shared.LimitStatements):
    """What is asked of limits, and of the jobs under them."""

    def spell(self, values: Sequence[Any]) -> Any:
        """Return values as statements take them beside other lists."""
        return json.dumps(list(values))

    def sweep(self, ring: Ring, after: Sequence[Any] | None, limit: int) -> Statement[Page]:
        """Look at waiting jobs; those without a key are signed by another statement."""
        priority, time, number = after or (None, None, None)

        def decode(rows: Rows) -> Page:
            stale = [row["id"] for row in rows if row["stale"]]
            if not rows:
                return Page(0, (), None)
            last = rows[-1]
            return Page(len(rows), stale, (last["priority"], last["after"], last["id"]))

        params = (ring.queue, priority, time, number, limit, ring.prefix)
        return self.statement("sweep", params, decode)
