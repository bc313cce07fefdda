"""What commands print: tables and sentences for people, JSON for programs.

Data from rows is not trusted: control characters, which could drive a terminal, are shown as
escapes.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from staffa._internal.lazy import load

PIPE_WIDTH = 250
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    r"""Return a text without control characters; tabs and line ends stay.

    Example:
        >>> printable("red: \x1b[31m")
        'red: \\x1b[31m'
    """
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def one_line(text: str) -> str:
    r"""Return a text without line ends and tabs, which could look like another row of a table.

    Example:
        >>> one_line("mail\nfake")
        'mail\\nfake'
    """
    return text.replace("\n", r"\n").replace("\t", r"\t")


def tell_seconds(seconds: float) -> str:
    """Return a length of time as people say it.

    Example:
        >>> tell_seconds(0.25), tell_seconds(95), tell_seconds(7300), tell_seconds(200_000)
        ('0.2 s', '95 s', '122 min', '56 h')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 180:
        return f"{seconds:.0f} s"
    if seconds < 3 * 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"


def count_of(number: int, noun: str, plural: str | None = None) -> str:
    """Return how many there are of something.

    Example:
        >>> count_of(1, "job"), count_of(2, "job"), count_of(2, "process", "processes")
        ('1 job', '2 jobs', '2 processes')
    """
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


class Output:
    """Prints what a command has to say.

    Args:
        as_json: Prints JSON and nothing else.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    @property
    def interactive(self) -> bool:
        """Whether somebody sits at a terminal who can be asked."""
        return not self.as_json and sys.stdin.isatty() and sys.stdout.isatty()

    def say(self, sentence: str, **data: Any) -> None:
        """Print a sentence; as JSON, the data instead."""
        if self.as_json:
            self.data(data)
        else:
            click.echo(printable(sentence))

    def data(self, value: Any) -> None:
        """Print JSON."""
        click.echo(json.dumps(value, default=_encode, ensure_ascii=True))

    def table(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        styles: Sequence[str] | None = None,
    ) -> None:
        """Print rows below each other for people, each in its style where they have some."""
        load("staffa.cli.tables:print_table")(columns, rows, styles)

    def record(self, fields: Mapping[str, Any]) -> None:
        """Print names and values for people."""
        width = max(map(len, fields))
        for name, value in fields.items():
            lines = cell(value).splitlines() or [""]
            click.echo(f"{name:<{width}}  {lines[0]}")
            for line in lines[1:]:
                click.echo(f"{'':<{width}}  {line}")


def cell(value: Any) -> str:
    """Return a value as people read it, without control characters."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, dict | list | tuple):
        return printable(json.dumps(value, default=_encode, ensure_ascii=False))
    return printable(str(value))


def _encode(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)
