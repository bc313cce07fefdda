"""The environment in which the Python package `oban` runs: it needs Python 3.12, and we 3.11.

It is made once for each interpreter, below `.staffa/` in the project, from the pinned versions in
`peer/requirements.txt`. A test that can't have it is skipped with the reason;
``STAFFA_REQUIRE=oban`` makes that a failure.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from staffa.embedded.locks import FileLock
from tests.support.database import PROJECT
from tests.support.services import lack

REQUIREMENTS = Path(__file__).parent / "peer" / "requirements.txt"
OLDEST = (3, 12)
_TELL_VERSION = "import sys; print(*sys.version_info[:3], sys.executable, sep='\\n')"
_LONGEST_SECONDS = 300.0


def oban_python() -> Path:
    """Return the interpreter that has the package `oban`, or skip the test."""
    found = _make()
    if isinstance(found, str):
        lack("oban", found)
    return found


@cache
def _make() -> Path | str:
    """Return the environment's interpreter, or the reason why there is none."""
    interpreter = next(_interpreters(), None)
    if interpreter is None:
        return (
            "the Python package oban needs Python 3.12 or later: there is no such python3.x on "
            "PATH, nor one that pyenv has installed"
        )
    python, version = interpreter
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + os.fsencode(python)).hexdigest()[:12]
    folder = PROJECT / ".staffa" / f"oban-{version}-{digest}"
    folder.parent.mkdir(exist_ok=True)
    with FileLock.acquire(folder.with_name(f"{folder.name}.lock"), seconds=2 * _LONGEST_SECONDS):
        finished = folder / "finished"
        if not finished.exists():
            shutil.rmtree(folder, ignore_errors=True)
            own = folder / "bin" / "python"
            try:
                _run(python, "-m", "venv", str(folder))
                _run(str(own), "-m", "pip", "install", "--disable-pip-version-check",
                     "--requirement", str(REQUIREMENTS))  # fmt: skip
            except (OSError, subprocess.SubprocessError) as error:
                told = str(getattr(error, "stderr", None) or error)
                return f"the Python package oban can't be installed: {told[-500:].strip()}"
            finished.touch()
    return folder / "bin" / "python"


def _interpreters() -> Iterator[tuple[str, str]]:
    """Find interpreters that are new enough: this one, those on PATH, those of pyenv."""
    names = [f"python3.{minor}" for minor in (12, 13, 14)]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [
        sys.executable,
        *filter(None, map(shutil.which, names)),
        *map(str, sorted(pyenv.glob("*/bin/python"))),
    ]
    for candidate in candidates:
        try:
            told = _run(candidate, "-c", _TELL_VERSION)
        except (OSError, subprocess.SubprocessError):
            continue  # such as a shim of pyenv that has nothing behind it
        major, minor, micro, executable = told.splitlines()
        if (int(major), int(minor)) >= OLDEST:
            yield executable, f"{major}.{minor}.{micro}"


def _run(*command: str) -> str:
    """Run a command, and return what it printed."""
    return subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=_LONGEST_SECONDS
    ).stdout
