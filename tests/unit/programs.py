"""Programs that tests run in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

TIMEOUT_SECONDS = 120


def write(path: Path, text: str) -> Path:
    """Write a module, its text indented as the test has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text))
    return path


def run_python(*arguments: str | Path, folder: Path) -> str:
    """Run the tests' Python, and return what it printed; an error of its own fails the test."""
    environment = {key: text for key, text in os.environ.items() if not key.startswith("STAFFA_")}
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
