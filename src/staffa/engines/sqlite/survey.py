"""Looks at what goes on in a file."""

from __future__ import annotations

from staffa.drivers.sqlite import FileConnection
from staffa.engines.looks import Looks
from staffa.engines.sqlite.statements.health import HealthStatements
from staffa.engines.sqlite.statements.idiom import SQLITE
from staffa.survey import ServerHealth
from staffa.telemetry import observed


@observed("staffa.engine")
class SqliteSurvey(Looks):
    """Looks at a file.

    Args:
        connection: Reads it.
        prefix: What SQLite calls the file.
        instance: The client whose events its calls are.
    """

    def __init__(
        self, connection: FileConnection, prefix: str, instance: str | None = None
    ) -> None:
        super().__init__(connection.read, prefix, SQLITE)
        self.instance = instance
        self._connection = connection
        self._health = HealthStatements(prefix, SQLITE)

    async def check_server(self) -> ServerHealth:
        """Read the clock and the version of SQLite."""
        return await self._connection.read(self._health.check())
