"""Claims from a queue that the node is not configured for, as others limit it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest

from staffa._internal.clock import SYSTEM_CLOCK
from staffa.engine import Engine, Producer
from staffa.errors import DatabaseUnavailable
from staffa.jobs import Job
from staffa.limiting import LimitedClaim, LimitUse
from staffa.limits import GlobalLimit, Limits
from staffa.queues.claims import KeptClaims
from tests.unit.scripted import PRODUCER


class Store:
    """Tells of limits as soon as it can be reached, and notes how it is asked for jobs."""

    def __init__(self) -> None:
        self.away = True
        self.claims: list[str] = []

    async def read_limits(self, queues: Sequence[str]) -> list[LimitUse]:
        if self.away:
            raise DatabaseUnavailable("it is away")
        return [LimitUse(queues[0], Limits(global_limit=GlobalLimit(1)), 0, None)]

    async def claim_jobs(self, queue: str, limit: int, producer: Producer) -> list[Job]:
        self.claims.append("plain")
        return []

    async def claim_limited_jobs(
        self, queue: str, limit: int, producer: Producer, limits: Limits
    ) -> LimitedClaim:
        self.claims.append("limited")
        return LimitedClaim([])


async def test_nothing_is_claimed_as_long_as_nobody_can_tell_the_limits() -> None:
    store = Store()
    claims = KeptClaims("mail", cast("Engine", store), PRODUCER, lambda: None, SYSTEM_CLOCK)
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable):
            await claims.take(5)
    store.away = False
    await claims.take(5)
    assert store.claims == ["limited"]
