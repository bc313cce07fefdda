"""Pools of real processes; each is stopped at the end, and must leave nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from staffa.queues.pools.process import ProcessPool, ProcessPoolSettings
from tests.unit.process_pool.calls import is_alive

MakePool = Callable[..., ProcessPool]


@pytest.fixture
async def make_pool() -> AsyncIterator[MakePool]:
    """Makes pools."""
    made: list[ProcessPool] = []

    def make(**settings: Any) -> ProcessPool:
        made.append(ProcessPool(ProcessPoolSettings(**{"size": 1, **settings})))
        return made[-1]

    yield make
    for pool in made:
        children = list(pool._children)
        await pool.stop()
        assert pool._children == set()
        assert pool._idle == {}
        assert not any(is_alive(child.pid) for child in children)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not [task for task in left if task.get_name().startswith("staffa-")]


@pytest.fixture
async def pool(make_pool: MakePool) -> ProcessPool:
    """A pool of one process."""
    return make_pool()
