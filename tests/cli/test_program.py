"""What all commands have in common: help, version, settings, errors and exit codes."""

from __future__ import annotations

import doctest
import importlib
import json
import pkgutil
import sys
from pathlib import Path

import pytest
from click import Command, Group
from click.testing import CliRunner

import staffa
from staffa import cli
from staffa.cli import main
from tests.support.program import Program
from tests.unit.programs import run_python

REACHING = (
    "migrate up", "migrate status", "migrate down --to 0", "demo --once", "start --queues q:1",
    "top --once", "jobs list", "jobs show 1", "jobs retry 1", "jobs cancel 1", "jobs delete 1",
    "jobs signal 1",
    "jobs cancel --queue q --dry-run", "queues list", "queues pause q", "queues resume q",
    "queues scale q 1", "queues start q", "queues stop q", "queues add q",
    "queues set q --limit 1", "queues delete q --yes", "cron list", "cron run n", "cron show n",
    "cron add n @daily w", "cron set n --queue q", "cron pause n", "cron resume n",
    "cron delete n --yes", "limits show", "workflow list", "workflow show w",
    "workflow cancel w --yes", "workflow retry w", "workflow release w s", "batch list",
    "batch show b", "batch cancel b --yes", "check",
    "doctor", "maintain", "adopt",
)  # fmt: skip
"""A line for each command that talks to a database."""

LOADED = """
import contextlib, io, sys
from staffa.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main()
modules = {name.removeprefix("staffa.cli.") for name in sys.modules}
print(*sorted(({"rich"} | set(main.commands)) & modules))
"""


def _commands(group: Group, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Command]]:
    found: list[tuple[tuple[str, ...], Command]] = []
    for name, command in group.commands.items():
        found.append(((*path, name), command))
        if isinstance(command, Group):
            found += _commands(command, (*path, name))
    return found


async def test_the_version_is_that_of_the_package(tmp_path: Path) -> None:
    finished = await Program(tmp_path).run("--version")
    assert finished.code == 0
    assert staffa.__version__ in finished.out
    script = await Program(tmp_path).start_python(
        str(Path(sys.executable).with_name("staffa")), "-h"
    )
    out, _ = await script.communicate()
    assert b"staffa [--help] [--version] COMMAND" in out


def test_the_help_fits_a_screen_and_names_every_command() -> None:
    result = CliRunner().invoke(main, ["--help"], terminal_width=80)
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert "..." not in result.output.partition("COMMAND ...")[2]
    for name in main.commands:
        assert sum(f"  {name} " in line for line in lines) == 1


def test_the_help_tells_of_each_command_what_the_command_itself_tells() -> None:
    told = CliRunner().invoke(main, ["--help"], terminal_width=100).output.splitlines()
    for name, command in main.commands.items():
        assert command.name == name
        assert any(
            line.endswith(f"  {command.get_short_help_str(60)}") and f"  {name} " in line
            for line in told
        ), name


def test_a_run_imports_the_command_that_it_is_and_no_other(tmp_path: Path) -> None:
    assert run_python("-c", LOADED, "--help", folder=tmp_path) == ""
    assert run_python("-c", LOADED, "start", "--help", folder=tmp_path) == "start"
    assert run_python("-c", LOADED, "top", "--help", folder=tmp_path) == "rich top"


def test_each_group_tells_what_its_commands_do_in_a_line() -> None:
    for path, group in _commands(main):
        if isinstance(group, Group):
            result = CliRunner().invoke(main, [*path, "--help"], terminal_width=80)
            for name in group.commands:
                (line,) = [
                    row for row in result.output.splitlines() if row.startswith(f"  {name} ")
                ]
                assert not line.endswith("...")


@pytest.mark.parametrize(
    ("path", "command"),
    _commands(main),
    ids=lambda part: " ".join(part) if type(part) is tuple else "",
)
def test_every_command_has_an_example_in_its_help(path: tuple[str, ...], command: Command) -> None:
    result = CliRunner().invoke(main, [*path, "--help"])
    assert result.exit_code == 0
    assert "Example: staffa " in result.output


async def test_an_unknown_command_is_a_usage_error(tmp_path: Path) -> None:
    finished = await Program(tmp_path).run("strat")
    assert finished.code == 2
    assert "strat" in finished.err


@pytest.mark.parametrize(
    "module",
    [
        found.name
        for found in pkgutil.walk_packages(cli.__path__, "staffa.cli.")
        if not found.name.startswith("staffa.cli.demo")  # registers a worker
    ],
)
def test_the_examples_of_a_docstring_are_true(module: str) -> None:
    assert doctest.testmod(importlib.import_module(module)).failed == 0


def test_no_example_in_a_help_is_broken_into_lines() -> None:
    for path, command in _commands(main):
        result = CliRunner().invoke(main, [*path, "--help"], terminal_width=80)
        (example,) = [line for line in result.output.splitlines() if "Example:" in line]
        assert f" {example.strip()}END" in " ".join((command.help or "").split()) + "END", path


@pytest.mark.parametrize(
    ("line", "where"),
    [("--dsn x jobs list", "staffa COMMAND --dsn"), ("jobs --limit 3 list", "staffa jobs COMMAND")],
)
async def test_an_option_before_its_command_is_told_where_it_belongs(
    tmp_path: Path, line: str, where: str
) -> None:
    finished = await Program(tmp_path).run(*line.split())
    assert finished.code == 2
    assert "write it after the command" in finished.err
    assert where in finished.err


async def test_a_missing_schema_says_which_command_makes_it(bare_program: Program) -> None:
    finished = await bare_program.run("jobs", "list")
    assert finished.code == 1
    assert "staffa migrate up" in finished.err


@pytest.mark.parametrize("line", REACHING)
async def test_every_command_says_that_the_database_is_away(tmp_path: Path, line: str) -> None:
    program = Program(tmp_path, STAFFA_DSN="postgresql://ada:secret@127.0.0.1:1/app")
    finished = await program.run(*line.split(), "--json")
    assert finished.code == 3, finished
    assert finished.out == ""
    error = json.loads(finished.err.splitlines()[-1])["error"]
    assert error["type"] == "DatabaseUnavailable"
    assert "secret" not in finished.err


def test_the_list_of_commands_that_need_a_database_is_complete() -> None:
    needing = {
        " ".join(path)
        for path, command in _commands(main)
        if not isinstance(command, Group) and any(param.name == "dsn" for param in command.params)
    }
    listed = {name for name in needing for line in REACHING if f"{line} ".startswith(f"{name} ")}
    assert needing - listed == {"migrate sql"}


@pytest.mark.parametrize("line", ["jobs cancel", "jobs nothing", "nothing", "top --interval x"])
async def test_wrong_usage_is_json_too_where_json_is_asked_for(tmp_path: Path, line: str) -> None:
    finished = await Program(tmp_path).run(*line.split(), "--json")
    assert finished.code == 2
    error = json.loads(finished.err)["error"]
    assert set(error) == {"type", "message"}
    assert error["message"]


async def test_an_unreachable_database_has_an_exit_code_of_its_own(tmp_path: Path) -> None:
    dsn = "postgresql://ada:secret@127.0.0.1:1/app"
    finished = await Program(tmp_path).run("jobs", "list", "--dsn", dsn)
    assert finished.code == 3
    assert "can't be reached" in finished.err
    assert "looked for database 'app' at 127.0.0.1:1" in finished.err
    assert "secret" not in finished.err + finished.out


async def test_a_wrong_dsn_is_named_without_its_password(tmp_path: Path) -> None:
    finished = await Program(tmp_path).run("jobs", "list", "--dsn", "postgres//ada:secret@db/app")
    assert finished.code == 2
    assert "postgresql://" in finished.err
    finished = await Program(tmp_path).run("jobs", "list", "--dsn", "http://ada:secret@db/app")
    assert finished.code == 2
    assert "secret" not in finished.err


async def test_an_unknown_key_of_the_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "staffa.toml").write_text("pool_sise = 3\n")
    finished = await Program(tmp_path).run("migrate", "sql")
    assert finished.code == 2
    assert "pool_sise" in finished.err
    assert "pool_size" in finished.err


async def test_errors_are_json_where_json_is_asked_for(bare_program: Program) -> None:
    finished = await bare_program.run("jobs", "list", "--json")
    error = json.loads(finished.err)["error"]
    assert error["type"] == "SchemaMissing"
    assert "staffa migrate up" in error["message"]


async def test_an_option_goes_before_the_environment_and_that_before_the_file(
    bare_program: Program,
) -> None:
    (bare_program.folder / "staffa.toml").write_text('prefix = "of the file"\n')
    finished = await bare_program.run("migrate", "sql")
    assert "of the file" not in finished.out
    finished = await bare_program.run("migrate", "sql", "--prefix", "of the option")
    assert '"of the option".oban_jobs' in finished.out
