"""Draws the view: four parts below each other, each with as many lines as there is room for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from staffa.cli.output import cell, one_line, tell_seconds
from staffa.cli.top.snapshot import MOST_COUNTED, JobLine, QueueLine, Snapshot

_BAR_CHARACTERS = 12
_FIXED_LINES = 9  # the title, four headings, the lines between, the line of keys
_TIME = slice(11, 19)  # of ISO 8601


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
    nodes, queues = snapshot.nodes[:share], snapshot.queues[:share]
    errors = snapshot.errors[:share]
    running = snapshot.running[: max(room - len(nodes) - len(queues) - len(errors), 1)]
    total = sum(line.completed_per_second for line in snapshot.queues)
    title = f"staffa top  {_text(name)}  {snapshot.at:%H:%M:%S} UTC  {total:.1f} completed/s"
    parts: list[RenderableType] = [Text(title, style="bold")]
    if trouble is not None:
        parts.append(Text(_text(trouble), style="bold red", no_wrap=True, overflow="ellipsis"))
    parts += [
        _table(
            ("node", "running", "up", "heartbeat", ""),
            [
                (
                    line.node,
                    line.running,
                    tell_seconds((snapshot.at - line.started_at).total_seconds()),
                    f"{line.silent:.0f} s ago",
                    "leads" if line.leads else "",
                )
                for line in nodes
            ],
            _more(snapshot.nodes, nodes),
        ),
        _table(
            (
                "queue",
                "available",
                "executing",
                "scheduled",
                "retryable",
                "completed/s",
                "failed/s",
                "",
            ),
            [_queue(line) for line in queues],
            _more(snapshot.queues, queues),
        ),
        _table(
            ("running", "worker", "queue", "node", "attempt", "for", "progress"),
            [
                (
                    line.id,
                    line.worker,
                    line.queue,
                    line.node,
                    f"{line.attempt}/{line.max_attempts}",
                    tell_seconds(line.seconds),
                    _progress(line),
                )
                for line in running
            ],
            _more(snapshot.running, running),
        ),
        _table(
            ("failed", "worker", "state", "attempt", "at", "error"),
            [
                (
                    line.id,
                    line.worker,
                    line.state,
                    f"{line.attempt}/{line.max_attempts}",
                    (line.at or "")[_TIME],
                    line.error,
                )
                for line in errors
            ],
        ),
    ]
    return Group(*parts)


def _queue(line: QueueLine) -> tuple[Any, ...]:
    counts = (line.available, line.executing, line.scheduled, line.retryable)
    return (
        line.queue,
        *(f"{count}+" if count >= MOST_COUNTED else count for count in counts),
        f"{line.completed_per_second:.1f}",
        f"{line.failed_per_second:.1f}",
        "paused" if line.paused else "",
    )


def _progress(line: JobLine) -> str:
    if line.progress is None:
        return line.note or ""
    full = round(line.progress * _BAR_CHARACTERS)
    bar = "━" * full + "┈" * (_BAR_CHARACTERS - full)
    return f"{bar} {line.progress:.0%} {line.note or ''}".rstrip()


def _more(every: Sequence[Any], shown: Sequence[Any]) -> int:
    return len(every) - len(shown)


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]], more: int = 0) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold cyan")
    for column in columns:
        table.add_column(column, no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*(Text(_text(value)) for value in row))
    if more:
        table.add_row(Text(f"and {more} more", style="dim"))
    elif not rows:
        table.add_row(Text("none", style="dim"))
    return table


def _text(value: Any) -> str:
    return one_line(cell(value))
