"""However often a webhook comes, its workflow runs once."""

from __future__ import annotations

from tests.support.examples import empty_database, run_script


def test_each_license_is_sent_once() -> None:
    with empty_database() as dsn:
        done = run_script(
            "licenses",
            f"""
import asyncio, receive_webhooks
asyncio.run(receive_webhooks.main({dsn!r}))
""",
            dsn=dsn,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("200 known and 202 taken") == 2
    assert done.stdout.count("200 known, when all was done") == 2
    assert "p-1: ada@example.com, 3 seats, 1 mail\n" in done.stdout
    assert "p-2: grace@example.com, 10 seats, 1 mail\n" in done.stdout
