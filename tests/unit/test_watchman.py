"""The heartbeat on its own thread, whatever its connection does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import cast
from uuid import UUID

import pytest

from staffa._internal.clock import SYSTEM_CLOCK
from staffa.engine import Control, Heartbeat, Lease, Producer, Pulse
from staffa.errors import ConfigError, DatabaseUnavailable, StatementConflict
from staffa.queues.watchman import Observations, Watchman
from tests.support.events import Recorder, eventually
from tests.unit.rows import claimed
from tests.unit.scripted import PRODUCER

TIMEOUT_SECONDS = 10
LEASES = [Lease.of(claimed(id=number)) for number in (1, 2)]


class ScriptedHeartbeat:
    """Beats, or raises what a test says."""

    def __init__(self) -> None:
        self.beats = 0
        self.errors: list[Exception] = []
        self.others: dict[UUID, int] = {}
        self.controls: list[Control] = []
        self.known: list[int | None] = []
        self.lost: list[int] = []
        self.asked: list[list[int]] = []
        self.threads: set[int] = set()
        self.closed = False

    async def beat(self, producer: Producer, known: int | None = None) -> Pulse:
        self.beats += 1
        self.known.append(known)
        self.threads.add(threading.get_ident())
        if self.errors:
            raise self.errors.pop(0)
        news = [control for control in self.controls if control.version > (known or 0)]
        version = max((control.version for control in self.controls), default=0)
        return Pulse(dict(self.others), news, version)

    async def find_lost_leases(self, producer: Producer, leases: Sequence[Lease]) -> list[Lease]:
        self.asked.append([lease.id for lease in leases])
        return [lease for lease in leases if lease.id in self.lost]

    async def close(self) -> None:
        self.closed = True


class Subject:
    """A watchman, and what it told."""

    def __init__(
        self, make: Callable[[], ScriptedHeartbeat] | None = None, since: int | None = None
    ) -> None:
        self.heartbeat = ScriptedHeartbeat()
        self.leases: list[Lease] = []
        self.dead: asyncio.Queue[dict[UUID, int]] = asyncio.Queue()
        self.lost: asyncio.Queue[list[Lease]] = asyncio.Queue()
        self.controls: asyncio.Queue[tuple[list[Control], bool]] = asyncio.Queue()
        self.recovered = asyncio.Event()
        self.watchman = Watchman(
            cast("Callable[[], Heartbeat]", make or (lambda: self.heartbeat)),
            PRODUCER,
            0.01,
            Observations(0.01, 0.02),
            clock=SYSTEM_CLOCK,
            leases=lambda: self.leases,
            on_dead=lambda dead: self.dead.put_nowait(dict(dead)),
            on_lost=lambda lost: self.lost.put_nowait(list(lost)),
            on_controls=lambda news, first: self.controls.put_nowait((list(news), first)),
            on_recovered=self.recovered.set,
            since=since,
        )

    async def start(self) -> None:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await self.watchman.start()


@pytest.fixture
async def subject() -> Subject:
    return Subject()


async def test_the_first_beat_is_made_before_start_returns_and_on_another_thread(
    subject: Subject,
) -> None:
    await subject.start()
    assert subject.heartbeat.beats >= 1
    await subject.watchman.stop()
    assert threading.get_ident() not in subject.heartbeat.threads
    assert subject.heartbeat.closed


async def test_it_can_be_stopped_twice_and_started_again(subject: Subject) -> None:
    for _ in range(3):
        await subject.start()
        await subject.watchman.stop()
        await subject.watchman.stop()
    assert len(subject.heartbeat.threads) >= 1


async def test_the_dead_and_the_lost_leases_are_told_on_the_loop(subject: Subject) -> None:
    subject.heartbeat.others = {UUID(int=7): 3}
    subject.heartbeat.lost, subject.leases = [2], list(LEASES)
    await subject.start()
    async with asyncio.timeout(TIMEOUT_SECONDS):
        assert await subject.dead.get() == {UUID(int=7): 3}
        assert await subject.lost.get() == [LEASES[1]]
    await subject.watchman.stop()
    assert subject.heartbeat.asked[0] == [1, 2]


async def test_without_running_jobs_no_leases_are_asked_for(subject: Subject) -> None:
    await subject.start()
    await subject.watchman.stop()
    assert subject.heartbeat.asked == []


async def test_an_outage_is_survived(subject: Subject, events: Recorder) -> None:
    await subject.start()
    subject.heartbeat.errors = [DatabaseUnavailable("gone")] * 3
    subject.watchman.hurry()
    await events.wait("staffa.error", 3)
    beats = subject.heartbeat.beats
    subject.leases, subject.heartbeat.lost = list(LEASES), [1]
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await subject.lost.get()
        await subject.recovered.wait()
    await subject.watchman.stop()
    assert subject.heartbeat.beats > beats


@pytest.mark.parametrize(
    "error",
    [DatabaseUnavailable("no server"), ConfigError("bad DSN"), RuntimeError("a defect")],
    ids=lambda error: type(error).__name__,
)
async def test_a_first_beat_that_fails_fails_the_start(subject: Subject, error: Exception) -> None:
    subject.heartbeat.errors = [error]
    with pytest.raises(type(error), match=str(error)):
        await subject.start()
    assert subject.watchman._thread is None


async def test_a_first_beat_that_lost_against_another_one_is_tried_again(subject: Subject) -> None:
    subject.heartbeat.errors = [StatementConflict("could not serialize access")] * 2
    await subject.start()
    assert subject.heartbeat.beats >= 3
    await subject.watchman.stop()


async def test_a_heartbeat_that_can_not_be_made_fails_the_start() -> None:
    def fail() -> ScriptedHeartbeat:
        raise RuntimeError("no such driver")

    with pytest.raises(RuntimeError, match="no such driver"):
        await Subject(fail).start()


async def test_an_error_that_nobody_foresaw_does_not_end_the_heartbeat(
    subject: Subject, events: Recorder
) -> None:
    await subject.start()
    subject.heartbeat.errors = [RuntimeError("a defect")]
    subject.watchman.hurry()
    await events.wait("staffa.error")
    subject.leases, subject.heartbeat.lost = list(LEASES), [1]
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await subject.lost.get()
    await subject.watchman.stop()


PAUSE = Control("mail", "*", "paused", True, 5)
RESUME = Control("mail", "*", "paused", False, 6)


async def test_what_the_first_beat_reads_about_queues_is_told_before_start_returns(
    subject: Subject,
) -> None:
    subject.heartbeat.controls = [PAUSE]
    await subject.start()
    assert subject.controls.get_nowait() == ([PAUSE], True)
    await subject.watchman.stop()
    assert subject.heartbeat.known[0] is None


async def test_what_has_changed_since_another_process_of_the_node_began_is_a_change_here() -> None:
    early, late = Control("slow", "*", "paused", True, 3), Control("mail", "node:a", "limit", 2, 6)
    late_pause = Control("bills", "*", "paused", False, 7)
    subject = Subject(since=4)
    subject.heartbeat.controls = [early, late, late_pause]
    await subject.start()
    assert subject.controls.get_nowait() == ([early], True)
    assert subject.controls.get_nowait() == ([late, late_pause], False)
    await subject.watchman.stop()
    assert subject.heartbeat.known[:2] == [None, 4]
    assert subject.watchman.began_at == 4
    alone = Subject()
    alone.heartbeat.controls = [early, late]
    await alone.start()
    await alone.watchman.stop()
    assert alone.watchman.began_at == 6


async def test_a_change_of_a_queue_is_told_once(subject: Subject) -> None:
    await subject.start()
    subject.heartbeat.controls = [PAUSE]
    async with asyncio.timeout(TIMEOUT_SECONDS):
        assert await subject.controls.get() == ([PAUSE], False)
        subject.heartbeat.controls = [RESUME]
        assert await subject.controls.get() == ([RESUME], False)
    await subject.watchman.stop()
    assert subject.controls.empty()
    assert subject.heartbeat.known[:2] == [None, 0]
    assert subject.heartbeat.known[-1] in {PAUSE.version, RESUME.version}


async def test_a_change_is_told_though_the_check_of_leases_fails_after_it(
    subject: Subject, events: Recorder
) -> None:
    async def fail(producer: Producer, leases: Sequence[Lease]) -> list[Lease]:
        raise DatabaseUnavailable("gone")

    await subject.start()
    subject.heartbeat.find_lost_leases = fail  # type: ignore[method-assign]  # as an outage does
    subject.leases = list(LEASES)
    await events.wait("staffa.error")
    subject.heartbeat.controls = [PAUSE]
    async with asyncio.timeout(TIMEOUT_SECONDS):
        assert await subject.controls.get() == ([PAUSE], False)
    await subject.watchman.stop()
    assert subject.controls.empty()


async def test_a_flood_of_hints_makes_one_beat_at_a_time(subject: Subject) -> None:
    gate, waiting = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    beat = subject.heartbeat.beat

    async def slow(producer: Producer, known: int | None = None) -> Pulse:
        loop.call_soon_threadsafe(waiting.set)
        gate.wait()  # on the watchman's thread
        return await beat(producer, known)

    subject.watchman._interval = 3600
    await subject.start()
    subject.heartbeat.beat = slow  # type: ignore[method-assign]  # as a slow server does
    subject.watchman.hurry()
    await waiting.wait()
    for _ in range(1000):
        subject.watchman.hurry()
    gate.set()
    await eventually(lambda: subject.heartbeat.beats == 3, "one beat for all of them")
    await subject.watchman.stop()
    assert subject.heartbeat.beats == 3
