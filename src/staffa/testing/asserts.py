"""What has been enqueued: looked up, asserted, refuted.

With a timeout these wait for the events of this process's own writes; what other processes and
transactions write is found by looking again every few milliseconds.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Unpack

from staffa._internal.clock import SYSTEM_CLOCK
from staffa.client import Staffa
from staffa.jobs import Job
from staffa.rehearsal import Execute
from staffa.telemetry import Event, attach, detach
from staffa.testing.targets import App, executing_on, find_app, open_engine
from staffa.testing.wanted import Matcher, Wanted
from staffa.types import Seconds, to_seconds

_LOOK_SECONDS = 0.05
_WRITES = ("staffa.engine.enqueue_jobs.stop", "staffa.engine.enqueue_tick.stop")
_SHOWN = 20

Pause = Callable[[float], Awaitable[None]]
"""Waits until there may be something new, at most so many seconds."""


async def all_enqueued(
    *, app: App = None, oban: App = None, conn: Any = None, **wanted: Unpack[Wanted]
) -> list[Job]:
    """Return the jobs that have been enqueued and have not run, the newest first.

    Args:
        app: The client or its name; the only one of this process if not given.
        oban: The same, under the name that the package `oban` has for it.
        conn: Your own connection: what its transaction has written is seen.
        **wanted: What they are to have: see `Wanted`.

    Raises:
        UnknownOption: For something that can't be looked for.
        DatabaseError: If the database refuses or can't be reached.

    Example:
        ```python
        (job,) = await all_enqueued(worker=send_mail, args={"to": "ada@example.com"})
        assert job.queue == "mail"
        ```
    """
    return await Look(find_app(app, oban), executing_on(conn), wanted).matching()


async def assert_enqueued(
    *,
    timeout: Seconds = 0.0,  # noqa: ASYNC109  # part of what is asserted
    app: App = None,
    oban: App = None,
    conn: Any = None,
    **wanted: Unpack[Wanted],
) -> Job:
    """Assert that a job has been enqueued, and return it; the newest, if there are several.

    Args:
        timeout: How long to wait for it.
        app: The client or its name; the only one of this process if not given.
        oban: The same, under the name that the package `oban` has for it.
        conn: Your own connection: what its transaction has written is seen.
        **wanted: What it is to have: see `Wanted`.

    Raises:
        AssertionError: If there is none; it lists what there is.
        UnknownOption: For something that can't be looked for.

    Example:
        ```python
        await assert_enqueued(worker=send_mail, args={"to": "ada@example.com"}, timeout=1)
        ```
    """
    look = Look(find_app(app, oban), executing_on(conn), wanted)
    return await look.assert_some(to_seconds(timeout, "timeout"))


async def refute_enqueued(
    *,
    timeout: Seconds = 0.0,  # noqa: ASYNC109  # part of what is refuted
    app: App = None,
    oban: App = None,
    conn: Any = None,
    **wanted: Unpack[Wanted],
) -> None:
    """Assert that no job has been enqueued.

    Args:
        timeout: How long to watch that none is.
        app: The client or its name; the only one of this process if not given.
        oban: The same, under the name that the package `oban` has for it.
        conn: Your own connection: what its transaction has written is seen.
        **wanted: What none is to have: see `Wanted`.

    Raises:
        AssertionError: If there is one; it lists them.
        UnknownOption: For something that can't be looked for.

    Example:
        ```python
        await refute_enqueued(worker=send_mail)
        ```
    """
    look = Look(find_app(app, oban), executing_on(conn), wanted)
    await look.assert_none(to_seconds(timeout, "timeout"))


class Look:
    """A look at what is enqueued.

    Args:
        app: The client.
        execute: Runs statements in the user's transaction, or None.
        wanted: What is looked for.
    """

    def __init__(self, app: Staffa, execute: Execute | None, wanted: Wanted) -> None:
        self._app = app
        self._execute = execute
        self._matcher = Matcher.of(wanted)

    async def matching(self) -> list[Job]:
        """Return the jobs that match."""
        return [job for job in await self._read() if not self._matcher.differences(job)]

    async def assert_some(self, seconds: float) -> Job:
        """Return the newest job that matches, once there is one."""
        found = await self._wait(seconds)
        if not found:
            there = await self._read(any_state=True)
            lines = [self._line(job, self._matcher.differences(job)) for job in there]
            raise AssertionError(
                f"no job is enqueued{_within(seconds)} with {self._matcher.described}; "
                + _list("there are", lines)
            )
        return found[0]

    async def assert_none(self, seconds: float) -> None:
        """Watch that no job matches."""
        found = await self._wait(seconds)
        if found:
            lines = [self._line(job, []) for job in found]
            raise AssertionError(
                f"enqueued{_within(seconds)} with {self._matcher.described} " + _list("are", lines)
            )

    async def _wait(self, seconds: float) -> list[Job]:
        """Return the jobs that match, once there are some or the time is over."""
        end = SYSTEM_CLOCK.monotonic() + seconds
        async with _events() as pause:
            while not (found := await self.matching()):
                left = end - SYSTEM_CLOCK.monotonic()
                if left <= 0:
                    break
                await pause(min(left, _LOOK_SECONDS))
            return found

    async def _read(self, *, any_state: bool = False) -> list[Job]:
        engine = await open_engine(self._app, self._execute)
        rows = Matcher.of({}).rows if any_state else self._matcher.rows
        jobs = await engine.list_jobs(rows)
        for job in jobs:
            job.unseal(self._app.config.encryption_keys)
        return jobs

    def _line(self, job: Job, differences: list[str]) -> str:
        due = "" if job.scheduled_at == job.inserted_at else f" due {job.scheduled_at}"
        tags = f" tags={list(job.tags)}" if job.tags else ""
        told = f"  (differs in {', '.join(differences)})" if differences else ""
        return f"{job!r}{due} args={job.args!r:.300}{tags}{told}"


@asynccontextmanager
async def _events() -> AsyncIterator[Pause]:
    """Lend what waits for the next write of this process."""
    loop = asyncio.get_running_loop()
    written = asyncio.Event()

    def hear(event: Event) -> None:
        loop.call_soon_threadsafe(written.set)

    async def pause(seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await written.wait()
        except TimeoutError:
            pass
        written.clear()

    attach(hear, events=_WRITES)
    try:
        yield pause
    finally:
        detach(hear)


def _within(seconds: float) -> str:
    return f" within {seconds:g} s" if seconds > 0 and math.isfinite(seconds) else ""


def _list(verb: str, lines: list[str]) -> str:
    if not lines:
        return f"{verb} none"
    more = [f"... and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return f"{verb} {len(lines)}:\n" + "\n".join(f"  {line}" for line in [*lines[:_SHOWN], *more])
