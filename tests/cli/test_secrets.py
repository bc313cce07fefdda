"""The password of a DSN is shown by no command, however it fails."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.program import Program

SECRET = "hunter2"


def _dsns(dsn: str) -> list[str]:
    """Return DSNs that are wrong in different ways, each with the password in it."""
    user, _, place = dsn.removeprefix("postgresql://").partition("@")
    away = "127.0.0.1:1"
    return [
        f"postgresql://nobody:{SECRET}@{place}",
        f"postgresql://{user}:{SECRET}@{re.sub('/staffa_test_[0-9a-f]+', '/nowhere', place)}",
        f"postgresql://ada:{SECRET}@{away}/app",
        f"postgresql://ada:{SECRET}@no.such.host.invalid/app",
        f"postgresql://ada:#{SECRET}@{away}/app",
        f"postgresql://ada:{SECRET}/x@{away}/app",
        f"postgresql://ada:a@{SECRET}@{away}/app",
        f"postgresql://ada:{SECRET}@{away}:port/app",
        f"postgresql://ada:{SECRET}@[{away}/app",
        f"postgresql://ada:{SECRET}@{away}/app?sslmode=nonsense",
        f"postgresql://ada:{SECRET}@{away}/app?nonsense={SECRET}",
        f"postgresql://{away}/app?user=x&password={SECRET}&port={SECRET}",
        f"mysql://root:{SECRET}@{away}/app",
        f"root:{SECRET}@{away}",
    ]


@pytest.mark.parametrize("number", range(14))
async def test_no_wrong_dsn_shows_its_password(dsn: str, tmp_path: Path, number: int) -> None:
    wrong = _dsns(dsn)[number]
    in_environment = Program(tmp_path, STAFFA_DSN=wrong)
    for finished in (
        await in_environment.run("doctor", "--json"),
        await Program(tmp_path).run("jobs", "list", "--dsn", wrong),
    ):
        assert finished.code in {1, 2, 3}, (wrong, finished)
        assert SECRET not in finished.out + finished.err
        assert "Traceback" not in finished.err, (wrong, finished)


async def test_no_help_shows_a_setting_of_the_environment(tmp_path: Path) -> None:
    program = Program(tmp_path, STAFFA_DSN=f"postgresql://ada:{SECRET}@127.0.0.1:1/app")
    for line in ("--help", "doctor --help", "jobs list --help"):
        assert SECRET not in (await program.run(*line.split())).out
