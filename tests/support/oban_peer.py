"""The Python package `oban` as a live peer: a program of its own beside the test."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.oban_environment import oban_python

FOLDER = Path(__file__).parent / "peer"
MODULE = "peer_program"
"""Its workers are `peer_program.Note` and so on."""

_TIMEOUT_SECONDS = 60.0
_LONGEST_LINE = 1 << 24


class ObanPeer:
    """A running program of the package `oban`; see `peer/peer_program.py`.

    Args:
        process: The program.
        log: What it says beside its answers.
    """

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log

    async def install(self) -> None:
        """Make its tables in the schema, which has to exist."""
        await self.ask("install")

    async def uninstall(self) -> None:
        """Drop its tables."""
        await self.ask("uninstall")

    async def start(self) -> None:
        """Run the queues that it was given."""
        await self.ask("start")

    async def stop(self) -> None:
        """Stop its queues."""
        await self.ask("stop")

    async def enqueue(self, *jobs: dict[str, Any]) -> list[int]:
        """Enqueue jobs, each given as its class `Job` takes it, and return their ids."""
        found: list[int] = await self.ask("enqueue", list(jobs))
        return found

    async def enqueue_same(self, count: int, **job: Any) -> list[int]:
        """Enqueue many equal jobs, numbered in their args, and return their ids."""
        found: list[int] = await self.ask("enqueue_same", count, **job)
        return found

    async def get_job(self, job_id: int) -> dict[str, Any]:
        """Return a job as it reads it; what the job recorded is its `value`."""
        found: dict[str, Any] = await self.ask("get_job", job_id)
        return found

    async def check_queue(self, queue: str) -> dict[str, Any]:
        """Return what one of its queues is doing; an empty one if it does not run that."""
        checks: list[dict[str, Any]] = await self.ask("check_all_queues")
        return next((check for check in checks if check["queue"] == queue), {})

    async def call(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of its client, as `pause_queue`."""
        return await self.ask("call", method, *arguments, **options)

    async def ask(self, name: str, *arguments: Any, **options: Any) -> Any:
        """Have a method of its program called, and return what that returns."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([name, arguments, options]).encode() + b"\n")
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            await self._process.stdin.drain()
            line = await self._process.stdout.readline()
        assert line, f"the peer has ended:\n{self._log.read_text()}"
        kind, value = json.loads(line)
        assert kind == "ok", f"{value}\n{self._log.read_text()}"
        return value

    async def close(self) -> None:
        """End it: its running jobs are waited for as its own settings say."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                await self._process.wait()
        finally:
            self.kill()

    def kill(self) -> None:
        """End it at once, in whatever state it is."""
        if self._process.returncode is None:
            self._process.kill()


@asynccontextmanager
async def oban_peer(dsn: str, prefix: str, log: Path, **options: Any) -> AsyncIterator[ObanPeer]:
    """Run a program of the package `oban`, or skip the test where there is none.

    It is connected; `install` makes its tables, and `start` runs its queues.

    Args:
        dsn: The database.
        prefix: The schema. The package writes it into statements as it is: it must need no quotes.
        log: Where to keep what it says.
        **options: Of its client, such as `queues={"theirs": 5}`. It is named `Oban`, its node
            `peer`.
    """
    python = await asyncio.to_thread(oban_python)
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("OBAN_")}
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            python, "-c", f"import {MODULE}; {MODULE}.run()", dsn, prefix, json.dumps(options),
            cwd=FOLDER,
            env={**inherited, "PYTHONPATH": str(FOLDER)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=output,
            limit=_LONGEST_LINE,
        )  # fmt: skip
    peer = ObanPeer(process, log)
    try:
        yield peer
        await peer.close()
    finally:
        peer.kill()
        await process.wait()
