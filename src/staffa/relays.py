"""Relays: a job that was enqueued, and the wait for its result.

How a client finds out what became of the job is its own affair (`Ending`); this is what users hold.
The node that ran the job tells the result by a notification, if it is small. Anybody may notify, so
the result comes with a digest under a secret that lies in the job's row (``meta.staffa_relay``);
without the right one, or without a notification at all, the row is read.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Sequence,
)
from dataclasses import dataclass
from functools import partial
from typing import Any

from staffa import erlang
from staffa._internal.calls import call, iterate
from staffa.errors import RelayTimeout
from staffa.instance import refuse_loop
from staffa.jobs import Job
from staffa.types import Seconds, to_seconds

CHANNEL = "relay"
MAX_TOLD_CHARACTERS = 4000
_SECRET_BYTES = 16
_DIGEST_CHARACTERS = 32


@dataclass(frozen=True, slots=True)
class Ending:
    """What became of a relay's job.

    Args:
        value: What it returned, if it completed.
        error: Why there is no such value.
    """

    value: Any = None
    error: Exception | None = None

    def result(self) -> Any:
        """Return the value, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.value


def new_secret() -> str:
    """Return what the results of some jobs will be told with."""
    return secrets.token_hex(_SECRET_BYTES)


def digest(secret: str, number: int, text: str) -> str:
    """Return what shows that a result is that of a job: who makes it has seen the job's row."""
    message = f"{number}:{text}".encode()
    return hmac.new(secret.encode(), message, "sha256").hexdigest()[:_DIGEST_CHARACTERS]


def tell_result(secret: str, number: int, text: str) -> dict[str, Any]:
    """Return what a notification says of a recorded result."""
    return {"return": text, "digest": digest(secret, number, text)}


def read_result(told: dict[str, Any], secret: object, number: int) -> Ending | None:
    """Return the result of a notification; None if it has none, or is not to be trusted.

    Example:
        >>> told = tell_result("secret", 7, "g2ED")
        >>> read_result(told, "secret", 7)
        Ending(value=3, error=None)
        >>> read_result(told, "secret", 8) is None
        True
    """
    text, given = told.get("return"), told.get("digest")
    if not (isinstance(text, str) and isinstance(given, str) and isinstance(secret, str)):
        return None
    if not hmac.compare_digest(given.encode(), digest(secret, number, text).encode()):
        return None
    try:
        return Ending(erlang.load(text))
    except ValueError:
        return None


class Relay:
    """An enqueued job whose result can be awaited; `relay` of a function or a client returns it.

    Args:
        job: The job, as it was stored.
        find: Returns what became of it, once it has ended.
        ending: What is known of that already.
    """

    def __init__(
        self, job: Job, find: Callable[[Relay], Awaitable[Ending]], ending: Ending | None = None
    ) -> None:
        self.job = job
        self._find = find
        self._ending = ending

    @property
    def id(self) -> int:
        """The id of the job."""
        assert self.job.id is not None  # noqa: S101  # it was stored
        return self.job.id

    async def result(self, timeout: Seconds | None = None) -> Any:  # noqa: ASYNC109  # as users know it
        """Wait for the job's end, and return what its function returned: plain data.

        An attempt that fails and is followed by another does not end it. The call may be repeated.

        Args:
            timeout: For how long to wait; for ever if not given.

        Raises:
            RelayTimeout: If the job has not ended in time. It goes on, and may be awaited again.
                The same if it was written in a transaction of yours that is not committed.
            RelayCancelled: If it was cancelled.
            RelayDiscarded: If it failed for good.
            RelayDeleted: If its row is gone.
            ResultUnavailable: If it completed, and its result had to be dropped.

        Example:
            ```python
            relay = await add.relay(1, 2)
            total = await relay.result(timeout=5)
            ```
        """
        if self._ending is None:
            seconds = None if timeout is None else to_seconds(timeout, "timeout")
            limit = asyncio.timeout(seconds)
            try:
                async with limit:
                    self._ending = await self._find(self)
            except TimeoutError as error:
                if isinstance(error, RelayTimeout) or not limit.expired():
                    raise
                raise self._late(seconds) from None
        return self._ending.result()

    async def settle(self) -> None:
        """Wait for the job's end, whatever it is."""
        if self._ending is None:
            self._ending = await self._find(self)

    def result_now(self) -> Any:
        """Return the result if the job is known to have ended.

        Raises:
            RelayTimeout: If it is not.
        """
        if self._ending is None:
            raise self._late(None)
        return self._ending.result()

    def _late(self, seconds: float | None) -> RelayTimeout:
        within = "in time" if seconds is None else f"within {seconds:g} s"
        return RelayTimeout(
            f"job {self.id} has not ended {within}: it goes on, wait again or cancel it",
            job_id=self.id,
        )

    def __repr__(self) -> str:
        return f"<Relay of {self.job!r}>"


class Relays(Sequence[Relay]):
    """Several relays, in the order in which their jobs were given.

    Args:
        relays: The relays.
    """

    def __init__(self, relays: Sequence[Relay]) -> None:
        self._relays = relays

    def __getitem__(self, place: Any) -> Any:
        return self._relays[place]

    def __len__(self) -> int:
        return len(self._relays)

    async def results(
        self,
        timeout: Seconds | None = None,  # noqa: ASYNC109  # as users know it
        *,
        return_exceptions: bool = False,
    ) -> list[Any]:
        """Wait until all jobs have ended, and return their results in order.

        Args:
            timeout: For how long to wait for all of them.
            return_exceptions: Whether an error takes the place of its result, instead of being
                raised.

        Raises:
            RelayError: That of the first job that has no result; see `Relay.result`.

        Example:
            ```python
            relays = await app.relay_many(add.new(n, n) for n in range(10))
            sums = await relays.results(timeout=30)
            ```
        """
        seconds = None if timeout is None else to_seconds(timeout, "timeout")
        tasks = [asyncio.ensure_future(relay.settle()) for relay in self._relays]
        try:
            if tasks:
                done, _ = await asyncio.wait(tasks, timeout=seconds)
                for task in done:
                    task.result()
        finally:
            await _cancel(tasks)
        found = [_result_or_error(relay) for relay in self._relays]
        for _, error in found:
            if error is not None and not return_exceptions:
                raise error
        return [result if error is None else error for result, error in found]

    def __aiter__(self) -> AsyncIterator[Relay]:
        """Yield the relays as their jobs end."""
        return self.as_they_end()

    async def as_they_end(self) -> AsyncGenerator[Relay, None]:
        """Yield the relays as their jobs end; what `async for` does."""
        ended: asyncio.Queue[tuple[Relay, asyncio.Future[None]]] = asyncio.Queue()
        tasks = []
        for relay in self._relays:
            task = asyncio.ensure_future(relay.settle())
            task.add_done_callback(partial(_put, ended, relay))
            tasks.append(task)
        try:
            for _ in tasks:
                relay, settled = await ended.get()
                settled.result()
                yield relay
        finally:
            await _cancel(tasks)


def _put(
    ended: asyncio.Queue[tuple[Relay, asyncio.Future[None]]],
    relay: Relay,
    task: asyncio.Future[None],
) -> None:
    ended.put_nowait((relay, task))


async def _cancel(tasks: Sequence[asyncio.Future[None]]) -> None:
    left = [task for task in tasks if not task.done()]
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left)


def _result_or_error(relay: Relay) -> tuple[Any, Exception | None]:
    try:
        return relay.result_now(), None
    except Exception as error:  # noqa: BLE001  # told as its result
        return None, error


class SyncRelay:
    """A relay for code without an event loop.

    Args:
        relay: The relay.
    """

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    @property
    def job(self) -> Job:
        """The job, as it was stored."""
        return self._relay.job

    @property
    def id(self) -> int:
        """The id of the job."""
        return self._relay.id

    def result(self, timeout: Seconds | None = None) -> Any:
        """Wait for the job's end, and return what its function returned; see `Relay.result`.

        Args:
            timeout: For how long to wait; for ever if not given.

        Raises:
            RelayError: If there is no result, or not in time.
            LoopRunning: On a thread that runs an event loop.
        """
        refuse_loop("the result of a synchronous relay", "await (await app.relay(...)).result()")
        return call(self._relay.result, timeout)

    def __repr__(self) -> str:
        return repr(self._relay)


class SyncRelays(Sequence[SyncRelay]):
    """Several relays for code without an event loop.

    Args:
        relays: The relays.
    """

    def __init__(self, relays: Relays) -> None:
        self._relays = relays

    def __getitem__(self, place: Any) -> Any:
        found = self._relays[place]
        return SyncRelay(found) if isinstance(found, Relay) else [SyncRelay(one) for one in found]

    def __len__(self) -> int:
        return len(self._relays)

    def results(
        self, timeout: Seconds | None = None, *, return_exceptions: bool = False
    ) -> list[Any]:
        """Wait until all jobs have ended, and return their results in order; see `Relays`.

        Args:
            timeout: For how long to wait for all of them.
            return_exceptions: Whether an error takes the place of its result.

        Raises:
            RelayError: That of the first job that has no result.
        """
        refuse_loop("the results of synchronous relays", "await relays.results()")
        return call(self._relays.results, timeout, return_exceptions=return_exceptions)

    def as_they_end(self) -> Iterator[SyncRelay]:
        """Yield the relays as their jobs end."""
        refuse_loop("the results of synchronous relays", "async for relay in relays")
        source = self._relays.as_they_end()
        return map(SyncRelay, iterate(source))
