"""The statements that leave nothing behind; for tests."""

from __future__ import annotations

from functools import partial

from staffa.engine import Statements
from staffa.engines.statements.area import Area, count

_TABLES = (
    "oban_jobs", "staffa_crons", "staffa_dynamic_queues", "staffa_edges", "staffa_flows",
    "staffa_leaders", "staffa_limits", "staffa_producers", "staffa_queue_versions", "staffa_queues",
    "staffa_rates", "staffa_steps", "staffa_unique",
)  # fmt: skip


class ResetStatements(Area):
    """One for each table."""

    folder = "resets"

    def reset(self) -> Statements[None]:
        """Delete all there is."""
        parts = [partial(self.statement, table, (), count) for table in _TABLES]
        return Statements(parts, lambda results: None, self._idiom.dialect)
