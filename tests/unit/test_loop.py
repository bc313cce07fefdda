"""Loops: they tick at once, at their interval and when woken, and go on whatever a tick meets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from staffa._internal.backoff import Backoff
from staffa.errors import DatabaseUnavailable
from staffa.service import Loop, severity
from tests.support.events import Recorder
from tests.unit.test_service import runs, settle


class Ticker(Loop):
    """Calls what a test gives it."""

    def __init__(self, tick: Callable[[int], None], interval: float = 3600.0) -> None:
        super().__init__(interval)
        self._backoff = Backoff(first_seconds=0.0, cap_seconds=0.0)
        self._call = tick
        self.ticks = 0
        self.ticked = asyncio.Event()

    async def tick(self) -> None:
        self.ticks += 1
        self.ticked.set()
        self._call(self.ticks)

    async def wait_for_tick(self) -> None:
        await asyncio.wait_for(self.ticked.wait(), 30)
        self.ticked.clear()


async def test_a_loop_ticks_at_once_and_then_whenever_it_is_woken() -> None:
    ticker = Ticker(lambda count: None)
    await ticker.start()
    for expected in (1, 2, 3):
        await ticker.wait_for_tick()
        assert ticker.ticks == expected
        await settle()
        ticker.wake()
    await ticker.stop()


async def test_a_wake_up_during_a_tick_is_not_lost() -> None:
    second = asyncio.Event()

    def tick(count: int) -> None:
        if count == 1:
            ticker.wake()
        else:
            second.set()

    ticker = Ticker(tick)
    await ticker.start()
    await asyncio.wait_for(second.wait(), 30)
    await ticker.stop()
    assert ticker.ticks == 2


async def test_a_loop_ticks_again_after_its_interval() -> None:
    ticker = Ticker(lambda count: None, interval=0.0)
    await ticker.start()
    for _ in range(3):
        await ticker.wait_for_tick()
    await ticker.stop()


async def test_a_loop_goes_on_whatever_its_ticks_raise(
    events: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    done = asyncio.Event()

    def fail(count: int) -> None:
        if count == 4:
            done.set()
            return
        raise (DatabaseUnavailable("gone"), ZeroDivisionError(), TimeoutError())[count - 1]

    ticker = Ticker(fail)
    await ticker.start()
    await asyncio.wait_for(done.wait(), 30)
    assert runs(ticker)
    await ticker.stop()
    kinds = [type(event.data["error"]) for event in events.of("staffa.error")]
    assert kinds == [DatabaseUnavailable, ZeroDivisionError, TimeoutError]
    assert [record.levelno for record in caplog.records] == [30, 40, 40]


async def test_a_loop_can_be_stopped_in_the_middle_of_a_tick() -> None:
    class Slow(Ticker):
        async def tick(self) -> None:
            await super().tick()
            await asyncio.Event().wait()

    slow = Slow(lambda count: None)
    await slow.start()
    await slow.wait_for_tick()
    await slow.stop()
    assert not runs(slow)


def test_an_outage_is_a_warning_and_a_defect_an_error() -> None:
    assert severity(DatabaseUnavailable("gone")) == logging.WARNING
    assert severity(RuntimeError("defect")) == logging.ERROR
