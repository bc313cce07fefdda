"""Signals of peers: what is written of them, in which order, and what is not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from staffa.engine import Control, Engine, process_scope
from staffa.errors import DatabaseUnavailable, DataRefused
from staffa.queues.signals import MOST_STARTED, Signals, read_signal
from tests.support.events import Recorder, eventually
from tests.unit.scripted import PRODUCER

DATA = Path(__file__).parent / "data" / "elixir_notifications.jsonl"
RECORDED = [
    entry["decoded"]
    for entry in map(json.loads, DATA.read_text().splitlines())
    if entry["channel"] == "signal"
]
OWN = process_scope(PRODUCER)


class ScriptedQueues:
    """Keeps what is written, or raises what a test says."""

    def __init__(self) -> None:
        self.written: list[list[Control]] = []
        self.errors: list[Exception] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = 0

    async def control_queues(self, name: str, controls: Sequence[Control]) -> list[Control]:
        assert name == PRODUCER.name
        self.asked += 1
        await self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)
        self.written.append(list(controls))
        return [replace(control, version=len(self.written)) for control in controls]


class Subject:
    """Signals that know the queues alpha and beta."""

    def __init__(self) -> None:
        self.engine = ScriptedQueues()
        self.leads = False
        self.obeyed: list[Control] = []
        self.signals = Signals(
            cast("Engine", self.engine),
            PRODUCER,
            runs=lambda queue: queue in {"alpha", "beta"},
            leading=lambda: self.leads,
            on_written=self.obeyed.extend,
        )

    def hear(self, action: str, queue: str = "alpha", **options: Any) -> None:
        self.signals.hear({"action": action, "queue": queue, "ident": "any", **options})

    async def written(self, count: int = 1) -> list[tuple[str, str, str, Any]]:
        await eventually(lambda: len(self.obeyed) >= count, f"{count} options to be obeyed")
        return [(one.queue, one.scope, one.option, one.value) for one in self.obeyed]


@pytest.fixture
async def subject() -> AsyncIterator[Subject]:
    made = Subject()
    await made.signals.start()
    yield made
    await made.signals.stop()


def test_recorded_signals_are_read() -> None:
    read = [(signal["action"], *read_signal(signal)) for signal in RECORDED]
    assert ("pause", "alpha", {"paused": True}) in read
    assert ("resume", "alpha", {"paused": False}) in read
    assert ("scale", "alpha", {"limit": 7, "paused": True}) in read
    assert ("start", "epsilon", {"running": True, "limit": 4, "paused": True}) in read
    assert ("start", "zeta", {"running": True, "limit": 4}) in read
    assert ("stop", "delta", {"running": False}) in read
    assert ("pkill", "", {}) in read


@pytest.mark.parametrize(
    "signal",
    [
        {},
        {"action": "pause"},
        {"action": "pause", "queue": ""},
        {"action": "pause", "queue": "a" * 128},
        {"action": "pause", "queue": "a\x00"},
        {"action": "pause", "queue": ["alpha"]},
        {"action": "pause", "queue": None},
        {"action": ["pause"], "queue": "alpha"},
        {"action": "explode", "queue": "alpha"},
        {"action": "scale", "queue": "alpha", "limit": 0},
        {"action": "scale", "queue": "alpha", "limit": -5},
        {"action": "scale", "queue": "alpha", "limit": 10**30},
        {"action": "scale", "queue": "alpha", "limit": True},
        {"action": "scale", "queue": "alpha", "limit": "5"},
        {"action": "scale", "queue": "alpha", "limit": 5, "paused": "yes"},
        {"action": "scale", "queue": "alpha"},
        {"action": "scale", "queue": "*", "limit": 5},
        {"action": "start", "queue": "*", "limit": 5},
        {"action": "start", "queue": "new", "limit": {"a": 1}},
        {"action": "stop", "queue": "*"},
    ],
)
def test_signals_that_make_no_sense_set_nothing(signal: dict[str, Any]) -> None:
    assert read_signal(signal)[1] == {}


async def test_a_signal_is_written_for_this_process_and_then_obeyed(subject: Subject) -> None:
    subject.hear("scale", limit=7, paused=True, refresh_interval=30000)
    assert await subject.written(2) == [
        ("alpha", OWN, "limit", 7),
        ("alpha", OWN, "paused", True),
    ]
    assert all(control.version for control in subject.obeyed)


async def test_the_leader_writes_a_pause_for_everybody_as_well(subject: Subject) -> None:
    subject.leads = True
    subject.hear("pause")
    subject.hear("stop", "beta")
    assert await subject.written(3) == [
        ("alpha", OWN, "paused", True),
        ("alpha", "*", "paused", True),
        ("beta", OWN, "running", False),
    ]


async def test_a_pause_of_one_node_is_written_for_nobody_else(subject: Subject) -> None:
    subject.leads = True
    subject.hear("pause", ident=f"{PRODUCER.name}.{PRODUCER.node}")
    assert await subject.written() == [("alpha", OWN, "paused", True)]


async def test_signals_of_our_own_clients_are_left_alone_once(subject: Subject) -> None:
    signal = {"action": "pause", "queue": "alpha", "ident": "any"}
    subject.signals.expect(signal)
    subject.signals.hear(signal)
    subject.hear("resume")
    assert await subject.written() == [("alpha", OWN, "paused", False)]
    subject.signals.hear(signal)
    assert len(await subject.written(2)) == 2


async def test_hostile_twins_are_kept_short_and_few(subject: Subject) -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    for number in range(1000):
        subject.signals.expect({"action": deep, "queue": "x" * 100_000, "limit": number})
        subject.signals.expect({"queue": deep})
    assert len(subject.signals._twins) <= 100
    assert max(len(str(twin)) for twin in subject.signals._twins) < 1000
    subject.signals.hear({"action": deep, "queue": deep})
    subject.hear("pause")
    assert await subject.written() == [("alpha", OWN, "paused", True)]


async def test_queues_that_do_not_run_here_are_not_written_about(subject: Subject) -> None:
    for action in ("pause", "resume", "stop", "scale"):
        subject.hear(action, "unknown", limit=5)
    subject.hear("pause")
    assert await subject.written() == [("alpha", OWN, "paused", True)]


async def test_all_queues_are_paused_and_resumed(subject: Subject) -> None:
    subject.hear("pause", "*")
    assert await subject.written() == [("*", OWN, "paused", True)]


async def test_only_so_many_queues_can_be_started(subject: Subject, events: Recorder) -> None:
    for number in range(3 * MOST_STARTED):
        subject.hear("start", f"new {number}", limit=5)
    subject.hear("stop", "new 1")
    subject.hear("start", "alpha", limit=3)
    await eventually(lambda: ("alpha", OWN, "limit", 3) in {
        (one.queue, one.scope, one.option, one.value) for one in subject.obeyed
    })  # fmt: skip
    assert len({control.queue for control in subject.obeyed}) == MOST_STARTED + 1
    assert len(events.of("staffa.error")) == 1


async def test_what_comes_while_rows_are_written_is_written_together_in_its_order(
    subject: Subject,
) -> None:
    subject.engine.gate.clear()
    subject.hear("pause")
    await eventually(lambda: subject.engine.asked == 1, "the first write")
    for _ in range(1000):
        subject.hear("resume", "*")
        subject.hear("pause")
        subject.hear("pause", "*")
        subject.hear("resume")
    subject.engine.gate.set()
    await subject.written(3)
    assert subject.engine.written[1:] == [
        [Control("*", OWN, "paused", True), Control("alpha", OWN, "paused", False)]
    ]


async def test_signals_wait_while_the_database_is_away_and_later_ones_win(
    subject: Subject, events: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject.engine.errors = [DatabaseUnavailable("gone")] * 3
    subject.hear("pause")
    subject.hear("scale", limit=3)
    await events.wait("staffa.error")
    subject.hear("resume")
    await subject.written(2)
    assert {(one.option, one.value) for one in subject.obeyed} == {("paused", False), ("limit", 3)}


async def test_data_that_is_refused_is_dropped(subject: Subject, events: Recorder) -> None:
    subject.engine.errors = [DataRefused("no", sqlstate="22P05")]
    subject.hear("pause")
    await events.wait("staffa.error")
    subject.hear("scale", limit=3)
    assert await subject.written() == [("alpha", OWN, "limit", 3)]


async def test_smart_limits_are_reported_once_and_the_rest_is_obeyed(
    subject: Subject, events: Recorder
) -> None:
    for _ in range(5):
        subject.hear("scale", limit=3, global_limit={"allowed": 1}, rate_limit=None)
    assert await subject.written() == [("alpha", OWN, "limit", 3)]
    reported = [event.data["what"] for event in events.of("staffa.error")]
    assert reported == [
        "option 'global_limit' of a signal is ignored",
        "option 'rate_limit' of a signal is ignored",
    ]
