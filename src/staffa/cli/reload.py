"""`staffa start --reload`: a child runs the queues, and is replaced when the code changes.

This process imports none of the code, so an error in it ends only a child; the next change starts
another one. A child is ended as a deploy would end it: it may finish its jobs first. It is in a
process group of its own, or Ctrl-C would reach it twice, and a second signal ends its grace period.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from staffa._internal.clock import SYSTEM_CLOCK
from staffa.errors import ConfigError

logger = logging.getLogger("staffa")

_LOOK_SECONDS = 0.5
_LARGEST_SHARE = 0.1  # of one core, for looking
_LEFT_OUT = frozenset({"__pycache__", "node_modules", "site-packages"})


class Sources:
    """The Python files below some folders.

    Args:
        folders: Where they are looked for; hidden ones and environments below them are left out.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._seen = self._look()

    def changed(self) -> list[Path]:
        """Return which files have changed, come or gone since the last call."""
        before, self._seen = self._seen, self._look()
        return sorted({path for path, _ in set(before.items()) ^ set(self._seen.items())})

    def _look(self) -> dict[Path, int]:
        found = {}
        for path in {path for folder in self._folders for path in _python_files(folder)}:
            try:
                found[path] = path.stat().st_mtime_ns
            except OSError:  # it has gone meanwhile
                continue
        return found


def source_folders(modules: Sequence[str]) -> list[Path]:
    """Return where code may change: the current folder, and those of packages elsewhere.

    Args:
        modules: What is imported.

    Raises:
        ConfigError: If one of them can't be found.
    """
    here = Path.cwd()
    if str(here) not in sys.path:
        sys.path.insert(0, str(here))
    folders = [here]
    for name in modules:
        spec = importlib.util.find_spec(name.partition(".")[0])  # of the package: imports nothing
        if spec is None:
            raise ConfigError(
                f"module {name!r} can't be imported: run this in the folder that holds it"
            )
        folders += map(Path, spec.submodule_search_locations or ())
    return folders


async def run_reloading(command: Sequence[str], sources: Sources) -> int:
    """Run a command, again after each change, until a signal; return its exit code.

    Args:
        command: Runs queues until SIGTERM or SIGINT.
        sources: What it runs.
    """
    signals: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.put_nowait, number)
    while True:
        child = await asyncio.create_subprocess_exec(*command, start_new_session=True)
        try:
            change = asyncio.create_task(_wait_for_change(sources))
            asked = asyncio.create_task(signals.get())
            ended = asyncio.create_task(child.wait())
            await asyncio.wait({change, asked, ended}, return_when=asyncio.FIRST_COMPLETED)
            if ended.done() and not asked.done():
                logger.warning(
                    "the worker process has ended with %s: waiting for a change", child.returncode
                )
                await asyncio.wait({change, asked}, return_when=asyncio.FIRST_COMPLETED)
            if asked.done():
                change.cancel()
                return await _end(child, ended, asked.result(), signals)
            logger.info("%s has changed: starting anew", change.result())
            asked.cancel()
            await _end(child, ended, signal.SIGTERM, signals)
            if not signals.empty():
                return await ended
        finally:
            if child.returncode is None:
                child.kill()


async def _end(
    child: asyncio.subprocess.Process,
    ended: asyncio.Task[int],
    number: int,
    signals: asyncio.Queue[int],
) -> int:
    """Pass a signal on, and those that follow, until the child has ended."""
    while not ended.done():
        child.send_signal(number)
        more = asyncio.create_task(signals.get())
        await asyncio.wait({more, ended}, return_when=asyncio.FIRST_COMPLETED)
        if more.done():
            number = more.result()
        else:
            more.cancel()
    return ended.result()


async def _wait_for_change(sources: Sources) -> Path:
    """Return the first file that has changed."""
    while True:
        began = SYSTEM_CLOCK.monotonic()
        changed = await asyncio.to_thread(sources.changed)
        if changed:
            return changed[0]
        await asyncio.sleep(max(_LOOK_SECONDS, (SYSTEM_CLOCK.monotonic() - began) / _LARGEST_SHARE))


def _python_files(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".")
            and name not in _LEFT_OUT
            and not os.path.exists(os.path.join(parent, name, "pyvenv.cfg"))
        ]
        yield from (Path(parent, name) for name in files if name.endswith(".py"))
