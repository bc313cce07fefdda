"""What `staffa workflow` shows: rows of a table, and a workflow as a tree of its steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from staffa.cli.output import one_line, printable, tell_seconds
from staffa.flows.status import WorkflowStatus

COLUMNS = ("id", "name", "state", "jobs", "suspended", "active", "ended", "inserted_at", "took")
_COLOURS = {
    "completed": "green",
    "executing": "blue",
    "available": "blue",
    "scheduled": "cyan",
    "retryable": "yellow",
    "cancelled": "bright_black",
    "discarded": "red",
}


def describe(status: WorkflowStatus) -> dict[str, Any]:
    """Return the status of a workflow for programs."""
    return {
        "id": status.id,
        "name": status.name,
        "state": status.state.value,
        "total": status.total,
        "counts": dict(status.counts),
        "duration": status.duration,
        "inserted_at": status.inserted_at,
        "finished_at": status.finished_at,
        "meta": dict(status.meta),
        "subs": {name: describe(sub) for name, sub in status.subs.items()},
    }


def row_of(status: WorkflowStatus) -> tuple[Any, ...]:
    """Return a row of the table of workflows."""
    counts = status.counts
    return (
        status.id,
        status.name,
        status.state,
        status.total,
        counts["suspended"],
        counts["active"],
        _ended(counts),
        status.inserted_at,
        tell_seconds(status.duration),
    )


def draw(status: WorkflowStatus, graph: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a drawing: the steps in the order in which they can run."""
    name = "" if status.name is None else f"{_plain(status.name)}  "
    done = f"{_ended(status.counts)} of {status.total} jobs have ended"
    yield f"{name}{_plain(status.id)}"
    yield f"{_coloured(status.state.value)}, {done}, {tell_seconds(status.duration)}"
    inside: dict[str | None, list[Mapping[str, Any]]] = {}
    for node in graph["nodes"]:
        inside.setdefault(node.get("inside"), []).append(node)
    needs: dict[str, list[str]] = {}
    for edge in graph["edges"]:
        needs.setdefault(edge["to"], []).append(edge["from"])
    names = {node["path"]: node["name"] for node in graph["nodes"]}
    labels = [len(_label(node)) for node in graph["nodes"]]
    width = min(max(labels, default=0), 40)
    levels = [("", width, _in_order(inside.get(None, ()), needs))]
    while levels:  # no recursion: grafts may go deep
        indent, width, nodes = levels[-1]
        if not nodes:
            levels.pop()
            continue
        node = nodes.pop(0)
        told = f"{indent}{'├─' if nodes else '└─'} {_label(node):<{width}}  {_state(node)}"
        after = ", ".join(_plain(names[dep]) for dep in needs.get(node["path"], ()))
        yield f"{told}  after {after}" if after else told
        within = _in_order(inside.get(node["path"], ()), needs)
        levels.append((f"{indent}{'│  ' if nodes else '   '}", max(width - 3, 0), within))


def _in_order(
    nodes: Sequence[Mapping[str, Any]], needs: Mapping[str, Sequence[str]]
) -> list[Mapping[str, Any]]:
    """Return steps after those that they wait for, else as they are; circles can't be."""
    left = {node["path"]: node for node in nodes}
    found: list[Mapping[str, Any]] = []
    while left:
        ready = [path for path in left if not any(dep in left for dep in needs.get(path, ()))]
        found += [left.pop(path) for path in ready or list(left)]
    return found


def _label(node: Mapping[str, Any]) -> str:
    count = f" ({node['count']})" if node["kind"] == "group" else ""
    return f"{_plain(node['name'])}{count}"


def _state(node: Mapping[str, Any]) -> str:
    told = _coloured(node.get("state", ""))
    counts = node.get("counts") if node["kind"] == "group" else None
    if not counts:
        return told
    return f"{told} ({', '.join(f'{number} {state}' for state, number in counts.items())})"


def _coloured(state: str) -> str:
    return click.style(state, fg=_COLOURS.get(state))


def _ended(counts: Mapping[str, int]) -> int:
    return sum(counts[state] for state in ("completed", "cancelled", "discarded", "deleted"))


def _plain(text: str) -> str:
    return printable(one_line(text))
