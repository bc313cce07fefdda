"""What `staffa workflow` and `staffa batch` have in common: pages of lists, and what is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from staffa.cli.numbers import WholeNumber
from staffa.cli.options import EXIT_REFUSED
from staffa.cli.output import Output, count_of

flow_id = click.argument("id")
"""The argument of the commands about one of them."""

_PAGE_OPTIONS = (
    click.option(
        "--limit",
        type=WholeNumber(1, 10_000),
        metavar="N",
        default=50,
        show_default=True,
        help="At most so many.",
    ),
    click.option("--before", metavar="ID", help="Older ones than this: the next page."),
)


def page_options(function: Any) -> Any:
    """Add the options of a list: `limit` and `before`."""
    for option in reversed(_PAGE_OPTIONS):
        function = option(function)
    return function


def confirm_cancel(
    output: Output,
    kind: str,
    id: str,  # noqa: A002  # as everywhere
    counts: Mapping[str, int],
) -> None:
    """Ask whoever sits at the terminal whether all open jobs shall be cancelled; else refuse.

    Args:
        output: Where it is asked.
        kind: What they are jobs of: "workflow" or "batch".
        id: Its id.
        counts: How many of its jobs are in which state.
    """
    open_jobs = count_of(counts["suspended"] + counts["active"], "job")
    if not output.interactive:
        output.say(f"would cancel {open_jobs} of {kind} {id}: give --yes to do so", would_cancel=id)
        raise SystemExit(EXIT_REFUSED)
    click.confirm(f"Cancel {open_jobs}?", abort=True, err=True)
