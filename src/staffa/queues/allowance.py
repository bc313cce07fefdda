"""How many jobs a queue may claim now, beside what its own free slots say.

Four things may keep it from taking them all: the slots of the node that the queues share
(`slots`), the part that it leaves to other nodes (`spread`), outcomes that wait to be written
(`backlog`), and a time that was configured to lie between two claims. The producer asks, and is
called when it is worth asking again: when slots have become free, or a time is over.

Invariants: asking takes nothing, and may be done at any time; slots are taken when a claim is sent,
and each is given back once: by a claim that has found no job for it, or when the job ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from staffa.queues.slots import Slots
from staffa.queues.spread import Spread


class Timer(Protocol):
    """A call that will be made."""

    def cancel(self) -> None:
        """Don't make it."""


CallLater = Callable[[float, Callable[[], None]], Timer]


def _call_later(seconds: float, what: Callable[[], None]) -> Timer:
    return asyncio.get_running_loop().call_later(seconds, what)


def _never(on_room: Callable[[], None]) -> bool:
    """Nobody writes outcomes."""
    return False


class Allowance:
    """What one queue may claim.

    Args:
        slots: Those that it shares with the other queues of the node.
        spread: What it leaves to other nodes.
        cooldown: Seconds from one claim to the next.
        is_full: Tells whether too many outcomes of the queue wait; if so, it calls what it is given
            when that may have changed.
        call_later: Calls something after some seconds; the running loop does if not given.
    """

    def __init__(
        self,
        slots: Slots,
        spread: Spread,
        *,
        cooldown: float = 0.0,
        is_full: Callable[[Callable[[], None]], bool] = _never,
        call_later: CallLater = _call_later,
    ) -> None:
        self.on_ready: Callable[[], None] = lambda: None
        self._slots = slots
        self._spread = spread
        self._cooldown = cooldown
        self._is_full = is_full
        self._call_later = call_later
        self._taken = 0
        self._cooling: Timer | None = None
        self._waiting: Timer | None = None

    def ready(self) -> None:
        """Have the producer ask again."""
        self.on_ready()

    def woken(self) -> None:
        """Note that other nodes were woken as well."""
        self._spread.woken()

    def cool_down_by(self, seconds: float) -> None:
        """Have another time lie between two claims from now on."""
        if seconds == self._cooldown:
            return
        self._cooldown = seconds
        if self._cooling is not None:
            self._cooling.cancel()
            self._end_cooldown()

    def most(self, free: int, limit: int) -> int:
        """Return how many jobs may be claimed.

        Args:
            free: The queue's own free slots.
            limit: All of its own slots.
        """
        if free <= 0 or self._cooling is not None or self._is_full(self.ready):
            self._slots.leave(self)
            return 0
        if self._waits(limit):
            self._slots.leave(self)
            return 0
        return self._spread.part(free)

    def take(self, wanted: int) -> int:
        """Take slots for a claim, before it is sent; return for how many jobs it may ask."""
        count = self._slots.take(self, wanted)
        self._taken += count
        return count

    def settle(self, taken: int, claimed: int) -> None:
        """Give back the slots that a claim has found no jobs for, or all if it has failed."""
        if taken > claimed:
            self._slots.leave(self)
            self.free(taken - claimed)
        self._spread.claimed(full=taken == claimed)
        self._cancel()
        if self._cooldown:
            if self._cooling is not None:
                self._cooling.cancel()
            self._cooling = self._call_later(self._cooldown, self._end_cooldown)

    def free(self, count: int = 1) -> None:
        """Give back the slots of jobs that have ended, or were put back."""
        self._taken -= count
        self._slots.give_back(count)

    def withdraw(self) -> None:
        """Leave the slots to others: the queue claims nothing for now."""
        self._slots.leave(self)

    def _waits(self, limit: int) -> bool:
        """Tell whether nodes with less to do go first, and see to it that it is asked again."""
        load = max(self._taken / max(limit, 1), self._slots.load)
        seconds = self._spread.wait(load)
        self._cancel()
        if seconds > 0.0:
            self._waiting = self._call_later(seconds, self._end_wait)
        return seconds > 0.0

    def _cancel(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _end_wait(self) -> None:
        self._waiting = None
        self._spread.waited()
        self.on_ready()

    def _end_cooldown(self) -> None:
        self._cooling = None
        self.on_ready()
