"""Real worker processes: ``python -m staffa start`` on the test's schema."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.database import PROJECT
from tests.support.events import eventually

APP = "tests.support.app"


def inherited() -> dict[str, str]:
    """Return the variables that a process gets from here."""
    return {key: text for key, text in os.environ.items() if not key.startswith("STAFFA_")}


class ModuleProcess:
    """A process that runs a module as a program.

    Args:
        command: The module and its arguments.
        log: Where its output goes.
        folder: Where it runs.
        environment: Further variables.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        folder: Path = PROJECT,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=folder,
                env={**inherited(), **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    async def logged(self, text: str) -> None:
        """Wait until its output has a text."""

        def told() -> bool:
            assert self._process.poll() is None, f"it has ended:\n{self.log.read_text()}"
            return text in self.log.read_text()

        await eventually(told, f"{text!r} in the log")

    async def ended(self) -> int:
        """Wait until it has ended, and return its exit code."""
        await eventually(lambda: self._process.poll() is not None, f"the end of process {self.pid}")
        return self._process.wait()

    def kill(self) -> None:
        """End it, in whatever state it is."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


class WorkerProcess(ModuleProcess):
    """A process that runs queues.

    Args:
        dsn: The database.
        prefix: The schema.
        log: Where its output goes.
        queues: As ``--queues`` takes them.
        module: What it imports.
        folder: Where it runs.
        arguments: Further ones of ``staffa start``.
        environment: Further variables.
        **settings: Further settings, given as STAFFA_* variables.
    """

    def __init__(
        self,
        dsn: str,
        prefix: str,
        log: Path,
        *,
        queues: str = "default:10",
        module: str = APP,
        folder: Path = PROJECT,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        given = {"dsn": dsn, "prefix": prefix, **settings}
        variables = {f"STAFFA_{key.upper()}": str(value) for key, value in given.items()}
        command = ["staffa", "start", "--import", module, "--queues", queues, *arguments]
        super().__init__(command, log, folder, {**variables, **(environment or {})})

    async def running(self) -> None:
        """Wait until it runs queues."""
        await self.logged("running ")


Spawn = Callable[..., WorkerProcess]
