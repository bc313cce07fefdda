"""Starting and stopping: in any order, at once, twice, and when it fails."""

from __future__ import annotations

import asyncio

import pytest

from staffa import service as module
from staffa._internal.backoff import Backoff
from staffa.errors import DatabaseUnavailable
from staffa.service import Service
from tests.support.events import Recorder


class Probe(Service):
    """Counts what it is asked to do, and yields to others in between."""

    def __init__(self) -> None:
        super().__init__()
        self.prepared = self.cleaned = self.begun = self.active = self.most = 0
        self.fail_start = False

    async def on_start(self) -> None:
        await asyncio.sleep(0)
        if self.fail_start:
            raise DatabaseUnavailable("no server")
        self.prepared += 1

    async def run(self) -> None:
        self.begun += 1
        self.active += 1
        self.most = max(self.most, self.active)
        try:
            await asyncio.Event().wait()
        finally:
            self.active -= 1

    async def on_stop(self) -> None:
        await asyncio.sleep(0)
        self.cleaned += 1


class Broken(Service):
    """Raises what a test gives it, then works."""

    def __init__(self, errors: list[Exception]) -> None:
        super().__init__()
        self.errors = errors
        self.works = asyncio.Event()

    async def run(self) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.works.set()
        await asyncio.Event().wait()


def runs(service: Service) -> bool:
    """Tell whether it runs; a type checker would take the property for a constant."""
    return service.running


async def settle() -> None:
    """Let every task that can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_it_runs_between_start_and_stop() -> None:
    probe = Probe()
    assert not runs(probe)
    await probe.start()
    await settle()
    assert (probe.running, probe.active) == (True, 1)
    await probe.stop()
    assert (probe.running, probe.active, probe.cleaned) == (False, 0, 1)


async def test_starting_and_stopping_twice_does_nothing_more() -> None:
    probe = Probe()
    await probe.stop()
    await probe.start()
    await probe.start()
    await probe.stop()
    await probe.stop()
    assert (probe.prepared, probe.cleaned) == (1, 1)


async def test_it_can_be_started_again() -> None:
    probe = Probe()
    for _ in range(5):
        await probe.start()
        await settle()
        await probe.stop()
    assert (probe.prepared, probe.begun, probe.cleaned) == (5, 5, 5)


async def test_many_that_start_and_stop_it_at_once_leave_it_whole() -> None:
    for _ in range(50):
        probe = Probe()
        calls = [probe.start() if n % 3 else probe.stop() for n in range(30)]
        await asyncio.gather(*calls)
        await settle()
        assert probe.most <= 1
        assert probe.active == int(probe.running)
        await probe.stop()
        assert not runs(probe)
        assert (probe.active, probe.prepared) == (0, probe.cleaned)


async def test_a_stop_while_a_start_is_under_way_ends_what_was_started() -> None:
    probe = Probe()
    starting = asyncio.ensure_future(probe.start())
    await asyncio.sleep(0)
    await asyncio.gather(probe.stop(), starting)
    assert not runs(probe)
    assert probe.prepared == probe.cleaned


async def test_a_stop_before_its_task_has_begun_ends_it_as_well() -> None:
    probe = Probe()
    await probe.start()
    await probe.stop()
    assert (probe.begun, probe.running, probe.cleaned) == (0, False, 1)


async def test_a_start_that_fails_raises_and_may_be_tried_again() -> None:
    probe = Probe()
    probe.fail_start = True
    with pytest.raises(DatabaseUnavailable):
        await probe.start()
    assert not runs(probe)
    probe.fail_start = False
    await probe.start()
    assert runs(probe)
    await probe.stop()


async def test_a_start_that_is_cancelled_leaves_nothing_running() -> None:
    probe = Probe()
    starting = asyncio.ensure_future(probe.start())
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not runs(probe)
    await probe.start()
    await probe.stop()


async def test_whatever_ends_its_work_is_reported_and_the_work_begins_anew(
    events: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "Backoff", lambda: Backoff(first_seconds=0.0, cap_seconds=0.0))
    broken = Broken([ZeroDivisionError(), DatabaseUnavailable("gone"), TimeoutError()])
    await broken.start()
    await asyncio.wait_for(broken.works.wait(), 30)
    assert runs(broken)
    await broken.stop()
    assert not runs(broken)
    kinds = [type(event.data["error"]) for event in events.of("staffa.error")]
    assert kinds == [ZeroDivisionError, DatabaseUnavailable, TimeoutError]


async def test_it_can_be_stopped_while_it_waits_to_begin_anew(
    events: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        module, "Backoff", lambda: Backoff(first_seconds=3600.0, cap_seconds=3600.0)
    )
    broken = Broken([ZeroDivisionError()])
    await broken.start()
    await events.wait("staffa.error")
    await broken.stop()
    assert not broken.works.is_set()
