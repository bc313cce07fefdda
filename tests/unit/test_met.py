"""What is sent to dashboards: sketches of values, and lists that fit into notifications."""

from __future__ import annotations

import hashlib
import math
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffa._internal.clock import SYSTEM_CLOCK
from staffa.engine import Producer
from staffa.met.gossip import Gossip
from staffa.met.portions import cut, fits
from staffa.met.sketch import Sketch
from staffa.notifiers.polling import PollingNotifier
from staffa.queue import QueueCheck

GAMMA = 1.02 / 0.98


def estimate(number: str) -> float:
    """Return the value that a reader of a sketch takes for those of a bin."""
    return 2 * GAMMA ** int(number) / (GAMMA + 1)


@given(st.floats(1.0, 1e18))
def test_a_value_is_told_within_two_percent(value: float) -> None:
    sketch = Sketch()
    sketch.add(value)
    ((number, count),) = sketch.as_payload()["data"].items()
    assert count == 1
    assert math.isclose(estimate(number), value, rel_tol=0.0201)


@given(st.lists(st.floats(-1e9, 1e12)))
def test_no_value_is_lost(values: list[float]) -> None:
    sketch = Sketch()
    for value in values:
        sketch.add(value)
    told = sketch.as_payload()
    assert sum(told["data"].values()) == told["size"] == len(values)
    assert all(int(number) >= 0 for number in told["data"])


@pytest.mark.parametrize(("count", "parts"), [(0, 0), (1, 1), (100, 1), (400, 4)])
def test_a_list_is_cut_into_parts_that_fit(count: int, parts: int) -> None:
    items = [hashlib.sha256(bytes([n % 256, n // 256])).hexdigest() for n in range(count)]
    payloads = cut(items, lambda part: {"items": part})
    assert [item for payload in payloads for item in payload["items"]] == items
    assert len(payloads) == parts
    assert all(fits(payload) for payload in payloads)


def test_an_item_that_does_not_fit_alone_is_refused() -> None:
    incompressible = [str(UUID(int=number * 7**40 % 2**128)) for number in range(1000)]
    with pytest.raises(ValueError, match="does not fit"):
        cut([incompressible], lambda part: {"items": part})


async def test_a_queue_that_runs_very_many_jobs_is_told_with_some_of_them() -> None:
    sent: list[Any] = []

    class Notifier(PollingNotifier):
        async def notify(self, messages: Any, *, conn: Any = None) -> None:
            sent.extend(messages)

    now = SYSTEM_CLOCK.now()
    running = tuple(number * 7919 % 10**9 for number in range(10_000))
    check = QueueCheck("mail", "web.1", 10_000, False, running, now, now, UUID(int=1))
    producer = Producer(UUID(int=7), "Oban", "web.1")
    await Gossip(Notifier.__new__(Notifier), producer, checks=lambda: [check], poll=1.0).tick()
    ((channel, payload),) = sent
    (told,) = payload["checks"]
    assert channel == "gossip"
    assert fits(payload)
    assert 500 < len(told["running"]) < 10_000
