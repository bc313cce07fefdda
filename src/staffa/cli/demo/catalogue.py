"""The demo's own table: which keywords were seen, and the pages that are stored."""

from __future__ import annotations

from collections.abc import Iterable
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
        done: Those with a stored answer.
        pages: Those with a page.
        missing: Those of which the server has none.
        bytes: The size of all pages.
        open_jobs: Jobs that have not ended.
    """

    seen: int
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
    """The table, in one schema.

    Args:
        prefix: The schema.
        queue: The queue of the crawl's jobs.
    """

    def __init__(self, prefix: str, queue: str) -> None:
        self._prefix = prefix
        self._queue = queue

    async def create(self, connection: Connection) -> None:
        """Create the table unless it is there."""
        await connection.execute(self._text("create"))

    async def clear(self, connection: Connection) -> None:
        """Forget all pages and the jobs that fetched them."""
        await connection.execute(self._text("clear"), self._queue)

    async def note(self, connection: Connection, keywords: Iterable[str]) -> list[str]:
        """Note keywords, and return those that were not seen before."""
        rows = await connection.fetch(self._text("note"), list(keywords))
        return [row["keyword"] for row in rows]

    async def is_stored(self, connection: Connection, keyword: str) -> bool:
        """Tell whether a keyword has its answer."""
        return bool(await connection.fetchval(self._text("is_stored"), keyword))

    async def store(self, connection: Connection, keyword: str, page: Page | None) -> bool:
        """Store a page, or that there is none; tell whether it was not there yet."""
        fields = (None,) * 4 if page is None else _fields(page)
        found = await connection.fetchval(self._text("store"), keyword, page is not None, *fields)
        return found is not None

    async def progress(self, connection: Connection) -> Progress:
        """Return how far the crawl is."""
        row = await connection.fetchrow(self._text("progress"), self._queue)
        assert row is not None  # noqa: S101  # an aggregate always has a row
        return Progress(**dict(row))

    async def efforts(self, connection: Connection) -> Efforts:
        """Return what the crawl took."""
        row = await connection.fetchrow(self._text("efforts"), self._queue)
        assert row is not None  # noqa: S101  # an aggregate always has a row
        return Efforts(**dict(row))

    def _text(self, name: str) -> str:
        return load_sql("staffa.cli.demo", f"sql/{name}.sql", self._prefix)


def _fields(page: Page) -> tuple[str, str, int, list[str]]:
    return page.title, page.summary, page.size_bytes, list(page.links)
