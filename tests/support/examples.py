"""Running the examples as their readers do: each in its own folder, in a process of its own."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.database import create_database, drop_database, running_server

EXAMPLES = Path(__file__).parents[2] / "examples"


@contextmanager
def empty_database() -> Iterator[str]:
    """Make a database for an example."""
    with running_server() as server:
        dsn = asyncio.run(create_database(server))
        try:
            yield dsn
        finally:
            asyncio.run(drop_database(server, dsn))


def run_script(
    example: str, script: str, *, dsn: str | None = None, path: Sequence[Path] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a few lines in the folder of an example.

    Args:
        example: The folder.
        script: The lines.
        dsn: The database, as `STAFFA_DSN` tells it.
        path: Folders to be searched for modules before that of the example.
    """
    folder = EXAMPLES / example
    folders = [str(each) for each in (*path, folder)]
    settings = {"PYTHONPATH": os.pathsep.join(folders)} | ({"STAFFA_DSN": dsn} if dsn else {})
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env={**os.environ, **settings},
        check=False,
        capture_output=True,
        text=True,
        timeout=180,
    )
