"""The group of all commands."""

from __future__ import annotations

import json
from typing import Any

import click

import staffa
from staffa.cli.entries import Entries
from staffa.cli.groups import Commands

_SECTIONS = {
    "begin": {
        "init": "Write a configuration and a sample worker.",
        "migrate": "Create, update or remove the tables.",
        "adopt": "Share the tables of Elixir Oban or Python's oban.",
        "demo": "Crawl Python's documentation with jobs.",
        "completion": "Print what makes Tab complete in a shell.",
    },
    "run": {
        "start": "Run queues until SIGTERM or SIGINT.",
        "top": "Watch queues, running jobs and errors; q ends it.",
    },
    "operate": {
        "jobs": "List, show, retry, cancel, delete and signal jobs.",
        "workflow": "List, show, cancel, retry and release workflows.",
        "batch": "List, show and cancel batches.",
        "queues": "List, control and keep queues, wherever they run.",
        "limits": "Show what queues use of their limits on all nodes.",
        "cron": "List, make, change and run entries of cron.",
    },
    "look after": {
        "check": "Check settings, and the code against the rows.",
        "doctor": "Find what is wrong, and say what to do.",
        "maintain": "Rebuild bloated indexes; jobs run on meanwhile.",
    },
}
"""What each command does: the first line of its own help, told without importing it."""

_HEADING = max(map(len, _SECTIONS)) + 2
_FOLDERS = {"adopt", "demo", "doctor", "top"}


class Program(Commands):
    """The commands by what they are for, on one screen; wrong usage is told as JSON where asked."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, and remember whether JSON is asked for."""
        ctx.meta["staffa.json"] = "--json" in args
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            if not ctx.meta["staffa.json"] or isinstance(error, click.exceptions.NoArgsIsHelpError):
                raise
            told = {"type": type(error).__name__, "message": error.format_message()}
            click.echo(json.dumps({"error": told}), err=True)
            raise SystemExit(error.exit_code) from None

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands; the options are in the line of usage."""
        rows = []
        for heading, commands in _SECTIONS.items():
            for place, (name, told) in enumerate(commands.items()):
                named = heading if place == 0 else ""
                rows.append((f"{named:<{_HEADING}}{name}", told))
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_dl(rows)


def _place_of(name: str) -> str:
    module = f"staffa.cli.{name}.command" if name in _FOLDERS else f"staffa.cli.{name}"
    return f"{module}:{name}"


@click.group(
    cls=Program,
    commands=Entries({name: _place_of(name) for part in _SECTIONS.values() for name in part}),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    options_metavar="[--help] [--version]",
    subcommand_metavar="COMMAND ...",
)
@click.version_option(staffa.__version__, prog_name="staffa")
def main() -> None:
    """Background jobs on PostgreSQL.

    Settings: staffa.toml or [tool.staffa] of pyproject.toml, STAFFA_* variables, options. Without
    a database of yours, an embedded one is started. Exit codes: 0 done; 1 refused or nothing
    found; 2 usage; 3 database away.
    """
