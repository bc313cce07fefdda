"""No row, whoever wrote it, drives the terminal or breaks a table, whichever command lists it."""

from __future__ import annotations

import re

import pytest

from staffa import Cron
from tests.conftest import MakeClient
from tests.support.events import eventually
from tests.support.program import Program, read_until
from tests.support.rows import Rows
from tests.support.terminal import Terminal

EVIL = "\x1b[31m\x1b]0;hacked\x07\x08\x9b2J\u202e\u2028\r\nfake row"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_COLOURS = re.compile(r"\x1b\[(\?(25|1049)[hl]|[0-9;]*[mHKJA])|\r\n|\r")
LISTINGS = (
    "jobs list", "jobs show 1 2 3", "queues list", "queues list --quick", "cron list", "check",
    "doctor --import code", "top --once", "jobs cancel --all --dry-run", "jobs retry --all",
    "jobs delete --all", "queues list --json", "top --once --json", "jobs list --json",
)  # fmt: skip


@pytest.fixture
async def hostile(program: Program, make_client: MakeClient, rows: Rows) -> Program:
    """The program on rows with control characters wherever text can be."""
    (program.folder / "code.py").touch()
    app = make_client(name="Oban", queues={"q": 1}, cron=[Cron("@daily", worker=f"w{EVIL}")])
    await app.start()

    async def listed() -> bool:
        return bool(await app.list_crons())

    await eventually(listed, "the entry")
    await app.stop()
    error = '{"attempt": 1, "at": "%s", "error": "%s"}' % (("\\u001b[31m2026",) * 2)
    text = '{"a": "\\u001b[31m", "progress": {"value": 0.5, "note": "\\u001b[31m"}}'
    for state in ("available", "executing", "retryable", "discarded", "scheduled"):
        number = await rows.insert(
            state=state, queue=f"q{EVIL}", worker=f"w{EVIL}", attempt=1, args=text, meta=text,
            scheduled_at="2026-01-01", attempted_at="2026-01-01",
        )  # fmt: skip
        await rows.connection.execute(
            f"UPDATE {rows.jobs} SET attempted_by = $2, tags = $2,"
            " errors = ARRAY[$3::text::jsonb] WHERE id = $1",
            number, [f"node{EVIL}", f"uuid{EVIL}"], error,
        )  # fmt: skip
    await rows.connection.execute(
        f"INSERT INTO {rows.producers} (uuid, name, node) VALUES (gen_random_uuid(), 'Oban', $1)",
        f"node{EVIL}",
    )
    await rows.connection.execute(
        f"INSERT INTO {rows.queues} (name, queue, scope, option, value, version, changed_at)"
        " VALUES ('Oban', $1, $2, $3, '{\"x\": 1}', 5, now()),"
        " ('Oban', $1, '*', 'paused', 'true', 6, now())",
        f"q{EVIL}", f"node:node{EVIL}", f"option{EVIL}",
    )  # fmt: skip
    return program


async def test_no_control_character_is_printed(hostile: Program) -> None:
    for line in LISTINGS:
        finished = await hostile.run(*line.split())
        assert finished.code in {0, 1}, (line, finished)
        assert _CONTROL.search(finished.out + finished.err) is None, (line, finished)
        assert "Traceback" not in finished.err, (line, finished)
        if "show" not in line:  # it shows text as it is, line by line
            assert "\nfake row" not in finished.out, (line, finished)


async def test_no_control_character_reaches_a_terminal(
    hostile: Program, terminal: Terminal
) -> None:
    for line in ("jobs list", "queues list", "top --once"):
        terminal.forget()
        process = await hostile.start_on(terminal, *line.split())
        assert await process.wait() == 0
        assert _CONTROL.search(_COLOURS.sub("", terminal.shown)) is None, (line, terminal.shown)
        assert "\x1b]" not in terminal.shown


async def test_no_control_character_and_no_faked_line_is_in_the_log_of_a_worker(
    program: Program, rows: Rows
) -> None:
    await rows.insert(queue="q", worker=f"w{EVIL}")
    worker = await program.start("start", "--queues", "q:1")
    told = await read_until(worker.stderr, "unknown_worker")
    worker.terminate()
    _, rest = await worker.communicate()
    told += rest.decode()
    assert _CONTROL.search(told) is None, told
    assert not [line for line in told.splitlines() if line.startswith("fake row unknown")]
