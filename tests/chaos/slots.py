"""Places for processes of a chaos run: what dies there is followed by another one."""

from __future__ import annotations

import asyncio
import signal
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.chaos.notes import Notebook
from tests.support.events import eventually
from tests.support.processes import ModuleProcess, WorkerProcess
from tests.support.proxy import Proxy

_LOOK_SECONDS = 0.05
_AGAIN_SECONDS = 0.3
STOP_SECONDS = 90.0


class Slot(ABC):
    """A place for one process after the other.

    Args:
        name: Its name; its processes are called ``name-1``, ``name-2`` and so on.
        folder: Where their logs go.
        notebook: Where deaths are noted.
        proxy: What its processes connect through; None for a way of their own.
    """

    def __init__(
        self, name: str, folder: Path, notebook: Notebook, proxy: Proxy | None = None
    ) -> None:
        self.name = name
        self.proxy = proxy
        self.disturbed = False
        self.generation = 0
        self._folder = folder
        self._notebook = notebook
        self._process: ModuleProcess | None = None
        self._expected = False
        self._wanted = True

    @property
    def node(self) -> str:
        """The name of the present process."""
        return f"{self.name}-{self.generation}"

    @property
    def log(self) -> Path:
        """The output of the present process."""
        return self._folder / f"{self.node}.log"

    @property
    def pid(self) -> int | None:
        """The id of the present process, if it lives."""
        process = self._process
        return None if process is None or process.code is not None else process.pid

    @property
    def is_up(self) -> bool:
        """Whether a process lives here that has got through its start."""
        return self.pid is not None and self._has_begun()

    async def keep(self) -> None:
        """Start a process, and the next one whenever one has ended, until told to stop."""
        while self._wanted:
            self.generation += 1
            self._expected = False
            self._process = self._start()
            while self._process.code is None:  # noqa: ASYNC110  # it comes from outside
                await asyncio.sleep(_LOOK_SECONDS)
            self._note_end(self._process.code)
            if self._wanted:
                await asyncio.sleep(_AGAIN_SECONDS)

    def send(self, number: signal.Signals, *, fatal: bool = False) -> None:
        """Send a signal to the present process.

        Args:
            number: The signal.
            fatal: Whether it is to end it.
        """
        self._expected = self._expected or fatal
        if self._process is not None and self._process.code is None:
            self._process.send(number)

    async def ended(self, generation: int) -> bool:
        """Wait until a process has ended, and tell whether it did."""
        try:
            await eventually(
                lambda: self.generation != generation or self.pid is None, "", STOP_SECONDS
            )
        except AssertionError:
            self._notebook.write("hung", node=self.node, log=str(self.log))
            return False
        return True

    async def stop(self) -> None:
        """Ask the last process to stop, and have no other follow."""
        self._wanted = False
        self.send(signal.SIGTERM, fatal=True)
        await self.ended(self.generation)
        self.kill()

    def kill(self) -> None:
        """End the present process, if there is one."""
        self._wanted = False
        self._expected = True
        if self._process is not None:
            self._process.kill()

    def children(self) -> list[int]:
        """Return the ids of the present process's children."""
        if self.pid is None:
            return []
        found = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        try:
            return [int(child) for child in found.read_text().split()]
        except FileNotFoundError:  # it has ended, or the system does not tell
            return []

    def _note_end(self, code: int) -> None:
        self._notebook.write("died", node=self.node, code=code)
        by_signal = code == -signal.SIGKILL or (code == -signal.SIGTERM and self._has_stopped())
        ended_well = code == 0 or (self._expected and by_signal)
        if self._has_begun() and not (self._expected and ended_well):
            self._notebook.write("crashed", node=self.node, code=code, log=str(self.log))

    @abstractmethod
    def _start(self) -> ModuleProcess:
        """Start the next process."""

    @abstractmethod
    def _has_begun(self) -> bool:
        """Whether it has got as far as its work."""

    def _has_stopped(self) -> bool:
        """Whether it has said that all is done: only the interpreter's own end is left then."""
        return False


class WorkerSlot(Slot):
    """A place for worker processes.

    Args:
        name: See `Slot`.
        folder: See `Slot`.
        notebook: See `Slot`.
        proxy: See `Slot`.
        dsn: The database.
        prefix: The schema.
        modules: What they import.
        queues: What they run.
        settings: Further settings.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        notebook: Notebook,
        proxy: Proxy | None = None,
        *,
        dsn: str,
        prefix: str,
        modules: Sequence[str],
        queues: Mapping[str, int],
        settings: Mapping[str, Any],
    ) -> None:
        super().__init__(name, folder, notebook, proxy)
        self._dsn = dsn
        self._prefix = prefix
        self._modules = modules
        self._queues = ",".join(f"{queue}:{limit}" for queue, limit in queues.items())
        self._settings = settings

    def _start(self) -> ModuleProcess:
        return WorkerProcess(
            self.proxy.dsn if self.proxy else self._dsn,
            self._prefix,
            self.log,
            queues=self._queues,
            module=self._modules[0],
            imports=",".join(self._modules),
            node=self.node,
            **self._settings,
        )

    def _has_begun(self) -> bool:
        return b"INFO    running " in self.log.read_bytes()

    def _has_stopped(self) -> bool:
        return b"INFO    stopped" in self.log.read_bytes()


class EnqueuerSlot(Slot):
    """A place for processes that enqueue.

    Args:
        name: See `Slot`.
        folder: See `Slot`.
        notebook: See `Slot`; its processes write there, too.
        proxy: See `Slot`.
        dsn: The database.
        arguments: What all of them are given.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        notebook: Notebook,
        proxy: Proxy | None = None,
        *,
        dsn: str,
        arguments: Sequence[str],
    ) -> None:
        super().__init__(name, folder, notebook, proxy)
        self._dsn = dsn
        self._arguments = arguments

    def _start(self) -> ModuleProcess:
        dsn = self.proxy.dsn if self.proxy else self._dsn
        command = ["tests.chaos.enqueuer", *self._arguments, "--dsn", dsn, "--name", self.node]
        return ModuleProcess([*command, "--notes", str(self._notebook.path)], self.log)

    def _has_begun(self) -> bool:
        return b"enqueueing" in self.log.read_bytes()
