"""A clip is taken in: what is said in it, its scenes, its colours, how it sounds."""

from __future__ import annotations

from pathlib import Path

from tests.support.examples import empty_database, run_script


def test_what_is_in_a_clip_is_found_out(tmp_path: Path) -> None:
    with empty_database() as dsn:
        done = run_script(
            "video",
            f"""
import asyncio, pathlib, ingest_clip
asyncio.run(ingest_clip.main({dsn!r}, pathlib.Path({str(tmp_path)!r})))
""",
            dsn=dsn,
        )
    assert done.returncode == 0, done.stderr
    assert "scenes: ['0 s', '2 s', '4 s']" in done.stdout
    assert "colours: ['blue', 'red', 'yellow']" in done.stdout
    assert "sentiment: good" in done.stdout
    assert "topics: ['harbour', 'ship']" in done.stdout


def test_a_clip_that_is_none_ends_its_workflow(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_text("no clip")
    with empty_database() as dsn:
        done = run_script(
            "video",
            f"""
import asyncio, pathlib
from ingest import plan_ingestion
from staffa import Staffa
from staffa.client.backend import make_migrator

async def main():
    await make_migrator({dsn!r}, "public").up()
    async with Staffa(queues={{"video": 2, "text": 2}}) as app:
        handle = await app.enqueue(plan_ingestion(pathlib.Path({str(tmp_path / "clip.mp4")!r})))
        await handle.wait(timeout=60)
        status = await handle.status()
        print(status.state, status.total)

asyncio.run(main())
""",
            dsn=dsn,
        )
    assert done.returncode == 0, done.stderr
    assert "discarded 7" in done.stdout
