"""Events come to the warehouse once each, many at once."""

from __future__ import annotations

from tests.support.examples import empty_database, run_script


def test_events_are_loaded_in_chunks() -> None:
    with empty_database() as dsn:
        done = run_script(
            "warehouse",
            f"""
import asyncio, load_events
asyncio.run(load_events.main({dsn!r}, 12_000))
""",
            dsn=dsn,
        )
    assert done.returncode == 0, done.stderr
    assert "12000 events are enqueued" in done.stdout
    loads = [line for line in done.stdout.splitlines() if line.startswith("loaded")]
    assert loads == ["loaded 10000 events at once", "loaded 2000 events at once"]
