"""The jobs of all queues of a node together stay below its limit, and no queue starves."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from staffa import Job, Queue, Staffa, current_job, job
from staffa.share import Share
from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.rows import Rows

QUEUES = ("a", "b", "c")


class Work:
    """Jobs that run until the test ends them."""

    def __init__(self) -> None:
        self.gates: dict[int, tuple[str, asyncio.Event]] = {}
        self.begun: list[str] = []
        self.most = 0
        self.over = False

        @job(name="tests.held")
        async def held() -> None:
            running = current_job()
            assert running.id is not None
            gate = asyncio.Event()
            self.gates[running.id] = (running.queue, gate)
            self.begun.append(running.queue)
            self.most = max(self.most, len(self.gates))
            if not self.over:
                await gate.wait()

        self.job = held

    @property
    def running(self) -> Counter[str]:
        return Counter(queue for queue, _ in self.gates.values())

    async def until(self, queue: str | None, count: int) -> None:
        """Return when so many jobs of a queue, or of all, have begun."""
        await eventually(
            lambda: sum(queue in (None, one) for one in self.begun) == count, f"{count} of {queue}"
        )

    def new(self, queue: str, count: int) -> list[Job]:
        return [self.job.options(queue=queue).new() for _ in range(count)]

    def end_one(self, queue: str | None = None) -> None:
        number = next(key for key, (one, _) in self.gates.items() if queue in (None, one))
        self.gates.pop(number)[1].set()

    def finish(self) -> None:
        """Let all jobs end, those too that have not begun yet."""
        self.over = True
        self.end_all()

    def end_all(self) -> None:
        while self.gates:
            self.gates.popitem()[1][1].set()


@pytest.fixture
async def work() -> AsyncIterator[Work]:
    made = Work()
    yield made
    made.finish()


def waiting(app: Staffa) -> int:
    """Return how many queues stand in line for slots."""
    assert app._node is not None
    return len(app._node.supervisor._slots._line)


def clients(make_client: MakeClient, **options: Any) -> Staffa:
    return make_client(queues=dict.fromkeys(QUEUES, 10), node_limit=4, **options)


async def test_never_more_jobs_of_all_queues_run_than_the_node_may(
    make_client: MakeClient, events: Recorder
) -> None:
    running = most = 0

    @job(name="tests.count")
    async def count() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(3):
            await asyncio.sleep(0)
        running -= 1

    async with clients(make_client) as app:
        await app.enqueue_many(count.options(queue=QUEUES[n % 3]).new() for n in range(150))
        await events.wait("staffa.job.completed", 150)
    assert most <= 4


async def test_a_freed_slot_goes_to_each_hungry_queue_in_turn(
    make_client: MakeClient, work: Work
) -> None:
    async with clients(make_client) as app:
        await app.enqueue_many(work.new("a", 20))
        await work.until("a", 4)
        await app.enqueue_many([*work.new("b", 9), *work.new("c", 9)])
        await eventually(lambda: waiting(app) == 3, "all queues in line")
        for count in range(5, 17):
            work.end_one()
            await work.until(None, count)
        assert Counter(work.begun[4:]) == {"a": 4, "b": 4, "c": 4}
        assert work.most == 4
        work.finish()


async def test_a_queue_that_is_paused_holds_no_other_up(
    make_client: MakeClient, work: Work
) -> None:
    async with clients(make_client) as app:
        await app.enqueue_many(work.new("a", 4))
        await eventually(lambda: work.running == {"a": 4}, "a full node")
        await app.enqueue_many([*work.new("b", 4), *work.new("c", 4)])
        await app.pause_queue("b")
        for count in range(1, 5):
            work.end_one("a")
            await work.until("c", count)
        await app.resume_queue("b")
        work.end_one("c")
        await eventually(lambda: work.running == {"c": 3, "b": 1}, "the queue that was paused")
        assert work.most == 4
        work.finish()


async def test_a_queue_takes_all_slots_while_no_other_wants_any(
    make_client: MakeClient, work: Work
) -> None:
    async with clients(make_client) as app:
        await app.enqueue_many(work.new("a", 6))
        await eventually(lambda: work.running == {"a": 4}, "all slots")
        work.end_all()
        await eventually(lambda: work.running == {"a": 2}, "the rest")
        work.end_all()


async def test_one_of_several_processes_has_its_part_of_the_limit(
    make_client: MakeClient, work: Work
) -> None:
    app = clients(make_client)
    app.config = app.config.with_share(Share(index=1, count=3))
    await app.enqueue_many([*work.new("a", 2), *work.new("b", 2)])
    async with app:
        for count in range(1, 5):
            await work.until(None, count)
            assert len(work.gates) == 1
            work.end_all()


async def test_a_cooldown_lies_between_two_claims_of_a_queue_and_of_no_other(
    make_client: MakeClient, work: Work, rows: Rows
) -> None:
    queues = {"a": Queue(limit=2, dispatch_cooldown=3600), "b": 2}
    app = make_client(queues=queues)
    await app.enqueue_many([*work.new("a", 3), *work.new("b", 3)])
    async with app:
        await eventually(lambda: work.running == {"a": 2, "b": 2}, "the first claims")
        work.end_one("a")
        await rows.until_count(completed=1, executing=3, available=2)
        work.end_one("b")
        await eventually(lambda: work.begun.count("b") == 3, "the next claim of the other queue")
        assert work.begun.count("a") == 2
        work.finish()
