"""The demo's jobs: fetch the page of a keyword, parse it in another process, follow its links."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from dataclasses import dataclass

import asyncpg

from staffa import Cancel, Job, Snooze, Staffa, current_job, job
from staffa.cli.demo.catalogue import Catalogue, Connection
from staffa.cli.demo.fetch import PageNotFound, RateLimited, fetch_page
from staffa.cli.demo.pages import parse_page

CRAWL = "crawl"
PARSE = "parse"
_DSN, _PREFIX = "DEMO_DSN", "DEMO_PREFIX"
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


def begin(crawl: Crawl, dsn: str) -> None:
    """Have the jobs work with a server and a table; tell the processes of jobs where that is."""
    _crawls[:] = [crawl]
    os.environ[_DSN], os.environ[_PREFIX] = dsn, crawl.catalogue.prefix


def backoff(failed: Job) -> float:
    """Return the seconds until the next attempt: sooner than usual, since the demo is short."""
    return min(2.0 ** (failed.attempt - 1), _LONGEST_BACKOFF_SECONDS)


@job(queue=CRAWL, name="staffa.demo.crawl", max_attempts=20, timeout=20, backoff=backoff)
async def crawl_page(keyword: str) -> Snooze | Cancel | None:
    """Fetch one page, unless it is there already, and have it parsed.

    The queue's rate limit keeps below what the server bears. Should it refuse nevertheless, that is
    no failure: the job is put off as the server asks. Everything else that goes wrong is an error,
    and retried.
    """
    (crawl,) = _crawls
    catalogue = crawl.catalogue
    if await catalogue.is_fetched(crawl.pool, keyword):
        return None
    try:
        fetched = await fetch_page(crawl.base_url, keyword, timeout_seconds=_FETCH_SECONDS)
    except RateLimited as refusal:
        return Snooze(refusal.retry_after_seconds)
    except PageNotFound as answer:
        await catalogue.store(crawl.pool, keyword, None)
        return Cancel(str(answer))
    async with crawl.pool.acquire() as connection, connection.transaction():
        if await catalogue.keep_source(connection, keyword, fetched.html):
            await crawl.client.enqueue(read_page.new(keyword), conn=connection)
    return None


@job(queue=PARSE, name="staffa.demo.parse", executor="process", timeout=60, backoff=backoff)
async def read_page(keyword: str) -> None:
    """Parse a page that was fetched, store what is worth keeping, and go on with its links.

    It runs in a process of its own, with a connection of its own.
    """
    catalogue = Catalogue(os.environ[_PREFIX], (CRAWL, PARSE))
    client = Staffa(os.environ[_DSN], prefix=catalogue.prefix, name="demo")
    connection = await asyncpg.connect(os.environ[_DSN])
    try:
        html = await catalogue.source(connection, keyword)
        if html is None:  # an earlier run has stored it
            return
        page = parse_page(html, functools.partial(_tell_progress, current_job()))
        async with connection.transaction():
            if await catalogue.store(connection, keyword, page):
                await follow(client, catalogue, connection, page.links)
            await catalogue.forget_source(connection, keyword)
    finally:
        await connection.close()
        await client.stop()


async def follow(
    client: Staffa, catalogue: Catalogue, connection: Connection, keywords: Iterable[str]
) -> int:
    """Enqueue jobs for keywords that were not seen yet, in the transaction that notes them."""
    unseen = await catalogue.note(connection, keywords)
    jobs = [crawl_page.new(keyword) for keyword in unseen]
    return len(await client.enqueue_many(jobs, conn=connection))


def _tell_progress(running: Job, share: float) -> None:
    running.progress(share, "parsing")
