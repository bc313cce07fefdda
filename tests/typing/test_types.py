"""The types say the truth: three checkers accept the good uses, and refuse each marked wrong one.

A line that is to be refused ends in ``# wrong: why``; every other line is to be accepted. Where one
checker can't see it, the mark says so: ``# wrong, unseen by ty: why``. There is one such case:

- ty does not look at the names of keywords where they are an unpacked typed dict, ``**options:
  Unpack[JobOptions]``, so it accepts misspelt ones; it does look at their values.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
PROJECT = FOLDER.parents[1]
FILES = sorted(FOLDER.glob("good_*.py")) + sorted(FOLDER.glob("wrong_*.py"))
MARK = re.compile(r"# wrong(?:, unseen by (?P<blind>\w+))?: \S")
KNOWN_BLIND = {"ty"}

Line = tuple[str, int]


def run(*arguments: str) -> str:
    """Run a checker on the files, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments, *map(str, FILES)],
        cwd=PROJECT,
        env={key: text for key, text in os.environ.items() if not key.startswith("MYPY")},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr  # found errors, did not crash
    return done.stdout


def mypy(cache: Path) -> Iterator[Line]:
    """Yield the lines that mypy refuses."""
    for path, line in re.findall(
        r"^(.+?):(\d+): error:", run("mypy", "--cache-dir", str(cache)), re.MULTILINE
    ):
        yield Path(path).name, int(line)


def pyright(cache: Path) -> Iterator[Line]:
    """Yield the lines that pyright refuses."""
    found = json.loads(run("pyright", "--pythonpath", sys.executable, "--outputjson"))
    for error in found["generalDiagnostics"]:
        if error["severity"] == "error":
            yield Path(error["file"]).name, error["range"]["start"]["line"] + 1


def ty(cache: Path) -> Iterator[Line]:
    """Yield the lines that ty refuses."""
    text = run("ty", "check", "--output-format", "concise", "--python", sys.prefix)
    for path, line in re.findall(r"^(.+?):(\d+):\d+: error", text, re.MULTILINE):
        yield Path(path).name, int(line)


def marked(checker: str) -> set[Line]:
    """Return the lines that a checker is to refuse."""
    lines = set()
    for path in FILES:
        for number, text in enumerate(path.read_text("utf-8").splitlines(), start=1):
            found = MARK.search(text)
            if found is not None and found["blind"] != checker:
                assert path.name.startswith("wrong_")
                assert found["blind"] in {None, *KNOWN_BLIND}
                lines.add((path.name, number))
    return lines


@pytest.mark.parametrize("checker", [mypy, pyright, ty])
def test_a_checker_accepts_the_good_uses_and_refuses_each_wrong_one(
    checker: Callable[[Path], Iterator[Line]], tmp_path: Path
) -> None:
    wanted = marked(checker.__name__)
    assert len(wanted) > 80
    refused = set(checker(tmp_path))
    assert sorted(refused - wanted) == []
    assert sorted(wanted - refused) == []
