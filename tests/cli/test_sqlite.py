"""The program on a SQLite file, from its making to jobs that ran."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from staffa import Job, Staffa
from tests.support.files import JobsFile
from tests.support.program import Program, read_until

_WORKERS = """
from staffa import job

@job(name="shop.send")
async def send(to: str) -> None:
    print("sent to", to, flush=True)
"""


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The program in a folder, with a relative file."""
    return Program(tmp_path, STAFFA_DSN="sqlite:///jobs.db", STAFFA_POLL="0.1")


async def test_a_file_is_made_worked_on_looked_at_and_emptied(
    program: Program, tmp_path: Path
) -> None:
    file = JobsFile(tmp_path / "jobs.db")
    assert (await program.run("migrate", "status")).code == 1
    assert (await program.run("jobs", "list")).code == 1
    made = await program.run("migrate", "up", "--json")
    assert (made.code, made.json["version"]) == (0, 6)
    async with Staffa(file.dsn) as app:
        await app.enqueue(Job(worker="shop.send", args={"to": "ada"}))
        await app.enqueue(Job(worker="other", scheduled_in=60))
    (tmp_path / "shop.py").write_text(_WORKERS)
    process = await program.start("start", "--queues", "default:2", "--import", "shop")
    assert "sent to ada" in await read_until(process.stdout, "sent")
    await file.until_count(completed=1, scheduled=1)
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    assert process.returncode == 0
    listed = await program.run("jobs", "list", "--json")
    assert [row["state"] for row in listed.json] == ["scheduled", "completed"]
    down = await program.run("migrate", "down", "--to", "0", "--yes", "--json")
    assert (down.code, down.json["jobs"]) == (0, 2)


async def test_a_file_is_examined_and_watched_as_a_server_is(
    program: Program, tmp_path: Path
) -> None:
    await program.run("migrate", "up")
    async with Staffa(f"sqlite:///{tmp_path}/jobs.db") as app:
        await app.enqueue(Job(worker="shop.gone", queue="mail"))
    found = await program.run("doctor", "--json")
    checks = {one["check"] for one in found.json["findings"]}
    assert {"schema", "server", "clock", "processes", "waiting jobs", "workers"} <= checks
    assert not checks & {"pooler", "connections", "vacuum", "indexes", "notifications"}
    unknown = await program.run("check", "--json")
    assert (unknown.code, unknown.json["unknown"][0]["worker"]) == (1, "shop.gone")
    assert (await program.run("queues", "pause", "mail")).code == 0
    (queue,) = (await program.run("queues", "list", "--json")).json
    assert (queue["queue"], queue["counts"], queue["paused"]) == ("mail", {"available": 1}, True)
    frame = await program.run("top", "--once")
    assert "mail" in frame.out
    assert (await program.run("cron", "list", "--json")).json == []


async def test_what_is_not_for_a_file_is_refused_with_the_reason(program: Program) -> None:
    refused = await program.run("migrate", "up", "--prefix", "jobs")
    assert refused.code == 2
    assert "a file has no schemas" in refused.err
    refused = await program.run("maintain")
    assert refused.code == 2
    assert "there is nothing to maintain" in refused.err
    refused = await program.run("migrate", "up", "--dsn", "sqlite://")
    assert refused.code == 2
    assert "name a file" in refused.err
