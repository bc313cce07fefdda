"""Wake-ups: at once where one comes alone, together where many follow each other, none lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, cast

import pytest

from staffa.client.wakeups import Wakeups
from staffa.notifier import Notifier
from staffa.testing.clock import VirtualClock
from tests.support.events import eventually


class Sent:
    """Notes what is sent, and takes as long as it is told to."""

    def __init__(self) -> None:
        self.bundles: list[list[str]] = []
        self.way = asyncio.Event()
        self.way.set()

    async def notify(self, messages: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        self.bundles.append([payload["queue"] for _, payload in messages])
        await self.way.wait()

    @property
    def queues(self) -> list[str]:
        return [queue for bundle in self.bundles for queue in bundle]


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def wakeups(sent: Sent) -> Wakeups:
    return Wakeups(cast("Notifier", sent))


async def test_a_single_one_is_sent_before_its_caller_goes_on(wakeups: Wakeups, sent: Sent) -> None:
    await wakeups.send(["a"])
    assert sent.bundles == [["a"]]
    assert len(asyncio.all_tasks()) == 1


async def test_those_that_follow_at_once_are_sent_together(wakeups: Wakeups, sent: Sent) -> None:
    for number in range(100):
        await wakeups.send([f"{number % 3}"])
    assert len(sent.bundles) < 50
    await eventually(lambda: len(sent.bundles) > 1 and sent.bundles[-1], "the rest")
    await wakeups.flush()
    assert {"0", "1", "2"} == set(sent.queues)


async def test_one_that_comes_while_others_are_being_sent_is_sent_after_them(
    wakeups: Wakeups, sent: Sent
) -> None:
    sent.way.clear()
    wakeups.send_soon(["a"])
    await eventually(lambda: sent.bundles, "the first")
    wakeups.send_soon(["b"])
    wakeups.send_soon(["c"])
    assert sent.bundles == [["a"]]
    sent.way.set()
    await eventually(lambda: len(sent.bundles) > 1, "the second")
    assert sent.bundles == [["a"], ["b", "c"]]


async def test_what_still_waits_is_sent_when_the_client_stops(wakeups: Wakeups, sent: Sent) -> None:
    await wakeups.send(["a"])
    await wakeups.send(["b"])
    await wakeups.flush()
    assert sent.bundles == [["a"], ["b"]]
    await wakeups.flush()
    assert sent.bundles == [["a"], ["b"]]


def test_what_still_waits_is_sent_when_the_program_ends() -> None:
    async def main() -> Sent:
        sent = Sent()
        wakeups = Wakeups(cast("Notifier", sent))
        await wakeups.send(["a"])
        await wakeups.send(["b"])
        return sent

    assert asyncio.run(main()).bundles == [["a"], ["b"]]


async def test_nothing_is_sent_for_no_queue(wakeups: Wakeups, sent: Sent) -> None:
    await wakeups.send([])
    wakeups.send_soon([])
    await wakeups.flush()
    assert sent.bundles == []


async def test_a_queue_that_takes_its_jobs_here_is_told_of_a_moment_later(
    wakeups: Wakeups, sent: Sent
) -> None:
    wakeups.leave_first(lambda queue: queue == "here")
    await wakeups.start()
    await wakeups.send(["here"])
    await asyncio.sleep(0)
    assert sent.bundles == []
    await eventually(lambda: sent.bundles, "the wake-up")
    await wakeups.stop()
    assert sent.bundles == [["here"]]


async def test_one_that_runs_elsewhere_takes_it_along(wakeups: Wakeups, sent: Sent) -> None:
    wakeups.leave_first(lambda queue: queue == "here")
    await wakeups.start()
    await wakeups.send(["here", "elsewhere"])
    for _ in range(3):
        await asyncio.sleep(0)
    assert sent.bundles == [["elsewhere", "here"]]
    await wakeups.stop()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> VirtualClock:
    clock = VirtualClock()
    monkeypatch.setattr("staffa.client.wakeups.SYSTEM_CLOCK", clock)
    return clock


async def test_a_job_takes_the_wake_up_of_its_queue_along_but_not_again_soon(
    wakeups: Wakeups, clock: VirtualClock
) -> None:
    assert wakeups.goes_along("a") == set()
    assert wakeups.goes_along("a") is None
    clock.advance(milliseconds=3)
    assert wakeups.goes_along("a") is None
    clock.advance(milliseconds=1)
    assert wakeups.goes_along("a") == set()


async def test_a_job_takes_along_what_waits_for_its_queue(
    wakeups: Wakeups, sent: Sent, clock: VirtualClock
) -> None:
    assert wakeups.goes_along("a") == set()
    await wakeups.send(["a"])
    clock.advance(milliseconds=4)
    assert wakeups.goes_along("a") == {"a"}
    clock.advance(milliseconds=5)
    await wakeups.flush()
    assert sent.bundles == []


async def test_a_job_does_not_go_before_other_queues_that_wait(
    wakeups: Wakeups, sent: Sent, clock: VirtualClock
) -> None:
    assert wakeups.goes_along("a") == set()
    await wakeups.send(["b"])
    clock.advance(milliseconds=4)
    assert wakeups.goes_along("a") is None
    await wakeups.send(["a"])
    clock.advance(milliseconds=1)
    await eventually(lambda: sent.bundles, "the wake-ups")
    assert sent.bundles == [["a", "b"]]


async def test_jobs_that_are_taken_here_take_nothing_along(
    wakeups: Wakeups, clock: VirtualClock
) -> None:
    wakeups.leave_first(lambda queue: queue == "here")
    await wakeups.start()
    assert wakeups.goes_along("here") is None
    assert wakeups.goes_along("elsewhere") == set()
    await wakeups.stop()


async def test_what_waits_when_it_is_stopped_is_sent_by_the_flush(
    wakeups: Wakeups, sent: Sent
) -> None:
    wakeups.leave_first(lambda queue: True)
    await wakeups.start()
    await wakeups.send(["a"])
    await wakeups.stop()
    await wakeups.flush()
    assert sent.bundles == [["a"]]
