"""Programs and servers that some tests need: used where they are found.

A test that lacks one is skipped with the reason. ``STAFFA_REQUIRE=psql,...`` names those whose
absence is a failure instead; `make services` installs them.
"""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def require_program(name: str) -> str:
    """Return the path of a program, or skip the test."""
    path = shutil.which(name)
    if path is None:
        lack(name, f"{name} is not installed: 'make services' installs it")
    return path


def lack(name: str, reason: str) -> NoReturn:
    """Skip the test for want of something, or fail it where that is required."""
    if name in os.environ.get("STAFFA_REQUIRE", "").split(","):
        pytest.fail(reason)
    pytest.skip(reason)
