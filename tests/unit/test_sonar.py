"""The sonar's judgement of what comes back, with a notifier that a test directs."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from staffa import Connectivity
from staffa._internal.clock import SYSTEM_CLOCK
from staffa.engine import Producer
from staffa.errors import DatabaseUnavailable
from staffa.notifier import Handler
from staffa.notifiers.polling import PollingNotifier
from staffa.services import sonar as module
from staffa.services.sonar import Sonar
from tests.support.events import Recorder

PRODUCER = Producer(UUID(int=7), "Oban", "web.1")
PEER = {"node": "web.1", "ping": True}  # other implementations send no uuid


class Clock:
    """Stands still until a test steps it."""

    seconds = 0.0

    def now(self) -> datetime:
        return SYSTEM_CLOCK.now()

    def monotonic(self) -> float:
        return self.seconds


class Ether:
    """Carries pings back, unless a test says otherwise."""

    connected = True

    def __init__(self) -> None:
        self.sonar: Sonar | None = None
        self.carries = True
        self.error: Exception | None = None
        self.sent: list[dict[str, Any]] = []

    async def listen(self, channels: Sequence[str], handler: Handler) -> None: ...

    async def stop(self) -> None: ...

    async def notify(
        self, messages: Iterable[tuple[str, Mapping[str, Any]]], *, conn: Any = None
    ) -> None:
        if self.error is not None:
            raise self.error
        for channel, payload in messages:
            assert channel == "sonar"
            self.sent.append(dict(payload))
            if self.carries and self.sonar is not None:
                self.sonar.hear(payload)

    def notify_on(self, messages: Iterable[tuple[str, Mapping[str, Any]]], conn: Any) -> None:
        raise NotImplementedError


@pytest.fixture
def ether(monkeypatch: pytest.MonkeyPatch) -> Ether:
    """A way for pings whose loss is noticed at once."""
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.01)
    return Ether()


def state_of(sonar: Sonar) -> Connectivity:
    """Return what the sonar thinks now; a type checker would not expect it to change."""
    return sonar.connectivity


def make(ether: Ether, clock: Clock | None = None) -> tuple[Sonar, list[str]]:
    recovered: list[str] = []
    ether.sonar = Sonar(
        ether,
        PRODUCER,
        clock=clock or Clock(),
        poll=1.0,
        on_recovered=lambda: recovered.append("recovered"),
    )
    return ether.sonar, recovered


async def test_a_node_that_hears_only_itself_is_solitary(ether: Ether, events: Recorder) -> None:
    sonar, recovered = make(ether)
    assert state_of(sonar) is Connectivity.UNKNOWN
    await sonar.tick()
    assert state_of(sonar) is Connectivity.SOLITARY
    assert ether.sent == [{"node": "web.1", "ping": True, "uuid": str(PRODUCER.uuid)}]
    (told,) = events.of("staffa.sonar.changed")
    assert told.data["connectivity"] is Connectivity.SOLITARY
    assert told.data["previous"] is Connectivity.UNKNOWN
    assert recovered == []


@pytest.mark.parametrize("ping", [PEER, {"node": "web.2", "ping": True, "uuid": "x"}])
async def test_a_node_that_hears_others_is_clustered_until_they_fall_silent(
    ether: Ether, ping: dict[str, Any]
) -> None:
    clock = Clock()
    sonar, _ = make(ether, clock)
    sonar.hear(ping)
    await sonar.tick()
    assert state_of(sonar) is Connectivity.CLUSTERED
    clock.seconds = 149
    await sonar.tick()
    assert state_of(sonar) is Connectivity.CLUSTERED
    clock.seconds = 151
    await sonar.tick()
    assert state_of(sonar) is Connectivity.SOLITARY


async def test_a_node_whose_ping_is_lost_is_isolated_and_says_once_what_to_do(
    ether: Ether, caplog: pytest.LogCaptureFixture
) -> None:
    ether.carries = False
    sonar, recovered = make(ether)
    sonar.hear(PEER)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            await sonar.tick()
    assert state_of(sonar) is Connectivity.ISOLATED
    (record,) = caplog.records
    assert "PgBouncer" in record.getMessage()
    assert "listen_dsn" in record.getMessage()
    assert recovered == []


async def test_a_node_recovers_when_pings_come_back(
    ether: Ether, events: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    ether.carries = False
    sonar, recovered = make(ether)
    await sonar.tick()
    ether.carries = True
    await sonar.tick()
    assert state_of(sonar) is Connectivity.SOLITARY
    assert recovered == ["recovered"]
    assert len(events.of("staffa.sonar.changed")) == 2
    ether.carries = False
    caplog.clear()
    await sonar.tick()
    assert "notifications do not arrive" in caplog.text  # a second isolation is told again


async def test_an_outage_isolates_without_blaming_a_pooler(
    ether: Ether, caplog: pytest.LogCaptureFixture
) -> None:
    ether.error = DatabaseUnavailable("the database can't be reached")
    sonar, _ = make(ether)
    with pytest.raises(DatabaseUnavailable):
        await sonar.tick()
    assert state_of(sonar) is Connectivity.ISOLATED
    assert "PgBouncer" not in caplog.text
    ether.error, ether.carries = None, False
    await sonar.tick()
    assert "PgBouncer" in caplog.text


async def test_pings_become_rarer_while_nothing_changes(ether: Ether) -> None:
    sonar, _ = make(ether)
    intervals = []
    for _ in range(9):
        await sonar.tick()
        intervals.append(sonar.interval)
    assert intervals[0] == 5.0
    assert intervals == sorted(intervals)
    assert intervals[-1] == 25.0
    ether.carries = False
    await sonar.tick()
    assert sonar.interval == 5.0
    await sonar.tick()
    assert sonar.interval == 5.0


@pytest.mark.parametrize(
    "payload", [{}, {"node": None}, {"node": 5}, {"node": ["x"]}, {"uuid": str(PRODUCER.uuid)}]
)
async def test_what_is_no_ping_counts_for_nothing(ether: Ether, payload: dict[str, Any]) -> None:
    ether.carries = False
    sonar, _ = make(ether)
    sonar.hear(payload)
    await sonar.tick()
    assert state_of(sonar) is Connectivity.ISOLATED


async def test_a_flood_of_senders_is_bounded(ether: Ether) -> None:
    sonar, _ = make(ether)
    for number in range(module._MOST_OTHERS + 10):
        sonar.hear({"node": str(number)})
    assert len(sonar._others) == module._MOST_OTHERS
    sonar.hear({"node": "x", "uuid": [1, {}]})
    await sonar.tick()
    assert state_of(sonar) is Connectivity.CLUSTERED


async def test_a_polling_notifier_sends_and_hears_nothing(ether: Ether) -> None:
    notifier = PollingNotifier(ether)
    await notifier.listen(["sonar"], lambda channel, payload: None)
    await notifier.notify([("sonar", {"node": "a"})])
    assert ether.sent == [{"node": "a"}]
    assert not notifier.connected
    await notifier.stop()
