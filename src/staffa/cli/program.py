"""The group of all commands."""

from __future__ import annotations

import json
from typing import Any

import click

import staffa
from staffa.cli.adopt.command import adopt
from staffa.cli.changes import cancel, delete, retry
from staffa.cli.check import check
from staffa.cli.completion import completion
from staffa.cli.cron import cron
from staffa.cli.demo.command import demo
from staffa.cli.doctor.command import doctor
from staffa.cli.dynamic_queues import queues
from staffa.cli.groups import Commands
from staffa.cli.init import init
from staffa.cli.jobs import jobs
from staffa.cli.maintain import maintain
from staffa.cli.migrate import migrate
from staffa.cli.start import start
from staffa.cli.top.command import top

_SECTIONS = {
    "begin": (init, migrate, adopt, demo, completion),
    "run": (start, top),
    "operate": (jobs, queues, cron),
    "look after": (check, doctor, maintain),
}
_HEADING = max(map(len, _SECTIONS)) + 2


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
            for place, entry in enumerate(commands):
                named = heading if place == 0 else ""
                rows.append((f"{named:<{_HEADING}}{entry.name}", entry.get_short_help_str(60)))
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_dl(rows)


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    options_metavar="[--help] [--version]",
    subcommand_metavar="COMMAND ...",
)
@click.version_option(staffa.__version__, prog_name="staffa")
def main() -> None:
    """Background jobs on PostgreSQL.

    Settings come from staffa.toml (or [tool.staffa] in pyproject.toml), then STAFFA_* variables,
    then options. Without a database of yours, an embedded one is started for the project.

    Exit codes: 0 done; 1 refused or nothing found; 2 usage; 3 database away.
    """


jobs.add_command(retry)
jobs.add_command(cancel)
jobs.add_command(delete)
for _entries in _SECTIONS.values():
    for _entry in _entries:
        main.add_command(_entry)
