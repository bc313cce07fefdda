"""A book is written, illustrated and printed; the same seed makes the same book."""

from __future__ import annotations

from pathlib import Path

from tests.support.examples import empty_database, run_script


def test_a_book_is_printed_with_all_its_pictures(tmp_path: Path) -> None:
    with empty_database() as dsn:
        books = []
        for name in ("first", "second"):
            done = run_script(
                "storybook",
                f"""
import asyncio, pathlib, write_book
asyncio.run(write_book.main({dsn!r}, pathlib.Path({str(tmp_path / name)!r})))
""",
                dsn=dsn,
            )
            assert done.returncode == 0, done.stderr
            assert "is printed" in done.stdout
            books.append((tmp_path / name / "book.md").read_text())
    assert books[0] == books[1]
    for chapter in ("The Letter", "The Map", "The Storm", "The Return"):
        assert books[0].count(f". {chapter}\n") == 1
    pictures = sorted(path.name for path in (tmp_path / "first").glob("*.svg"))
    assert pictures == [
        "chapter-1.svg",
        "chapter-2.svg",
        "chapter-3.svg",
        "chapter-4.svg",
        "cover.svg",
    ]
