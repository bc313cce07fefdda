"""`staffa init`: the first files of a project."""

from __future__ import annotations

import shlex
from importlib.resources import files
from pathlib import Path

import click

from staffa.cli.options import fail
from staffa.cli.output import Output
from staffa.errors import ConfigError

_FILES = {"staffa.toml": "staffa.toml", "staffa_jobs.py": "staffa_jobs.py.txt"}


@click.command()
@click.argument(
    "folder", default=".", type=click.Path(file_okay=False, path_type=Path), metavar="[FOLDER]"
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def init(folder: Path, as_json: bool) -> None:
    """Write a configuration and a sample worker.

    Nothing that exists is overwritten.

    Example: staffa init && staffa migrate up && staffa start
    """
    existing = [name for name in _FILES if (folder / name).exists()]
    if existing:
        error = ConfigError(f"{folder / existing[0]} exists: remove it, or choose another folder")
        fail(error, as_json=as_json)
    folder.mkdir(parents=True, exist_ok=True)
    templates = files("staffa.cli").joinpath("templates")
    for name, template in _FILES.items():
        (folder / name).write_text(templates.joinpath(template).read_text("utf-8"), "utf-8")
    written = [str(folder / name) for name in _FILES]
    there = "" if folder == Path() else f"cd {shlex.quote(str(folder))}, "
    Output(as_json=as_json).say(
        "\n".join(
            [
                *(f"wrote {path}" for path in written),
                f"next: {there}staffa migrate up, staffa start, then python staffa_jobs.py",
            ]
        ),
        written=written,
    )
