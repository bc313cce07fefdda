"""Draws the view: four parts below each other, each with as many lines as there is room for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from staffa.cli.output import cell, one_line, tell_seconds
from staffa.cli.top.snapshot import (
    MOST_COUNTED,
    ErrorLine,
    JobLine,
    NodeLine,
    QueueLine,
    Snapshot,
)

_BAR_CHARACTERS = 12
_FIXED_LINES = 13  # the title, trouble, and four times a blank line, a heading, "and 3 more"
_SHORT = 8  # of a uuid, which tells processes of one node apart
_TIME = slice(11, 19)  # of ISO 8601

_NODE = ("node", "running", "up", "heartbeat", "")
_QUEUE = ("queue", "available", "executing", "scheduled", "retryable", "completed/s", "failed/s")
_RUNNING = ("running", "worker", "queue", "node", "attempt", "for", "progress")
_FAILED = ("failed", "worker", "state", "attempt", "at", "error")


def draw(snapshot: Snapshot, *, name: str, height: int, trouble: str | None = None) -> Group:
    """Return a frame.

    Args:
        snapshot: What it shows.
        name: The instance.
        height: How many lines there are.
        trouble: Why it is not up to date.
    """
    room = max(height - _FIXED_LINES, 4)
    share = max(room // 4, 1)
    several = {node for node, count in Counter(n.node for n in snapshot.nodes).items() if count > 1}
    nodes = [_node(line, snapshot, several) for line in snapshot.nodes[:share]]
    queues = [_queue(line) for line in _busiest(snapshot.queues, share)]
    errors = [_error(line) for line in snapshot.errors[:share]]
    left = max(room - len(nodes) - len(queues) - len(errors), 1)
    running = [_job(line) for line in snapshot.running[:left]]
    parts: list[RenderableType] = [_title(snapshot, name)]
    if trouble is not None:
        parts.append(Text(_text(trouble), style="bold red", no_wrap=True, overflow="ellipsis"))
    for columns, rows, most in (
        (_NODE, nodes, len(snapshot.nodes)),
        ((*_QUEUE, ""), queues, len(snapshot.queues)),
        (_RUNNING, running, len(snapshot.running)),
        (_FAILED, errors, 0),
    ):
        parts += [Text(), _table(columns, rows, most - len(rows))]
    return Group(*parts)


def _title(snapshot: Snapshot, name: str) -> Text:
    rate = sum(line.completed_per_second for line in snapshot.queues)
    title = Text(f"staffa top  {_text(name)}", style="bold")
    title.append(f"  {snapshot.at:%H:%M:%S} UTC  {rate:.1f} completed/s", style="not bold")
    return title


def _node(line: NodeLine, snapshot: Snapshot, several: Container[str]) -> tuple[Any, ...]:
    up = (snapshot.at - line.started_at).total_seconds()
    leads = "leads" if line.leads else ""
    name = f"{line.node} {line.uuid[:_SHORT]}" if line.node in several else line.node
    return (name, line.running, tell_seconds(up), f"{line.silent:.0f} s ago", leads)


def _busiest(queues: Sequence[QueueLine], count: int) -> list[QueueLine]:
    """Return so many queues, those with the most to do, by name."""

    def load(line: QueueLine) -> tuple[float, int]:
        return (line.executing + line.completed_per_second, line.available)

    return sorted(sorted(queues, key=load, reverse=True)[:count], key=lambda line: line.queue)


def _queue(line: QueueLine) -> tuple[Any, ...]:
    counts = (line.available, line.executing, line.scheduled, line.retryable)
    return (
        line.queue,
        *(f"{count}+" if count >= MOST_COUNTED else count for count in counts),
        f"{line.completed_per_second:.1f}",
        f"{line.failed_per_second:.1f}",
        "paused" if line.paused else "",
    )


def _job(line: JobLine) -> tuple[Any, ...]:
    attempts = f"{line.attempt}/{line.max_attempts}"
    seconds = tell_seconds(line.seconds)
    return (line.id, line.worker, line.queue, line.node, attempts, seconds, _progress(line))


def _progress(line: JobLine) -> str:
    if line.progress is None:
        return line.note or ""
    full = round(line.progress * _BAR_CHARACTERS)
    bar = "━" * full + "┈" * (_BAR_CHARACTERS - full)
    return f"{bar} {line.progress:.0%} {line.note or ''}".rstrip()


def _error(line: ErrorLine) -> tuple[Any, ...]:
    attempts = f"{line.attempt}/{line.max_attempts}"
    return (line.id, line.worker, line.state, attempts, (line.at or "")[_TIME], line.error)


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]], more: int) -> Table:
    table = Table(
        box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold cyan", expand=True
    )
    for place, column in enumerate(columns, start=1):
        last = place == len(columns)  # the longest text: it takes what the others leave
        table.add_column(column, no_wrap=True, overflow="ellipsis", ratio=1 if last else None)
    for row in rows:
        table.add_row(*(Text(_text(value)) for value in row))
    if more > 0:
        table.add_row(Text(f"and {more} more", style="dim"))
    elif not rows:
        table.add_row(Text("none", style="dim"))
    return table


def _text(value: Any) -> str:
    return one_line(cell(value))
