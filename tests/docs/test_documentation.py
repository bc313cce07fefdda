"""The documentation says what is true: examples run, commands exist, links lead somewhere.

Rules for the pages (README.md, CHANGELOG.md, CONTRIBUTING.md, SECURITY.md, docs/**/*.md,
examples/**/*.md):

- The ```python blocks of a page run in their order, in one module; ``await`` may stand at the
  top level.
- A block that asks for ``__name__ == "__main__"`` is a program: it begins with its file's name as a
  comment, is written to that file, and runs in a process of its own.
- A block that begins with the name of a file of an example as a comment is that file, word for
  word, and is not run here: the example has tests of its own (examples/*/tests).
- Blocks and programs run in an empty folder, with STAFFA_DSN and STAFFA_PREFIX set to a migrated
  schema.
- Jobs that a page leaves waiting run at the end of the page; one that fails, or whose worker is not
  known, fails the test. Programs' jobs are run by `staffa start`.
- In ```console blocks a line that begins with ``$`` is a command. Those of ``staffa`` and ``make``
  are parsed, not run.
- ```toml blocks hold settings, queues among them; ```json blocks hold JSON.
- ```sql blocks are executed on a migrated schema, and rolled back.
- Other blocks (text) are only read.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
import types
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import click
import pytest

from staffa import Config, Queue, Staffa, State
from staffa._internal.identifiers import quote_identifier
from staffa.cli.program import main
from staffa.embedded import EmbeddedPostgres
from tests.docs.pages import ALL_BLOCKS, PAGES, PROJECT, Block, blocks
from tests.support.events import TIMEOUT_SECONDS, Recorder, eventually

SHOWN_FILES = [block for block in ALL_BLOCKS["python"] if block.example]
PROGRAMS = [block for block in ALL_BLOCKS["python"] if block.is_program and not block.example]
EXAMPLE_PAGES = sorted(
    {block.page for block in ALL_BLOCKS["python"] if not block.is_program and not block.example}
)
COMMANDS = [
    (block, line.removeprefix("$ "))
    for block in ALL_BLOCKS["console"]
    for line in block.text.splitlines()
    if line.startswith("$ ")
]


@pytest.fixture
def project(
    dsn: str, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """An empty folder, and a migrated schema in the environment."""
    for variable in [name for name in os.environ if name.startswith("STAFFA_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("STAFFA_DSN", dsn)
    monkeypatch.setenv("STAFFA_PREFIX", prefix)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("documented_")]:
        del sys.modules[name]
    EmbeddedPostgres(tmp_path).remove()  # some data lies outside of the folder


def test_pages_are_found() -> None:
    assert {"README.md", "docs/quickstart.md", "docs/internals/architecture.md"} <= set(PAGES)
    assert PROGRAMS
    assert EXAMPLE_PAGES
    assert len(COMMANDS) > 20


@pytest.mark.parametrize("page", EXAMPLE_PAGES)
async def test_the_examples_of_a_page_run_and_so_do_their_jobs(
    page: str, project: Path, events: Recorder
) -> None:
    module = types.ModuleType("documented_" + re.sub(r"\W", "_", page))
    sys.modules[module.__name__] = module
    try:
        for block in blocks(page, "python"):
            if not block.is_program and not block.example:
                await run_in(module, block)
    finally:
        for value in list(vars(module).values()):
            if isinstance(value, Staffa):
                await value.stop(grace=0)
    await run_waiting_jobs()
    failed = [
        (event.name, event.data["job"].worker, event.data.get("error"))
        for event in events.events
        if event.name in {"staffa.job.retryable", "staffa.job.unknown_worker"}
    ]
    assert failed == []


async def run_in(module: types.ModuleType, block: Block) -> None:
    """Run a block in a module; a top-level await makes its code a coroutine."""
    source = "\n" * (block.line - 1) + block.text  # errors show the page's own line
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile(source, block.page, "exec", flags=flags, dont_inherit=True)
    result = eval(code, vars(module))
    if inspect.iscoroutine(result):
        await result


async def run_waiting_jobs() -> None:
    """Run what is available, in whatever queues, until nothing is left."""
    client = Staffa(name="the reader", poll=0.05)
    waiting = {State.AVAILABLE, State.EXECUTING}
    try:
        queues = {queue: 10 for queue, state in await client.count_jobs() if state in waiting}
        await client.start(queues=queues)

        async def all_done() -> bool:
            return not any(state in waiting for _, state in await client.count_jobs())

        await eventually(all_done, "the jobs of the page to end")
    finally:
        await client.stop(grace=0)


@pytest.mark.parametrize("block", PROGRAMS, ids=str)
async def test_a_program_runs_and_staffa_start_completes_its_jobs(
    block: Block, project: Path
) -> None:
    (project / block.file_name).write_text(block.text, "utf-8")
    program = await asyncio.to_thread(run_python, block.file_name)
    assert program.returncode == 0, program.stderr
    async with Staffa(name="the reader") as client:
        queues = {queue for queue, _ in await client.count_jobs()}
        assert queues, "a program of the documentation enqueues a job"
        chosen = ",".join(f"{queue}:10" for queue in sorted(queues))
        module = block.file_name.removesuffix(".py")
        command = ["-m", "staffa", "start", "--import", module, "--queues", chosen]
        worker = await asyncio.create_subprocess_exec(
            sys.executable, *command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:

            async def completed() -> bool:
                return {state for _, state in await client.count_jobs()} == {State.COMPLETED}

            await eventually(completed, "the program's jobs to complete")
        finally:
            worker.send_signal(signal.SIGTERM)
            async with asyncio.timeout(TIMEOUT_SECONDS):
                _, log = await worker.communicate()
    assert worker.returncode == 0, log
    assert b" completed in " in log


def run_python(file_name: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, file_name],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


@pytest.mark.parametrize("block", SHOWN_FILES, ids=str)
def test_a_file_of_an_example_is_shown_as_it_is(block: Block) -> None:
    assert block.example is not None
    first, _, shown = block.text.partition("\n")
    assert shown == block.example.read_text("utf-8"), first


def test_the_tutorial_shows_every_file_that_it_needs() -> None:
    example = PROJECT / "examples/mail"
    needed = [*example.glob("*.py"), *(example / "bookshop").glob("*.py")]
    shown = {block.example for block in SHOWN_FILES}
    assert {path for path in needed if path not in shown} == {example / "try_it.py"}
    tutorial = (PROJECT / "docs/tutorial-mail.md").read_text("utf-8")
    for name in ("staffa.toml", "bookshop/tables.sql"):
        assert (example / name).read_text("utf-8") in tutorial, name


@pytest.mark.parametrize(
    ("block", "line"), COMMANDS, ids=[f"{block}:{line[:40]}" for block, line in COMMANDS]
)
def test_a_command_exists_with_the_options_given(block: Block, line: str) -> None:
    for words in simple_commands(line):
        if words[0] == "staffa":
            parse_staffa(words[1:], f"{block}: {line}")
        elif words[0] == "make":
            targets = [word for word in words[1:] if "=" not in word and not word.startswith("-")]
            assert set(targets) <= make_targets(), f"{block}: {line}"


def simple_commands(line: str) -> Iterator[list[str]]:
    """Yield the commands of a line of shell, without redirections."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    redirected = False
    for word in lexer:
        if word in {"&&", "||", "|", ";", "&"}:
            yield words
            words = []
        elif word in {">", ">>", "<"}:
            redirected = True
        elif redirected or (not words and re.fullmatch(r"[A-Z_]+=.*", word)):
            redirected = False
        else:
            words.append(word)
    if words:
        yield words


def parse_staffa(words: list[str], where: str) -> None:
    """Parse a command's words as click does, without running it."""
    command: click.Command = main
    path = ["staffa"]
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        assert words[0] in command.commands, f"{where}: there is no command {words[0]!r}"
        command = command.commands[words[0]]
        path.append(words[0])
        words = words[1:]
    known = {
        option
        for parameter in command.get_params(click.Context(command))
        for option in parameter.opts
    }
    if isinstance(command, click.Group) or {"-h", "--help"} & set(words):
        assert {word for word in words if word.startswith("-")} <= known | {"-h"}, where
        return
    try:
        command.make_context(" ".join(path), list(words))
    except click.UsageError as error:
        pytest.fail(f"{where}: {error.format_message()}")


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("block", ALL_BLOCKS["toml"], ids=str)
def test_the_settings_of_an_example_load(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in [name for name in os.environ if name.startswith("STAFFA_")]:
        monkeypatch.delenv(variable)
    (tmp_path / "staffa.toml").write_text(block.text, "utf-8")
    config = Config.load(folder=tmp_path)
    assert config.queues.keys() == tomllib.loads(block.text)["queues"].keys()
    assert all(isinstance(queue, Queue) for queue in config.queues.values())


@pytest.mark.parametrize("block", ALL_BLOCKS["json"], ids=str)
def test_an_example_of_json_is_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", ALL_BLOCKS["sql"], ids=str)
async def test_an_example_of_sql_is_executed(
    block: Block, connection: asyncpg.Connection, prefix: str
) -> None:
    await connection.execute(
        "SELECT set_config('search_path', $1, false)", quote_identifier(prefix)
    )
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(block.text)
    await transaction.rollback()
