"""What tests wait for, instead of sleeping."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from staffa import Staffa
from staffa.telemetry import Event

TIMEOUT_SECONDS = 30.0


class Recorder:
    """Every event since it was attached; tests wait for the ones they expect."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed.set)

    def of(self, name: str) -> list[Event]:
        """Return the events of a name so far."""
        return [event for event in self.events if event.name == name]

    async def wait(self, name: str, count: int = 1) -> list[Event]:
        """Return the events of a name once there are so many of them."""
        await self.until(lambda: len(self.of(name)) >= count, f"{count} x {name}")
        return self.of(name)

    async def until(self, condition: Callable[[], bool], what: str = "the condition") -> None:
        """Return once a condition holds; it is looked at after each event."""
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            seen = ", ".join(event.name for event in self.events[-50:])
            raise AssertionError(f"waited in vain for {what}; seen: {seen}") from None


async def eventually(
    condition: Callable[[], object],
    what: str = "the condition",
    within: float = TIMEOUT_SECONDS,
) -> None:
    """Return once something outside of our events holds; looks every few milliseconds."""
    try:
        async with asyncio.timeout(within):
            while True:
                result = condition()
                if asyncio.iscoroutine(result):
                    result = await result
                if result:
                    return
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"waited in vain for {what}") from None


async def pause_everywhere(*nodes: Staffa) -> None:
    """Pause the default queue of each of the clients, and return once they have heard of it."""
    for node in nodes:
        await node.pause_queue("default")
        await eventually(partial(_is_paused, node), "the pause")


async def resume_everywhere(*nodes: Staffa) -> None:
    """Resume the default queue of each of the clients."""
    for node in nodes:
        await node.resume_queue("default")


def _is_paused(node: Staffa) -> bool:
    return node.check_queue("default").paused
