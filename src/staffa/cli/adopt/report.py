"""Prints what an adoption finds, and what it would add."""

from __future__ import annotations

from typing import Any

import click

from staffa.adoption import (
    ELIXIR_VERSION,
    FoundTable,
    Neighbours,
    Origin,
    describe_nullable,
    describe_numbers,
)
from staffa.cli.adopt.plan import Plan
from staffa.cli.output import Output

_LOCKS = {
    "table": "none of theirs",
    "function": "none of theirs",
    "index": "CONCURRENTLY: oban_jobs is read and written meanwhile",
}


def show(output: Output, plan: Plan, *, dry_run: bool, done: bool) -> None:
    """Show the plan; with JSON only where nothing follows it."""
    if output.as_json:
        if not done:
            output.data(describe(plan))
        return
    version = f", schema version {plan.found.comment}" if plan.origin is Origin.ELIXIR else ""
    click.echo(f"oban_jobs in {plan.found.place} is a table of {plan.origin.maker}{version}\n")
    output.record(_facts(plan.found, plan.neighbours))
    click.echo("\nStaffa would add:" if not done else "\nStaffa adds:")
    output.table(("kind", "name", "locks"), [(*row, _LOCKS[row[0]]) for row in _added(plan)])
    for note in plan.notes:
        click.echo(f"\nNote: {note}")
    click.echo("\nNothing of theirs is changed, nor the comment of their table.")
    if not dry_run and not done and not output.interactive:
        click.echo("Give --yes to do so.")


def _facts(found: FoundTable, neighbours: Neighbours) -> dict[str, str]:
    about = "an unknown number" if found.rows is None else f"about {found.rows}"
    leaders = [f"{one.name} on {one.node}" for one in neighbours.leading]
    producers = [f"{one.queue} on {one.node}" for one in neighbours.producing]
    running = [f"{count} on {node}" for node, count in neighbours.running.items()]
    invalid = [index.name for index in found.indexes if not index.valid]
    return {
        "owner": found.owner,
        "rows": f"{about}, {_size(found.table_bytes)} and {_size(found.index_bytes)} of indexes",
        "errors": found.type_of("errors"),
        "numbers": " and ".join(describe_numbers(found)),
        "ids": found.ids,
        "may be null": ", ".join(describe_nullable(found)) or "nothing that ours may not",
        "indexes": ", ".join(index.name for index in found.indexes) or "none",
        **({"invalid": ", ".join(invalid)} if invalid else {}),
        "leaders": ", ".join(leaders) or "none at the moment",
        "producers": ", ".join(producers) or "none that a table tells of",
        "running": ", ".join(running) or "no jobs at the moment",
    }


def _size(size: int) -> str:
    return f"{size / 1_048_576:.1f} MB"


def _added(plan: Plan) -> list[tuple[str, str]]:
    return [(addition.kind, addition.name) for addition in plan.additions]


def describe(plan: Plan) -> dict[str, Any]:
    """Return the plan as JSON has it."""
    found, neighbours = plan.found, plan.neighbours
    return {
        "origin": plan.origin.value,
        "schema_version": ELIXIR_VERSION if plan.origin is Origin.ELIXIR else None,
        "found": {
            "owner": found.owner,
            "rows": found.rows,
            "table_bytes": found.table_bytes,
            "index_bytes": found.index_bytes,
            "types": {column.name: column.type for column in found.columns},
            "nullable": describe_nullable(found),
            "ids": found.ids,
            "indexes": [
                {"name": one.name, "bytes": one.bytes, "valid": one.valid} for one in found.indexes
            ],
            "leaders": [{"name": one.name, "node": one.node} for one in neighbours.leading],
            "producers": [
                {"name": one.name, "node": one.node, "queue": one.queue}
                for one in neighbours.producing
            ],
            "running": neighbours.running,
            "oldest_transaction": found.oldest_transaction,
        },
        "adds": [
            {"version": one.version, "kind": one.kind, "name": one.name} for one in plan.additions
        ],
        "notes": list(plan.notes),
    }
