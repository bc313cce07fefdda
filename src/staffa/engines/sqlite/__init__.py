"""The engine for SQLite 3.40 and later."""
