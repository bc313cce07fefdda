"""`staffa/sync.py` is what `make sync` writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def test_the_synchronous_surface_is_what_the_clients_methods_say() -> None:
    done = subprocess.run(
        [sys.executable, "tools/write_sync.py", "--check"],
        cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
