"""`staffa completion`, and what Tab then finds."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.program import Program

STAFFA = Path(sys.executable).with_name("staffa")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_the_script_names_the_program(program: Program, shell: str) -> None:
    finished = await program.run("completion", shell)
    assert finished.code == 0
    assert f"_STAFFA_COMPLETE={shell}_complete" in finished.out


async def test_an_unknown_shell_names_the_known_ones(program: Program) -> None:
    finished = await program.run("completion", "tcsh")
    assert finished.code == 2
    assert "fish" in finished.err


def _complete(line: str) -> list[str]:
    """Return what bash would offer, by what its script asks the installed program."""
    words = line.split(" ")
    variables = {
        "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), "_STAFFA_COMPLETE": "bash_complete",
    }  # fmt: skip
    ran = subprocess.run(
        [STAFFA], env={**os.environ, **variables}, capture_output=True, text=True, check=True
    )
    return [row.partition(",")[2] for row in ran.stdout.splitlines()]


async def test_tab_completes_commands_options_and_states() -> None:
    found = await asyncio.to_thread(
        lambda: [
            _complete(line)
            for line in ("staffa do", "staffa queues re", "staffa jobs list --state re",
                         "staffa jobs list --finished-")
        ]
    )  # fmt: skip
    assert found[:3] == [["doctor"], ["resume"], ["retryable"]]
    assert found[3] == ["--finished-after", "--finished-before"]


async def test_bash_runs_the_script(program: Program) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not there")
    script = (await program.run("completion", "bash")).out
    process = await asyncio.create_subprocess_exec(
        bash, "--norc", "-c", f"{script}\ncomplete -p staffa", stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    assert b"staffa" in out
