"""The group of all commands."""

from __future__ import annotations

import click

import staffa
from staffa.cli.demo.command import demo
from staffa.cli.init import init
from staffa.cli.jobs import jobs
from staffa.cli.maintain import maintain
from staffa.cli.migrate import migrate
from staffa.cli.start import start


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(staffa.__version__, prog_name="staffa")
def main() -> None:
    """Background jobs on PostgreSQL.

    Settings come from staffa.toml (or [tool.staffa] in pyproject.toml), then STAFFA_* variables,
    then options. Without a database of yours, an embedded one is started for the project.
    """


for entry in (init, migrate, start, jobs, maintain, demo):
    main.add_command(entry)
