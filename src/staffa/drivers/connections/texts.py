"""What is said to a database about a transaction: the files of ``drivers/transactions/``."""

from __future__ import annotations

from staffa._internal.sql import load_sql
from staffa.engine import Dialect

READ_COMMITTED = load_sql("staffa.drivers", "transactions/read_committed.sql", "public")
COMMIT = load_sql("staffa.drivers", "transactions/commit.sql", "public")
ROLLBACK = load_sql("staffa.drivers", "transactions/rollback.sql", "public")
SAVEPOINT = load_sql("staffa.drivers", "transactions/savepoint.sql", "public")
RELEASE_SAVEPOINT = load_sql("staffa.drivers", "transactions/release_savepoint.sql", "public")
ROLLBACK_TO_SAVEPOINT = load_sql(
    "staffa.drivers", "transactions/rollback_to_savepoint.sql", "public"
)
BEGIN: dict[Dialect, str] = {
    "postgres": load_sql("staffa.drivers", "transactions/begin.sql", "public"),
    "sqlite": load_sql("staffa.drivers", "transactions/begin_immediate.sql", "public"),
}
