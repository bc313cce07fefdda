"""The statement that tells how it stands with SQLite itself."""

from __future__ import annotations

from staffa.engine import Statement
from staffa.engines.statements.area import Area, Rows
from staffa.survey import ServerHealth


class HealthStatements(Area):
    """What is asked of the database itself."""

    folder = "health"

    def check(self) -> Statement[ServerHealth]:
        """Read its clock and version."""

        def decode(rows: Rows) -> ServerHealth:
            (row,) = rows
            return ServerHealth(now=row["read_at"], version=row["version"])

        return self.statement("check", (), decode)
