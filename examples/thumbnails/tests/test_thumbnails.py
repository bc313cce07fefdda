"""A folder gets its archive if every picture went well, and its owner a mail in any case."""

from __future__ import annotations

from pathlib import Path

from tests.support.examples import empty_database, run_script


def test_archives_and_mails_tell_how_it_went(tmp_path: Path) -> None:
    with empty_database() as dsn:
        done = run_script(
            "thumbnails",
            f"""
import asyncio, pathlib, make_thumbnails
asyncio.run(make_thumbnails.main({dsn!r}, pathlib.Path({str(tmp_path)!r})))
""",
            dsn=dsn,
        )
    assert done.returncode == 0, done.stderr
    assert "good: 5 of 5 pictures" in done.stdout
    assert "bad: 4 of 5 pictures" in done.stdout
    assert "mail: good: 0 pictures could not be read: none" in done.stdout
    assert "mail: bad: 1 pictures could not be read: picture-3.png" in done.stdout
    assert "good: an archive" in done.stdout
    assert "bad: no archive" in done.stdout
