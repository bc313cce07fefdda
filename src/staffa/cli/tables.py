"""Tables for people, by rich, which takes a while to import and which nothing else here needs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from staffa.cli.output import PIPE_WIDTH, cell, one_line


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], styles: Sequence[str] | None
) -> None:
    """Print rows below each other, each in its style where they have some."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for place, row in enumerate(rows):
        cells = (Text(one_line(cell(value))) for value in row)
        table.add_row(*cells, style=styles[place] if styles else None)
    Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table)
