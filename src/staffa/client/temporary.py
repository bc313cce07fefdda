"""The folder of a temporary database: one for each client, whichever loops use it."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path


class TemporaryFolder:
    """A folder that is gone once it was removed, or is not used any more."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="staffa-"))
        self.remove = weakref.finalize(self, _remove, self.path, os.getpid())


def _remove(path: Path, process: int) -> None:
    """Remove a folder; a forked child leaves its parent's alone."""
    if os.getpid() == process:
        shutil.rmtree(path, ignore_errors=True)
