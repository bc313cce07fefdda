"""A terminal of a test's own, with a program on it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import struct
import termios
from collections.abc import Callable

from tests.support.events import TIMEOUT_SECONDS


class Terminal:
    """A pseudo-terminal: what a program shows on it is read, keys are pressed.

    Args:
        lines: Its height.
        columns: Its width.
    """

    def __init__(self, lines: int = 30, columns: int = 120) -> None:
        self._ours, self.theirs = pty.openpty()
        self.shown = ""
        self._changed = asyncio.Event()
        self.resize(lines, columns)
        os.set_blocking(self._ours, False)
        asyncio.get_running_loop().add_reader(self._ours, self._read)

    def resize(self, lines: int, columns: int) -> None:
        """Change its size; its program is told."""
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, keys: str) -> None:
        """Press keys."""
        os.write(self._ours, keys.encode())

    def forget(self) -> None:
        """Forget what was shown."""
        self.shown = ""

    async def until(self, condition: str | Callable[[str], bool]) -> str:
        """Return what was shown once it contains a text, or fits a condition."""
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                while not (
                    condition in self.shown if isinstance(condition, str) else condition(self.shown)
                ):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(
                f"waited for {condition!r}; shown: {self.shown[-3000:]!r}"
            ) from None
        return self.shown

    def close(self) -> None:
        """Take it away."""
        asyncio.get_running_loop().remove_reader(self._ours)
        os.close(self._ours)
        os.close(self.theirs)

    def _read(self) -> None:
        try:
            self.shown += os.read(self._ours, 65536).decode("utf-8", "replace")
        except OSError:  # its program has ended
            asyncio.get_running_loop().remove_reader(self._ours)
        self._changed.set()
