"""An environment of its own for each contender, on the newest interpreter of this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).parents[1]
FOLDER = PROJECT / ".staffa" / "bench"
_VERSION = re.compile(r"Python (3)\.(\d+)\.(\d+)$")
_OLDEST = (3, 12)


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python of this machine."""

    path: Path
    version: tuple[int, ...]


@cache
def newest_interpreter() -> Interpreter:
    """Return the newest Python that can be found: on the path, of pyenv, or this one."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [Path(sys.executable), *pyenv.glob("3.*/bin/python3")]
    for minor in range(_OLDEST[1], 20):
        path = shutil.which(f"python3.{minor}")
        if path is not None:
            found.append(Path(path))
    known = [Interpreter(path, version) for path in found if (version := _version(path))]
    return max(known, key=lambda interpreter: interpreter.version)


def _version(path: Path) -> tuple[int, ...] | None:
    try:
        told = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None  # a shim without a version behind it
    match = _VERSION.match(told.stdout.strip())
    return tuple(map(int, match.groups())) if match else None


@dataclass(frozen=True, slots=True)
class Environment:
    """What a contender runs in.

    Args:
        name: The name of its folder.
        requirements: What is installed, pinned.
    """

    name: str
    requirements: tuple[str, ...]

    @property
    def python(self) -> Path:
        """The interpreter of the environment."""
        return FOLDER / "environments" / self.name / "bin" / "python"

    def make(self) -> None:
        """Make it, unless it is there already with just these requirements."""
        folder = self.python.parents[1]
        wanted = "\n".join([str(newest_interpreter().path), *self.requirements])
        made = folder / "requirements.txt"
        if made.is_file() and made.read_text("utf-8") == wanted:
            return
        uv = shutil.which("uv") or str(PROJECT / ".uv" / "bin" / "uv")
        self._run(uv, "venv", "--clear", "--python", newest_interpreter().path, folder)
        self._run(uv, "pip", "install", "--compile-bytecode", *self.requirements)
        made.write_text(wanted, "utf-8")

    def _run(self, *command: str | Path) -> None:
        environment = {**os.environ, "VIRTUAL_ENV": str(self.python.parents[1])}
        done = subprocess.run(
            command, env=environment, cwd=PROJECT, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"the environment of {self.name} can't be made:\n{done.stderr}")
