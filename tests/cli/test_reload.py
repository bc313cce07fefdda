"""`staffa start --reload`."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from staffa import Job
from staffa.cli.reload import Sources
from tests.conftest import MakeClient
from tests.support.program import Program, read_until

_CODE = """
import asyncio
from pathlib import Path
from staffa import job

@job(queue="mail", name="shop.send")
async def send() -> None:
    print("sent by {version}", flush=True)

@job(queue="mail", name="shop.hold")
async def hold() -> None:
    print("holding", flush=True)
    while not Path("released").exists():
        await asyncio.sleep(0.01)
    print("held to the end", flush=True)
"""


@pytest.fixture
async def worker(program: Program) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker that runs the first version."""
    _write(program, "the first")
    process = await program.start(
        "start", "--import", "shop.jobs", "--queues", "mail:5", "--reload"
    )
    await read_until(process.stderr, "running mail:5")
    yield process
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        await process.communicate()


def _write(program: Program, version: str) -> None:
    _write_text(program, _CODE.format(version=version))


def _write_text(program: Program, text: str) -> None:
    if not (program.folder / "shop").exists():
        (program.folder / "shop").mkdir()
        (program.folder / "shop" / "__init__.py").touch()
    (program.folder / "shop" / "jobs.py").write_text(text)


async def test_a_change_starts_the_new_code(
    program: Program, make_client: MakeClient, worker: asyncio.subprocess.Process
) -> None:
    app = make_client()
    await app.enqueue(Job(worker="shop.send", queue="mail"))
    await read_until(worker.stdout, "sent by the first")
    _write(program, "the second")
    told = await read_until(worker.stderr, "running mail:5")
    assert "shop/jobs.py has changed" in told
    assert "stopped" in told
    await app.enqueue(Job(worker="shop.send", queue="mail"))
    await read_until(worker.stdout, "sent by the second")
    worker.send_signal(signal.SIGTERM)
    assert await worker.wait() == 0


async def test_running_jobs_may_end_before_the_new_code_starts(
    program: Program, make_client: MakeClient, worker: asyncio.subprocess.Process
) -> None:
    await make_client().enqueue(Job(worker="shop.hold", queue="mail"))
    await read_until(worker.stdout, "holding")
    _write(program, "the second")
    await read_until(worker.stderr, "stopping")
    (program.folder / "released").touch()
    told = await read_until(worker.stderr, "running mail:5")
    assert "completed" in told
    await read_until(worker.stdout, "held to the end")


async def test_code_that_can_not_be_read_ends_nothing(
    program: Program, make_client: MakeClient, worker: asyncio.subprocess.Process
) -> None:
    _write_text(program, "def broken(:\n")
    told = await read_until(worker.stderr, "waiting for a change")
    assert "SyntaxError" in told
    assert worker.returncode is None
    _write(program, "the third")
    await read_until(worker.stderr, "running mail:5")
    await make_client().enqueue(Job(worker="shop.send", queue="mail"))
    await read_until(worker.stdout, "sent by the third")


async def test_a_signal_while_it_waits_for_a_change_ends_it(
    program: Program, worker: asyncio.subprocess.Process
) -> None:
    _write_text(program, "def broken(:\n")
    await read_until(worker.stderr, "waiting for a change")
    worker.send_signal(signal.SIGINT)
    assert await worker.wait() == 1


async def test_a_second_signal_reaches_the_worker(
    program: Program, make_client: MakeClient, worker: asyncio.subprocess.Process
) -> None:
    await make_client().enqueue(Job(worker="shop.hold", queue="mail"))
    await read_until(worker.stdout, "holding")
    worker.send_signal(signal.SIGINT)
    await read_until(worker.stderr, "stopping")
    worker.send_signal(signal.SIGINT)
    await read_until(worker.stderr, "stopping at once")
    assert await worker.wait() == 0


async def test_a_module_that_is_not_there_is_wrong_usage(program: Program) -> None:
    finished = await program.run("start", "--import", "nowhere", "--queues", "m:1", "--reload")
    assert finished.code == 2
    assert "nowhere" in finished.err


def test_only_python_files_of_the_project_are_looked_at(tmp_path: Path) -> None:
    sources = Sources([tmp_path])
    for name in ("a.txt", ".venv/a.py", "env/pyvenv.cfg", "env/lib/a.py", "__pycache__/a.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    assert sources.changed() == []
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "a.py").touch()
    assert sources.changed() == [tmp_path / "shop" / "a.py"]
    assert sources.changed() == []
    os.utime(tmp_path / "shop" / "a.py", (0, 0))
    assert sources.changed() == [tmp_path / "shop" / "a.py"]
    (tmp_path / "shop" / "a.py").unlink()
    assert sources.changed() == [tmp_path / "shop" / "a.py"]
