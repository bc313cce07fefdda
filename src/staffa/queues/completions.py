"""Completing a job in a transaction of the user's: the statement, and its way to a child.

The statement is the one that acknowledges jobs, with the whole lease, so a run that has lost it
writes nothing. Whether the transaction was committed is seen later, from the row (`handovers.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from staffa._internal.kill_points import boundary
from staffa._internal.lazy import load
from staffa.dialogues import Conversation, all_of
from staffa.engine import Statement, Statements
from staffa.errors import JobCancelled
from staffa.types import State

States = dict[int, State]


@boundary("complete_job")
async def complete_on(conn: Any, statements: Statements[States], job_id: int | None) -> None:
    """Complete a job on a user's connection.

    Raises:
        JobCancelled: If the lease has ended.
    """
    _check(await load("staffa.drivers.connections:run_on")(conn, statements), job_id)


@boundary("complete_job")
def complete_on_sync(conn: Any, statements: Statements[States], job_id: int | None) -> None:
    """Do the same without an event loop."""
    _check(load("staffa.drivers.connections:run_on_sync")(conn, statements), job_id)


def _check(written: States, job_id: int | None) -> None:
    if not written:
        raise JobCancelled(f"job {job_id} is not ours any more: it should stop, and roll back")


def dump_statements(statements: Statements[States]) -> dict[str, Any]:
    """Return a single statement, or a dialogue, as plain JSON, for a child to run.

    Example:
        >>> dump_statements(Statements.of(Statement("SELECT $1", (["a"],), dict)))
        {'sql': 'SELECT $1', 'params': [['a']], 'times': [], 'dialect': 'postgres'}
    """
    if isinstance(statements, Conversation):
        return {"recipe": statements.recipe}
    statement = next(all_of(statements))
    params = [list(value) if isinstance(value, tuple) else value for value in statement.params]
    times = [place for place, value in enumerate(params) if _has_times(value)]
    for place in times:
        params[place] = [moment.isoformat() for moment in params[place]]
    return {
        "sql": statement.sql,
        "params": params,
        "times": times,
        "dialect": statement.dialect,
    }


def load_statements(fields: Mapping[str, Any]) -> Statements[States]:
    """Return the statement that the parent has sent, or the dialogue."""
    if "recipe" in fields:
        found: Statements[States] = load("staffa.engines.linked.recipes:read_recipe")(
            fields["recipe"]
        )
        return found
    params = list(fields["params"])
    for place in fields["times"]:
        params[place] = [datetime.fromisoformat(moment) for moment in params[place]]
    dialect = fields["dialect"]
    statement: Statement[States] = Statement(
        fields["sql"],
        tuple(params),
        lambda rows: {row["id"]: State(row["state"]) for row in rows},
        dialect,
    )
    prepare = load("staffa.engines.sqlite.functions:install") if dialect == "sqlite" else None
    return Statements([lambda: statement], lambda results: dict(results[0]), dialect, prepare)


def _has_times(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(item, datetime) for item in value)
