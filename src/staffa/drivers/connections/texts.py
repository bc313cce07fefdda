"""What is said to a database about the transaction itself, from the files of ``drivers/sql/``."""

from __future__ import annotations

from staffa._internal.sql import load_sql
from staffa.engine import Dialect

READ_COMMITTED = load_sql("staffa.drivers", "sql/read_committed.sql", "public")
COMMIT = load_sql("staffa.drivers", "sql/commit.sql", "public")
ROLLBACK = load_sql("staffa.drivers", "sql/rollback.sql", "public")
BEGIN: dict[Dialect, str] = {
    "postgres": load_sql("staffa.drivers", "sql/begin.sql", "public"),
    "sqlite": load_sql("staffa.drivers", "sql/begin_immediate.sql", "public"),
}
