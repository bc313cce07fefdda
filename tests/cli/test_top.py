"""`staffa top`: one frame, a line of JSON again and again, and the live view on a terminal."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import pytest

from staffa import Job, current_job, job
from tests.conftest import MakeClient
from tests.support import app as jobs
from tests.support.events import TIMEOUT_SECONDS, eventually
from tests.support.program import Program
from tests.support.rows import Rows
from tests.support.terminal import Terminal


@job(name="shop.resize")
async def resize(folder: str) -> None:
    await current_job().progress(0.5, "resizing \x1b[31m")
    await jobs.hold(folder)


@job(name="shop.fail")
async def fail() -> None:
    raise ValueError("no such picture \x1b]0;hacked\x07")


async def _busy(make_client: MakeClient, rows: Rows, folder: Path) -> None:
    """Have a node that runs one job, has completed one, and has seen one fail."""
    app = make_client(name="Oban", node="web.1", queues={"media": 5, "idle": 1})
    await app.start()
    running = await app.enqueue(resize.options(queue="media").new(str(folder)))
    failed = await app.enqueue(fail.options(queue="media").new())
    await rows.until(failed.id, "retryable")

    async def told() -> bool:
        row = await rows.get(running.id)
        return "progress" in row["meta"] and row["state"] == "executing"

    await eventually(told, "progress")
    await app.enqueue(Job(worker="shop.later", queue="media", scheduled_in=600))


async def test_one_frame_shows_nodes_queues_running_jobs_and_errors(
    program: Program, make_client: MakeClient, rows: Rows, tmp_path: Path
) -> None:
    await _busy(make_client, rows, tmp_path)
    finished = await program.run("top", "--once")
    jobs.release(tmp_path)
    assert finished.code == 0, finished.err
    assert "\x1b" not in finished.out
    assert "\x07" not in finished.out
    for text in ("web.1", "media", "shop.resize", "50% resizing \\x1b[31m", "1/20", "retryable"):
        assert text in finished.out
    assert "ValueError: no such picture \\x1b]0;hacked\\x07" in finished.out


async def test_json_tells_the_same_and_rates(
    program: Program, make_client: MakeClient, rows: Rows, tmp_path: Path
) -> None:
    await _busy(make_client, rows, tmp_path)

    async def look() -> bool:
        found = (await program.run("top", "--once", "--json")).json
        queue = next(line for line in found["queues"] if line["queue"] == "media")
        counts = {state: queue[state] for state in ("executing", "scheduled", "retryable")}
        assert counts == {"executing": 1, "scheduled": 1, "retryable": 1}
        (node,) = found["nodes"]
        assert (node["node"], node["running"]) == ("web.1", 1)
        (running,) = found["running"]
        assert (running["progress"], running["note"]) == (0.5, "resizing \x1b[31m")
        assert found["errors"][0]["worker"] == "shop.fail"
        return bool(queue["failed_per_second"] > 0)

    await eventually(look, "a rate of failures")
    jobs.release(tmp_path)


async def test_json_goes_on_until_it_is_stopped(program: Program) -> None:
    process = await program.start("top", "--json", "--interval", "0.1")
    assert process.stdout is not None
    for _ in range(3):
        assert json.loads(await process.stdout.readline())["queues"] == []
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")


@pytest.mark.parametrize("end", ["q", "\x03", "SIGTERM"])
async def test_the_view_is_drawn_until_a_key_or_a_signal_and_leaves_the_terminal_as_it_was(
    program: Program, make_client: MakeClient, rows: Rows, tmp_path: Path,
    terminal: Terminal, end: str,
) -> None:  # fmt: skip
    await _busy(make_client, rows, tmp_path)
    process = await program.start_on(terminal, "top", "--interval", "0.2")
    shown = await terminal.until("shop.resize")
    assert "\x1b[?1049h" in shown  # a screen of its own
    assert "\x1b]0;" not in shown
    terminal.forget()
    await terminal.until("shop.resize")  # again
    if end == "SIGTERM":
        process.terminate()
    elif end == "q":
        terminal.press(end)
    else:
        process.send_signal(signal.SIGINT)
    assert await process.wait() == 0
    await terminal.until("\x1b[?1049l")
    jobs.release(tmp_path)


async def test_a_smaller_terminal_gets_a_smaller_frame(
    program: Program, make_client: MakeClient, rows: Rows, terminal: Terminal
) -> None:
    await make_client().enqueue_many(
        Job(worker="w", queue=f"queue-{number:02}") for number in range(40)
    )
    process = await program.start_on(terminal, "top", "--interval", "60")
    await terminal.until("and 36 more")
    terminal.forget()
    terminal.resize(60, 100)
    process.send_signal(signal.SIGWINCH)
    await terminal.until("and 29 more")
    terminal.press("q")
    assert await process.wait() == 0


async def test_it_ends_with_its_terminal(program: Program, rows: Rows) -> None:
    terminal = Terminal()
    process = await program.start_on(terminal, "top", "--interval", "60")
    await terminal.until("failed")
    terminal.close()
    async with asyncio.timeout(TIMEOUT_SECONDS):
        assert await process.wait() == 0


async def test_an_outage_is_told_and_the_view_goes_on(
    program: Program, rows: Rows, terminal: Terminal
) -> None:
    process = await program.start_on(terminal, "top", "--interval", "0.1")
    await terminal.until("failed")
    await rows.connection.execute(f"ALTER TABLE {rows.jobs} RENAME TO hidden")
    await terminal.until("trying again")
    await rows.connection.execute(
        f"ALTER TABLE {rows.jobs.replace('oban_jobs', 'hidden')} RENAME TO oban_jobs"
    )
    terminal.forget()
    await terminal.until(lambda shown: shown.count("staffa top") > 1)
    terminal.press("q")
    assert await process.wait() == 0


async def test_without_a_terminal_it_asks_for_once(program: Program) -> None:
    finished = await program.run("top")
    assert finished.code == 2
    assert "--once" in finished.err
    assert (await program.run("top", "--interval", "0")).code == 2
