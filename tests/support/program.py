"""The installed program, run as users run it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from staffa.config import Config
from tests.support.terminal import Terminal

_TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Finished:
    """What a run of the program left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The JSON that it printed."""
        return json.loads(self.out)


_OF_OTHER_TERMINALS = frozenset({"COLUMNS", "LINES"})
"""Set for the test run's own processes by readline, where one of them has loaded it."""


class Program:
    """``staffa`` in a folder, with a database and a schema in its environment.

    Args:
        folder: Where it runs.
        variables: Its environment besides that of the tests.
    """

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith("STAFFA_") and key not in _OF_OTHER_TERMINALS
        }
        self._environment = {**kept, **variables, "PYTHONUNBUFFERED": "1"}

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start it, and return the process."""
        return await self.start_python("-m", "staffa", *arguments)

    async def start_python(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start a Python script in its place, and return the process."""
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            cwd=self.folder,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def start_on(self, terminal: Terminal, *arguments: str) -> asyncio.subprocess.Process:
        """Start it on a terminal, in a session of its own, and return the process."""
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "staffa",
            *arguments,
            cwd=self.folder,
            env={**self._environment, "TERM": "xterm"},
            stdin=terminal.theirs,
            stdout=terminal.theirs,
            stderr=terminal.theirs,
            start_new_session=True,
        )

    async def run(self, *arguments: str) -> Finished:
        """Run it to its end."""
        process = await self.start(*arguments)
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            out, err = await process.communicate()
        assert process.returncode is not None
        return Finished(process.returncode, out.decode(), err.decode())


async def read_until(stream: asyncio.StreamReader | None, text: str) -> str:
    """Return what a process prints up to a line with a text."""
    assert stream is not None
    seen = ""
    async with asyncio.timeout(_TIMEOUT_SECONDS):
        while text not in seen:
            line = await stream.readline()
            assert line, f"the process ended before {text!r}; it printed: {seen}"
            seen += line.decode()
    return seen


Place = tuple[Program, Config]
"""The program, and what leads to its tables."""
