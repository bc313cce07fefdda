"""Looks at what goes on in a schema of a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from staffa._internal.sql import load_sql
from staffa.drivers.asyncpg import ConnectionSettings
from staffa.drivers.asyncpg_pool import Pool
from staffa.engine import Statement
from staffa.engines.looks import Looks
from staffa.engines.statements.area import POSTGRES
from staffa.survey import ELIXIR, PYTHON, ServerHealth
from staffa.telemetry import observed

_PEERS = {"elixir": ELIXIR, "python": PYTHON}


@observed("staffa.engine")
class PostgresSurvey(Looks):
    """Looks at a schema.

    Args:
        settings: Where to connect.
        pool: Runs statements.
        prefix: The schema.
        instance: The client whose events its calls are.
    """

    def __init__(
        self, settings: ConnectionSettings, pool: Pool, prefix: str, instance: str | None = None
    ) -> None:
        super().__init__(pool.run, prefix, POSTGRES)
        self.instance = instance
        self._settings = settings
        self._pool = pool
        self._prefix = prefix

    async def check_server(self) -> ServerHealth:
        """Read the state of the server."""
        text = load_sql("staffa.engines.postgres", "catalogue/server.sql", "public")
        row = await self._pool.run(Statement(text, (self._prefix,), _first))
        leading = [
            peer
            for kind, peer in _PEERS.items()
            if row[f"has_{kind}"] and await self._pool.run(_peer_leads(kind, self._prefix))
        ]
        return ServerHealth(
            now=row["now"],
            version=row["version"],
            read_only=row["read_only"],
            pooled=await self._settings.is_pooled(),
            max_connections=row["max_connections"],
            used_connections=row["used_connections"],
            leading_peers=tuple(leading),
        )


def _peer_leads(kind: str, prefix: str) -> Statement[bool]:
    """Tell whether another implementation, ``elixir`` or ``python``, has a leader."""
    text = load_sql("staffa.engines.postgres", f"peers/{kind}.sql", prefix)
    return Statement(text, (), lambda rows: bool(rows[0]["leads"]))


def _first(rows: Any) -> Mapping[str, Any]:
    row: Mapping[str, Any] = rows[0]
    return row
