"""What pg_dump writes of a schema: everything that can be restored."""

from __future__ import annotations

import subprocess

import pytest

from staffa._internal.identifiers import quote_identifier
from tests.support.services import require_program


def dump_schema(dsn: str, prefix: str) -> str:
    """Return a schema's definitions and rows, or skip the test where pg_dump can't be had."""
    pg_dump = require_program("pg_dump")
    ran = subprocess.run(
        [pg_dump, "--schema", quote_identifier(prefix), "--dbname", dsn],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "server version mismatch" in ran.stderr:
        pytest.skip(f"pg_dump is older than the server: {ran.stderr.splitlines()[0]}")
    assert (ran.returncode, ran.stderr) == (0, "")
    # Newer versions put a token of each run around what psql may not interpret.
    lines = [
        line for line in ran.stdout.splitlines() if not line.startswith(("\\restrict", "\\un"))
    ]
    return "\n".join(lines)
