"""The engine for PostgreSQL 14 and later."""

from staffa.engines.postgres.engine import PostgresEngine

__all__ = ["PostgresEngine"]
