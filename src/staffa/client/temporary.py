"""The folder of a client's temporary database."""

from __future__ import annotations

import os
import weakref
from pathlib import Path

from staffa._internal.lazy import load


class TemporaryFolder:
    """A folder that is made when it is first asked for, and goes with the client or the process.

    A forked child uses its parent's, and never removes it.
    """

    def __init__(self) -> None:
        self._path: Path | None = None
        self._remover: weakref.finalize[[Path, int], TemporaryFolder] | None = None

    @property
    def path(self) -> Path:
        """The folder."""
        if self._path is None:
            self._path = Path(load("tempfile:mkdtemp")(prefix="staffa-"))
            self._remover = weakref.finalize(self, _remove, self._path, os.getpid())
        return self._path

    def remove(self) -> None:
        """Remove it with all that is in it; the next one will be another one."""
        remover, self._path, self._remover = self._remover, None, None
        if remover is not None:
            remover()


def _remove(path: Path, process: int) -> None:
    if os.getpid() == process:
        load("shutil:rmtree")(path, ignore_errors=True)
