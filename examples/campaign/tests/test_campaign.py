"""Nothing is sent before somebody approves, and nothing if they do not."""

from __future__ import annotations

from tests.support.examples import empty_database, run_script


def test_a_campaign_waits_for_approval() -> None:
    with empty_database() as dsn:
        done = run_script(
            "campaign",
            f"""
import asyncio, run_campaign
asyncio.run(run_campaign.main({dsn!r}))
""",
            dsn=dsn,
        )
    assert done.returncode == 0, done.stderr
    assert "Spring: waits for approval, 0 mails sent so far" in done.stdout
    assert "Spring: completed; approved by Margaret, sent to 3 customers, 1 press" in done.stdout
    assert "Autumn: waits for approval, 4 mails sent so far" in done.stdout
    assert "Autumn: discarded; nothing was sent" in done.stdout
