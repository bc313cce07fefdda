"""`staffa demo`, on a short file of keywords that link to nothing."""

from __future__ import annotations

import builtins
import keyword
from datetime import datetime, timedelta

import asyncpg
import pytest

from staffa._internal.identifiers import quote_identifier
from tests.docs.pages import PROJECT
from tests.support.program import Program, read_until

_ALLOWED = 22
_REFUSED_SHARE = 0.1  # a busy machine is late with its requests; without a limit, it is over a half
_KEYWORDS = [*keyword.kwlist, *(name for name in dir(builtins) if name.islower())]


@pytest.fixture
def keywords(program: Program) -> list[str]:
    """The keywords of the program's file ``words.txt``."""
    words = [word for word in _KEYWORDS if not word.startswith("_")]
    (program.folder / "words.txt").write_text("\n".join(["# words", "", *words, words[0]]))
    return sorted(set(words))


async def _stored(connection: asyncpg.Connection, prefix: str) -> dict[str, datetime]:
    rows = await connection.fetch(
        f"SELECT keyword, stored_at FROM {quote_identifier(prefix)}.staffa_demo_pages "
        "WHERE stored_at IS NOT NULL"
    )
    return {row["keyword"]: row["stored_at"] for row in rows}


async def test_every_keyword_has_its_page_at_the_end_and_the_server_was_spared(
    program: Program, keywords: list[str], connection: asyncpg.Connection, prefix: str
) -> None:
    finished = await program.run("demo", "words.txt", "--once", "--json")
    assert finished.code == 0, finished.err
    figures = finished.json
    page = (PROJECT / "docs/cli.md").read_text("utf-8").partition("## staffa demo")[2]
    assert all(f'"{key}": ' in page for key in figures)
    assert set(keywords) <= set(await _stored(connection, prefix))
    assert figures["missing"] == figures["given_up"] == 0
    assert figures["pages"] >= len(keywords)
    assert figures["requests"] >= figures["pages"] + figures["refused"] + figures["failed"]
    assert figures["snoozes"] == figures["refused"]
    assert figures["refused"] <= figures["requests"] * _REFUSED_SHARE
    starts = await connection.fetch(
        f"SELECT attempted_at FROM {quote_identifier(prefix)}.oban_jobs WHERE queue = 'crawl' "
        "AND attempt = 1 AND NOT meta ? 'snoozed' ORDER BY attempted_at"
    )
    times = [row["attempted_at"] for row in starts]
    assert len(times) > _ALLOWED
    for first, over in zip(times, times[_ALLOWED:], strict=False):
        assert over - first > timedelta(seconds=1)


async def test_a_killed_run_is_finished_by_the_next_without_repeating_pages(
    program: Program, keywords: list[str], connection: asyncpg.Connection, prefix: str
) -> None:
    killed = await program.start("demo", "words.txt", "--once")
    await read_until(killed.stderr, "keywords are done")
    while not (before := await _stored(connection, prefix)):
        assert killed.returncode is None
    killed.kill()
    await killed.communicate()
    finished = await program.run("demo", "words.txt", "--once", "--json")
    assert finished.code == 0, finished.err
    after = await _stored(connection, prefix)
    assert set(keywords) <= set(after)
    assert before.items() <= after.items()


async def test_a_file_that_is_no_list_of_keywords_is_an_error(program: Program) -> None:
    (program.folder / "words.txt").write_text("json\nno keyword!\n")
    finished = await program.run("demo", "words.txt", "--once")
    assert finished.code == 2
    assert "no keyword!" in finished.err
