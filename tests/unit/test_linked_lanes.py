"""Outcomes of jobs of flows are written in lanes: those of one root in one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest

from staffa.queues import linked_lanes
from staffa.queues.linked_acker import LinkedAcker
from staffa.queues.linked_lanes import LinkedLanes
from staffa.queues.outcomes import Ended
from tests.unit.rows import claimed
from tests.unit.scripted import PRODUCER, outcome


class Lane:
    """Keeps what it was given, and tells the order of calls."""

    def __init__(self, calls: list[str]) -> None:
        self.outcomes: list[Ended] = []
        self.calls = calls

    def submit(self, outcome: Ended) -> None:
        self.outcomes.append(outcome)

    def waiting(self) -> list[Sequence[Ended]]:
        return [self.outcomes]

    def unwritten(self) -> list[Ended]:
        return self.outcomes

    async def flush(self) -> None:
        self.calls.append("flush")

    async def start(self) -> None:
        self.calls.append("start")

    async def stop(self) -> None:
        self.calls.append("stop")


class Road:
    """Lanes, and the roots that they have in common."""

    def __init__(self, count: int) -> None:
        self.made: list[Lane] = []
        self.calls: list[str] = []
        self.roots: dict[str, str] = {}
        self.lanes = LinkedLanes(self._make, count)

    def _make(self, roots: dict[str, str]) -> LinkedAcker:
        self.roots = roots
        self.made.append(Lane(self.calls))
        return cast("LinkedAcker", self.made[-1])

    def submit(self, meta: object) -> int:
        """Submit an outcome, and return the place of the lane that got it."""
        made = outcome(1)
        made.job = claimed(PRODUCER, meta=meta)
        self.lanes.submit(made)
        (place,) = (n for n, lane in enumerate(self.made) if made in lane.outcomes)
        return place


def test_each_flow_has_one_lane_and_all_lanes_are_used() -> None:
    road = Road(2)
    lanes = {road.submit({"workflow_id": f"w{n}"}) for n in range(64)}
    assert lanes == {0, 1}
    assert len({road.submit({"batch_id": "b"}) for _ in range(10)}) == 1
    assert sum(map(len, road.lanes.waiting())) == len(road.lanes.unwritten()) == 74


def test_flows_of_one_root_have_one_lane_once_it_is_known() -> None:
    road = Road(8)
    road.roots.update({f"w{n}": "root" for n in range(64)})
    lanes = {road.submit({"workflow_id": f"w{n}"}) for n in range(64)}
    assert lanes == {road.submit({"workflow_id": "root"})}


@pytest.mark.parametrize("meta", ["[1", {}, {"workflow_id": 1}])
def test_a_job_whose_flows_nobody_can_tell_has_a_lane(meta: object) -> None:
    road = Road(2)
    assert road.submit(meta) in {0, 1}


def test_roots_are_forgotten_when_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linked_lanes, "_MOST_ROOTS", 2)
    road = Road(2)
    road.roots.update(a="r", b="r", c="r")
    road.submit({"workflow_id": "a"})
    assert road.roots == {}


async def test_all_lanes_start_flush_and_stop() -> None:
    road = Road(2)
    await road.lanes.start()
    await road.lanes.flush()
    await road.lanes.stop()
    assert road.calls == ["start", "start", "flush", "flush", "stop", "stop"]
