"""The engine's verbs for limits: all of them are dialogues, which an engine holds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

from staffa._internal.clock import SYSTEM_CLOCK, Clock
from staffa._internal.kill_points import boundaries
from staffa.chunking import ChunkRule
from staffa.dialogues import Dialogue
from staffa.engine import Producer
from staffa.engines.chunks import ChunkVerbs
from staffa.engines.limited.at_once import AtOnce, ClaimsAtOnce
from staffa.engines.limited.claims import claim
from staffa.engines.limited.members import InChunks
from staffa.engines.limited.tokens import reset, take
from staffa.engines.limited.uses import read_uses
from staffa.engines.statements.limits import LimitStatements
from staffa.errors import DatabaseError, StatementConflict
from staffa.limiting import LimitedClaim, LimitUse, Tokens
from staffa.limits import Limits
from staffa.telemetry import observed

_NOTICE_SECONDS = 30.0


class Signs(Protocol):
    """Statements that give jobs their keys when they are written or become due, once asked to."""

    signed: bool


@observed("staffa.engine")
@boundaries
class LimitVerbs(ChunkVerbs):
    """The base of engines that have these methods, and those of chunks, which run under limits."""

    _limits: LimitStatements
    _signing: Sequence[Signs]
    _clock: Clock = SYSTEM_CLOCK
    _signs = False
    _looked_at = -math.inf
    _at_once: ClaimsAtOnce | None = None
    """How it claims in one statement; None if it gains nothing by that."""

    async def configure_limits(self, limits: Mapping[str, Limits]) -> None:
        """Write the limits of queues."""
        await self._hold(_configure(self._limits, limits))
        self._sign()

    async def notice_partitions(self) -> None:
        """Have jobs get their keys when they are written, if queues have partitions.

        Otherwise each of them would be written twice: once more by the claim that finds it.
        """
        self._looked_at = self._clock.monotonic()
        with suppress(DatabaseError):  # an older schema lacks the table; jobs are written anyway
            known = await self._read(self._limits.list_limits(None))
            if any(limits.partition is not None for limits in known.values()):
                self._sign()

    @property
    def knows_partitions(self) -> bool:
        """Whether it signs jobs, or has looked a short while ago whether to."""
        return self._signs or self._clock.monotonic() < self._looked_at + _NOTICE_SECONDS

    def _sign(self) -> None:
        """Have jobs get their keys from now on: the tables for that are there."""
        self._signs = True
        for statements in self._signing:
            statements.signed = True

    async def claim_limited_jobs(
        self,
        queue: str,
        limit: int,
        producer: Producer,
        limits: Limits,
        *,
        rules: Sequence[ChunkRule] = (),
    ) -> LimitedClaim:
        """Lease available jobs as far as limits allow it."""
        if rules:
            in_chunks = InChunks(self._chunks, rules)
            return await self._hold_claim(
                claim(self._limits, queue, limit, producer, limits, in_chunks)
            )
        if self._at_once is None:
            return await self._hold_claim(claim(self._limits, queue, limit, producer, limits))
        found = await self._claim_at_once(self._at_once, queue, limit, producer)
        if found.claim is not None:
            return found.claim
        rest = await self._hold_claim(
            claim(
                self._limits,
                queue,
                limit - len(found.jobs),
                producer,
                limits,
                learn=self._at_once.learn,
            )
        )
        return replace(rest, jobs=[*found.jobs, *rest.jobs]) if found.jobs else rest

    async def _claim_at_once(
        self, at_once: ClaimsAtOnce, queue: str, limit: int, producer: Producer
    ) -> AtOnce:
        """Lease what can be in one statement."""
        try:
            return await self._hold_apart(at_once.claim(queue, limit, producer))
        except StatementConflict:  # the server's default is another isolation
            at_once.rest(queue)
            return AtOnce()

    async def read_limits(
        self, queues: Sequence[str] | None = None, *, partitions: int = 0
    ) -> list[LimitUse]:
        """Read limits and what is used of them."""
        return await self._hold(read_uses(self._limits, queues, partitions))

    async def take_tokens(
        self,
        queue: str,
        count: int,
        *,
        partition: Mapping[str, Any] | None = None,
        partly: bool = False,
    ) -> Tokens | None:
        """Take tokens of a rate limit."""
        return await self._hold(take(self._limits, queue, count, partition, partly=partly))

    async def reset_tokens(self, queue: str, *, partition: Mapping[str, Any] | None = None) -> None:
        """Give tokens back."""
        await self._hold(reset(self._limits, queue, partition))

    async def forget_limits(self, *, age: float) -> int:
        """Forget limits that nobody uses, and what was spent long ago."""
        return await self._hold(_forget(self._limits, age))


def _configure(statements: LimitStatements, limits: Mapping[str, Limits]) -> Dialogue[None]:
    yield statements.configure(limits)


def _forget(statements: LimitStatements, age: float) -> Dialogue[int]:
    yield statements.forget_rates(age=age)
    forgotten: int = yield statements.forget(age=age)
    return forgotten
