"""The types say the truth: mypy accepts the good uses, and refuses each marked wrong one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
PROJECT = FOLDER.parents[1]


def test_mypy_agrees_with_every_use_and_every_mark(tmp_path: Path) -> None:
    files = sorted(str(path) for path in FOLDER.glob("*_*.py"))
    assert len(files) >= 5
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path), *files],
        cwd=PROJECT,
        env={key: text for key, text in os.environ.items() if not key.startswith("MYPY")},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
