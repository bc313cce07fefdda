"""The demo's job: fetch the page of a keyword, store it, and go on with what it links to."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import asyncpg

from staffa import Cancel, Job, Snooze, Staffa, job
from staffa.cli.demo.catalogue import Catalogue
from staffa.cli.demo.fetch import PageNotFound, RateLimited, fetch_page
from staffa.cli.demo.pages import parse_page

QUEUE = "crawl"
_FETCH_SECONDS = 5.0
_LONGEST_BACKOFF_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Crawl:
    """What the jobs of this process work with."""

    client: Staffa
    pool: asyncpg.Pool[asyncpg.Record]
    catalogue: Catalogue
    base_url: str


_crawls: list[Crawl] = []


def begin(crawl: Crawl) -> None:
    """Have the jobs of this process work with a server and a table."""
    _crawls[:] = [crawl]


def backoff(failed: Job) -> float:
    """Return the seconds until the next attempt: sooner than usual, since the demo is short."""
    return min(2.0 ** (failed.attempt - 1), _LONGEST_BACKOFF_SECONDS)


@job(queue=QUEUE, name="staffa.demo.crawl", max_attempts=20, timeout=20, backoff=backoff)
async def crawl_page(keyword: str) -> Snooze | Cancel | None:
    """Fetch one page, unless it is stored already.

    A refusal for too many requests is no failure: the job is put off as the server asks. Everything
    else that goes wrong is an error, and retried.
    """
    (crawl,) = _crawls
    async with crawl.pool.acquire() as connection:
        if await crawl.catalogue.is_stored(connection, keyword):
            return None
    try:
        fetched = await fetch_page(crawl.base_url, keyword, timeout_seconds=_FETCH_SECONDS)
    except RateLimited as refusal:
        return Snooze(refusal.retry_after_seconds)
    except PageNotFound as answer:
        async with crawl.pool.acquire() as connection:
            await crawl.catalogue.store(connection, keyword, None)
        return Cancel(str(answer))
    page = await asyncio.to_thread(parse_page, fetched.html)
    async with crawl.pool.acquire() as connection, connection.transaction():
        if await crawl.catalogue.store(connection, keyword, page):
            await follow(crawl, connection, page.links)
    return None


async def follow(
    crawl: Crawl,
    connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record],
    keywords: tuple[str, ...],
) -> int:
    """Enqueue jobs for keywords that were not seen yet, in the transaction that notes them."""
    unseen = await crawl.catalogue.note(connection, keywords)
    jobs = [crawl_page.new(keyword) for keyword in unseen]
    return len(await crawl.client.enqueue_many(jobs, conn=connection))
