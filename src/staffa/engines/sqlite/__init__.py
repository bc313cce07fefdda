"""The engine for SQLite 3.40 and later."""

from staffa.engines.sqlite.engine import SqliteEngine

__all__ = ["SqliteEngine"]
