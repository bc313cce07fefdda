"""The options that choose jobs: the fields of a `JobFilter`, the same for every command."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import click

from staffa._internal import json
from staffa._internal.clock import SYSTEM_CLOCK
from staffa.cli.numbers import WholeNumber
from staffa.errors import ConfigError
from staffa.filters import JobFilter
from staffa.types import State

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO = re.compile(r"(?P<number>[0-9]{1,9})(?P<unit>[smhdw])")
_TIMES = ("inserted", "scheduled", "attempted", "finished")
_MEANINGS = {
    "inserted": "Enqueued",
    "scheduled": "Due",
    "attempted": "Last claimed",
    "finished": "Completed, cancelled or discarded",
}


class Moment(click.ParamType[datetime, str | datetime]):
    """A time: ISO 8601 with a time zone, or how long ago."""

    name = "TIME"

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the time, or refuse what is none."""
        if isinstance(value, datetime):
            return value
        ago = _AGO.fullmatch(value)
        try:
            if ago is not None:
                length = timedelta(**{_UNITS[ago["unit"]]: int(ago["number"])})
                return SYSTEM_CLOCK.now() - length
            found = datetime.fromisoformat(value)
        except (ValueError, OverflowError):
            found = datetime.min  # noqa: DTZ901  # refused below
        if found.tzinfo is None:
            self.fail(
                f"{value!r} is no time: write how long ago, such as 2h or 30d (s, m, h, d, w), or "
                "2026-03-29T01:00:00Z with its time zone",
                param,
                ctx,
            )
        return found


def _repeated(option: str, name: str, metavar: str, text: str, **more: Any) -> Any:
    return click.option(option, name, multiple=True, metavar=metavar, help=text, **more)


_OPTIONS = (
    click.option(
        "--state",
        "states",
        multiple=True,
        type=click.Choice([state.value for state in State]),
        metavar="STATE",
        help="Any of these states; this option and most of the following may be repeated.",
    ),
    _repeated("--queue", "queues", "NAME", "Any of these queues."),
    _repeated("--worker", "workers", "NAME", "Any of these workers."),
    _repeated("--node", "nodes", "NAME", "Last claimed by any of these nodes."),
    _repeated("--priority", "priorities", "N", "Any of these priorities.", type=WholeNumber()),
    _repeated("--tag", "tags", "TAG", "At least one of these tags."),
    _repeated("--all-tags", "all_tags", "TAG", "All of these tags."),
    _repeated("--arg", "args", "KEY=VALUE", "All of these arguments; a value is JSON, else text."),
    _repeated("--meta", "meta", "KEY=VALUE", "All of these values of meta."),
    *(
        click.option(
            f"--{what}-{side}",
            type=Moment(),
            metavar="TIME",
            help=f"{_MEANINGS[what]} {'at or after' if side == 'after' else 'before'} this time, "
            "for example 2h (ago).",
        )
        for what in _TIMES
        for side in ("after", "before")
    ),
    click.option(
        "--after", "after_id", type=WholeNumber(), metavar="ID", help="Only jobs with higher ids."
    ),
    click.option("--before", "before_id", type=WholeNumber(), metavar="ID", help="Only lower ids."),
)


def filter_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that choose jobs; it is called with `wanted`, the filter."""

    @functools.wraps(function)
    def run(**given: Any) -> None:
        fields = {name: given.pop(name) for name in _names()}
        for name in ("args", "meta"):
            fields[name] = parse_pairs(fields[name], f"--{name.removesuffix('s')}")
        chosen = {name: value for name, value in fields.items() if value not in (None, (), {})}
        try:
            wanted = JobFilter(**chosen)
        except ConfigError as error:
            raise click.UsageError(str(error)) from None
        function(wanted=wanted, **given)

    for option in reversed(_OPTIONS):
        run = option(run)
    return run


def parse_pairs(pairs: Sequence[str], option: str) -> dict[str, Any]:
    """Return values by key from ``key=value``, where a value is JSON if it can be.

    Example:
        >>> parse_pairs(["n=1", 'text="1"', "to=ada"], "--arg")
        {'n': 1, 'text': '1', 'to': 'ada'}
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not key or not equals:
            raise click.BadParameter(f"{pair!r} is no KEY=VALUE", param_hint=option)
        try:
            found[key] = json.loads(text)
        except ValueError:
            found[key] = text
    return found


def describe_filter(wanted: JobFilter) -> dict[str, Any]:
    """Return what a filter asks for, as plain data; args and meta without their values.

    Example:
        >>> describe_filter(JobFilter(queues=["mail"], args={"to": "ada@example.com"}))
        {'queues': ['mail'], 'args': ['to']}
    """
    described: dict[str, Any] = {}
    for name in (*_names(), "ids", "limit"):
        value = getattr(wanted, name)
        if isinstance(value, datetime):
            described[name] = value.isoformat()
        elif value is not None:
            described[name] = value if isinstance(value, int) else [*map(_plain, value)]
    return described


def _plain(value: Any) -> Any:
    return value if isinstance(value, int) else str(value)


def _names() -> tuple[str, ...]:
    simple = ("states", "queues", "workers", "nodes", "priorities", "tags", "all_tags", "args")
    times = tuple(f"{what}_{side}" for what in _TIMES for side in ("after", "before"))
    return (*simple, "meta", *times, "after_id", "before_id")
