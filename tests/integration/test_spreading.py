"""Jobs are spread over the nodes: none takes much more than its part while others are idle.

The waits of nodes that run something are made endless here, so that what nodes do in the meantime
does not depend on their speed; where a test is about what follows a wait, it has none.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from staffa import Job, Staffa, current_job, job
from staffa.queues import spread
from tests.conftest import MakeClient
from tests.support.events import eventually

ENDLESS = 1e9
LIMIT = 10

Nodes = Callable[..., Any]


class Work:
    """Jobs that run until the test ends them, by the node that runs them."""

    def __init__(self) -> None:
        self.gates: dict[int, asyncio.Event] = {}
        self.nodes: dict[int, str] = {}
        self.ran: Counter[str] = Counter()
        self.over = False

        @job(name="tests.held")
        async def held() -> None:
            running = current_job()
            assert running.id is not None
            assert running.attempted_by is not None
            gate = self.gates[running.id] = asyncio.Event()
            self.nodes[running.id] = running.attempted_by[0]
            self.ran[running.attempted_by[0]] += 1
            if not self.over:
                await gate.wait()

        self.job = held

    @property
    def running(self) -> Counter[str]:
        """How many jobs each node runs."""
        return Counter(self.nodes[number] for number in self.gates)

    def end_all(self) -> None:
        while self.gates:
            self.gates.popitem()[1].set()

    def finish(self) -> None:
        """Let all jobs end, those too that have not begun yet."""
        self.over = True
        self.end_all()

    def new(self, count: int) -> list[Job]:
        return [self.job.new() for _ in range(count)]


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
async def nodes(make_client: MakeClient) -> AsyncIterator[Nodes]:
    """Starts nodes that know of each other."""
    async with AsyncExitStack() as stack:

        async def start(count: int) -> list[Staffa]:
            options: dict[str, Any] = {
                "queues": {"default": LIMIT}, "heartbeat": 0.05, "dead_after": 60,
            }  # fmt: skip
            names = [f"node {number}" for number in range(count)]
            made = [make_client(name=name, node=name, **options) for name in names]
            for app in made:
                await stack.enter_async_context(app)
            await eventually(lambda: all(peers(app) == count - 1 for app in made), "the others")
            return made

        yield start


def peers(app: Staffa) -> int:
    assert app._node is not None
    return app._node.supervisor.watchman.peers


async def test_of_nine_slow_jobs_at_once_no_idle_node_takes_more_than_five(
    nodes: Nodes, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spread, "_SECONDS", ENDLESS)
    first, *_ = await nodes(3)
    await first.enqueue_many(work.new(9))
    await eventually(lambda: len(work.gates) == 9, "all jobs")
    assert sorted(work.running.values()) == [1, 4, 4]
    work.finish()


async def test_a_job_goes_to_a_node_that_is_idle_and_not_to_one_that_works(
    nodes: Nodes, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spread, "_SECONDS", ENDLESS)
    busy, idle = await nodes(2)
    await idle.pause_queue("default", node="node 1")
    await busy.enqueue_many(work.new(2))
    await eventually(lambda: work.running == {"node 0": 2}, "two jobs on one node")
    await idle.resume_queue("default", node="node 1")
    await busy.enqueue_many(work.new(1))  # which knows of it first
    await eventually(lambda: work.running["node 1"] == 1, "a job on the idle node")
    assert work.running == {"node 0": 2, "node 1": 1}
    work.finish()


async def test_a_backlog_fills_all_slots_of_all_nodes_and_is_shared_equally(
    nodes: Nodes, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spread, "_SECONDS", 0.0)
    first, *_ = await nodes(3)
    await first.enqueue_many(work.new(6 * 3 * LIMIT))
    for turn in range(1, 7):
        await eventually(lambda: len(work.gates) == 3 * LIMIT, f"full nodes for the {turn}. time")
        assert set(work.running.values()) == {LIMIT}
        work.end_all()
    await eventually(lambda: not work.gates and sum(work.ran.values()) == 18 * LIMIT, "all")
    assert set(work.ran.values()) == {6 * LIMIT}


async def test_what_the_others_leave_is_taken_after_a_wait(nodes: Nodes, work: Work) -> None:
    first, second = await nodes(2)
    await second.pause_queue("default", node="node 1")
    await first.enqueue_many(work.new(LIMIT))
    await eventually(lambda: work.running == {"node 0": LIMIT}, "all jobs on one node")
    work.finish()


async def test_a_node_alone_takes_all_at_once(
    nodes: Nodes, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spread, "_SECONDS", ENDLESS)
    (app,) = await nodes(1)
    await app.enqueue_many(work.new(LIMIT))
    await eventually(lambda: work.running == {"node 0": LIMIT}, "all jobs")
    work.finish()
