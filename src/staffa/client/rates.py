"""Rate limits of queues for code outside of jobs: what it takes is missing for jobs, too."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from staffa._internal import json
from staffa._internal.calls import call
from staffa._internal.shown import shown
from staffa.client.crons import Crons
from staffa.engine import Engine
from staffa.errors import ConfigError
from staffa.instance import refuse_loop
from staffa.limiting import Tokens
from staffa.limits import Limits
from staffa.queue import Queue, check_queue_name
from staffa.types import Seconds, to_seconds

_LONGEST_SLEEP = 30.0  # more may be allowed meanwhile, or all given back


class Rates(Crons):
    """Rate limits."""

    def rate(self, queue: str, *, partition: Mapping[str, Any] | None = None) -> Rate:
        """Return the rate limit of a queue, for code outside of jobs to keep to.

        Args:
            queue: The queue.
            partition: Whose tokens, where the rate limit has a partition: a value for each of its
                fields, such as ``{"args.tenant_id": 7}``.

        Raises:
            ConfigError: If the queue is no name, or the partition no mapping to values of JSON.

        Example:
            ```python
            if await app.rate("mail").take():
                print("one mail more may be sent now")
            ```
        """
        configured = self.config.queues.get(check_queue_name(queue), Queue())
        return Rate(self._find_engine, queue, configured.limits, _check_partition(partition))

    async def _find_engine(self) -> Engine:
        return (await self._open()).engine


class Rate:
    """The rate limit of a queue, as all nodes have it; `Staffa.rate` makes these.

    Args:
        engine: Opens the client's engine.
        queue: The queue.
        limits: What the client's configuration says of its limits.
        partition: Whose tokens.
    """

    def __init__(
        self,
        engine: Callable[[], Awaitable[Engine]],
        queue: str,
        limits: Limits,
        partition: Mapping[str, Any] | None,
    ) -> None:
        self._engine = engine
        self._queue = queue
        self._limits = limits
        self._partition = partition

    async def take(self, count: int = 1, *, partly: bool = False) -> int:
        """Take tokens if they are there, and return how many were taken.

        Args:
            count: How many.
            partly: Whether fewer are taken where there are not as many; else none are then.

        Raises:
            ConfigError: If the queue has no rate limit, the count can't be used, or the partition
                is another one.
            DatabaseError: If the database could not be reached.

        Example:
            ```python
            taken = await app.rate("mail").take(50, partly=True)
            ```
        """
        return (await self._take(_check_count(count), partly=partly)).taken

    async def wait_for(
        self,
        count: int = 1,
        *,
        timeout: Seconds | None = None,  # noqa: ASYNC109  # the synchronous twin has it, too
    ) -> None:
        """Take tokens, waiting until they are there.

        Jobs and others may take what comes back meanwhile: there is no line.

        Args:
            count: How many.
            timeout: For how long, in seconds or as a timedelta; for ever if not given.

        Raises:
            TimeoutError: If they were not there in time; none were taken.
            ConfigError: If there is no rate limit, or more are wanted than are allowed.
            DatabaseError: If the database could not be reached.

        Example:
            ```python
            await app.rate("mail").wait_for(5, timeout=60)
            ```
        """
        _check_count(count)
        seconds = math.inf if timeout is None else to_seconds(timeout, "timeout")
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        while True:  # taking is not interrupted: it might have been done all the same
            tokens = await self._take(count, partly=False)
            if tokens.taken:
                return
            left = until - clock()
            if left <= 0:
                raise TimeoutError(
                    f"{count} tokens of queue {self._queue!r} were not there within {seconds:g} s: "
                    "wait for longer, ask for fewer, or allow more"
                )
            await asyncio.sleep(min(tokens.delay, left, _LONGEST_SLEEP))

    async def available(self) -> int:
        """Return how many tokens there are.

        Raises:
            ConfigError: If there is no rate limit, or the partition is another one.
            DatabaseError: If the database could not be reached.
        """
        return (await self._take(0, partly=False)).available

    async def reset(self) -> None:
        """Give all tokens back: those of the partition, or of the queue and all its partitions.

        Raises:
            ConfigError: If the partition is another one.
            DatabaseError: If the database could not be reached.
        """
        engine = await self._engine()
        await engine.reset_tokens(self._queue, partition=self._partition)

    async def _take(self, count: int, *, partly: bool) -> Tokens:
        engine = await self._engine()
        take = partial(
            engine.take_tokens, self._queue, count, partition=self._partition, partly=partly
        )
        found = await take()
        if found is None and self._limits.rate_limit is not None:  # no node has told of it yet
            await engine.configure_limits({self._queue: self._limits})
            found = await take()
        if found is None:
            raise ConfigError(
                f"queue {self._queue!r} has no rate limit: give it one, as in queues="
                f"{{{self._queue!r}: Queue(rate_limit=RateLimit(60, period=60))}}"
            )
        if count > found.allowed and not partly:
            raise ConfigError(
                f"{count} tokens are more than the {found.allowed} that queue {self._queue!r} is "
                "allowed: ask for fewer"
            )
        return found


class SyncRate:
    """The same for code without an event loop; `app.sync.rate` makes these.

    Args:
        rate: The rate limit.
    """

    def __init__(self, rate: Rate) -> None:
        self._rate = rate

    def take(self, count: int = 1, *, partly: bool = False) -> int:
        """Take tokens if they are there, and return how many were taken; see `Rate.take`."""
        _refuse_loop("take")
        return call(self._rate.take, count, partly=partly)

    def wait_for(self, count: int = 1, *, timeout: Seconds | None = None) -> None:
        """Take tokens, waiting until they are there; see `Rate.wait_for`."""
        _refuse_loop("wait_for")
        call(self._rate.wait_for, count, timeout=timeout)

    def available(self) -> int:
        """Return how many tokens there are."""
        _refuse_loop("available")
        return call(self._rate.available)

    def reset(self) -> None:
        """Give all tokens back; see `Rate.reset`."""
        _refuse_loop("reset")
        call(self._rate.reset)


def _refuse_loop(name: str) -> None:
    refuse_loop(f"app.sync.rate(...).{name}()", f"await app.rate(...).{name}()")


def _check_partition(partition: object) -> Mapping[str, Any] | None:
    if partition is None:
        return None
    if not isinstance(partition, Mapping):
        raise ConfigError(
            f"partition is {shown(partition, 100)}: give a value for each of its fields, such as "
            "{'args.tenant_id': 7}"
        )
    try:
        json.dumps(dict(partition)).encode()
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"partition is {shown(dict(partition), 200)}, which is no JSON: {error}; give values "
            "as the args of jobs have them"
        ) from None
    return partition


def _check_count(count: object) -> int:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ConfigError(f"count is {shown(count, 100)}: give a whole number from 1")
    return count
