"""The demo's own tables: which keywords were seen, and the pages that are fetched and stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from staffa._internal.sql import load_sql
from staffa.cli.demo.pages import Page

Connection: TypeAlias = (
    "asyncpg.Connection | PoolConnectionProxy[asyncpg.Record] | asyncpg.Pool[asyncpg.Record]"
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the crawl is.

    Args:
        seen: Keywords that were given or linked to.
        fetched: Those whose answer has come, parsed or not.
        done: Those with a stored answer.
        pages: Those with a page.
        missing: Those of which the server has none.
        bytes: The size of all pages.
        open_jobs: Jobs that have not ended.
    """

    seen: int
    fetched: int
    done: int
    pages: int
    missing: int
    bytes: int
    open_jobs: int

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.seen == self.done or not self.open_jobs


@dataclass(frozen=True, slots=True)
class Efforts:
    """What the crawl took: figures of its jobs."""

    jobs: int
    runs: int
    attempts: int
    snoozes: int
    retries: int
    rescues: int
    given_up: int


class Catalogue:
    """The tables, in one schema.

    Args:
        prefix: The schema.
        queues: The queues of the crawl's jobs.
    """

    def __init__(self, prefix: str, queues: Sequence[str]) -> None:
        self.prefix = prefix
        self._queues = list(queues)

    async def create(self, connection: Connection) -> None:
        """Create the tables unless they are there."""
        await connection.execute(self._text("create"))
        await connection.execute(self._text("create_sources"))

    async def clear(self, connection: Connection) -> None:
        """Forget all pages and the jobs that fetched them."""
        await connection.execute(self._text("clear"), self._queues)

    async def note(self, connection: Connection, keywords: Iterable[str]) -> list[str]:
        """Note keywords, and return those that were not seen before."""
        rows = await connection.fetch(self._text("note"), list(keywords))
        return [row["keyword"] for row in rows]

    async def is_fetched(self, connection: Connection, keyword: str) -> bool:
        """Tell whether the answer to a keyword has come."""
        return bool(await connection.fetchval(self._text("is_fetched"), keyword))

    async def keep_source(self, connection: Connection, keyword: str, html: str) -> bool:
        """Keep a page until it is parsed; tell whether it was not there yet."""
        html = html.replace("\x00", "")  # which the database can't store
        found = await connection.fetchval(self._text("keep_source"), keyword, html)
        return found is not None

    async def source(self, connection: Connection, keyword: str) -> str | None:
        """Return a page that waits to be parsed."""
        html: str | None = await connection.fetchval(self._text("source"), keyword)
        return html

    async def forget_source(self, connection: Connection, keyword: str) -> None:
        """Forget a page that is parsed."""
        await connection.execute(self._text("forget_source"), keyword)

    async def store(self, connection: Connection, keyword: str, page: Page | None) -> bool:
        """Store a page, or that there is none; tell whether it was not there yet."""
        fields = (None,) * 4 if page is None else _fields(page)
        found = await connection.fetchval(self._text("store"), keyword, page is not None, *fields)
        return found is not None

    async def progress(self, connection: Connection) -> Progress:
        """Return how far the crawl is."""
        row = await connection.fetchrow(self._text("progress"), self._queues)
        assert row is not None  # noqa: S101  # an aggregate always has a row
        return Progress(**dict(row))

    async def efforts(self, connection: Connection) -> Efforts:
        """Return what the crawl took."""
        row = await connection.fetchrow(self._text("efforts"), self._queues)
        assert row is not None  # noqa: S101  # an aggregate always has a row
        return Efforts(**dict(row))

    def _text(self, name: str) -> str:
        return load_sql("staffa.cli.demo", f"sql/{name}.sql", self.prefix)


def _fields(page: Page) -> tuple[str, str, int, list[str]]:
    return page.title, page.summary, page.size_bytes, list(page.links)
