"""`staffa demo`: a crawl of documentation pages, on a server that is anything but reliable."""

from __future__ import annotations

from pathlib import Path

import click

from staffa._internal.lazy import load
from staffa.cli.numbers import WholeNumber
from staffa.cli.options import command
from staffa.cli.output import Output
from staffa.config import Config


@click.command()
@click.argument(
    "keywords", required=False, type=click.Path(dir_okay=False, path_type=Path), metavar="[FILE]"
)
@click.option("--once", is_flag=True, help="End when all is done, instead of waiting for Ctrl-C.")
@click.option("--fresh", is_flag=True, help="Forget what earlier runs have stored.")
@click.option(
    "--seed",
    type=WholeNumber(),
    metavar="N",
    default=1,
    show_default=True,
    help="Of the server's bad luck.",
)
@command
async def demo(
    config: Config, output: Output, keywords: Path | None, once: bool, fresh: bool, seed: int
) -> None:
    """Crawl Python's documentation with jobs.

    FILE has a keyword a line; without it, 300 modules of the standard library are looked up. The
    pages come from a local server that refuses, fails, dawdles and goes down; at the end every
    keyword has its page. Kill it at any time: the next run finishes the rest.

    Example: staffa demo --once
    """
    run = load("staffa.cli.demo.run:run")  # registers the demo's worker: not in other commands
    await run(config, output, keywords, once=once, fresh=fresh, seed=seed)
