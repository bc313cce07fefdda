"""Spans: what takes time, told at its beginning and at its end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from staffa.telemetry import Event, attach, detach, events, observed, span, spans
from staffa.telemetry.spans import SpanEvent, SpanFailed, SpanStopped


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[SpanEvent]]:
    monkeypatch.setattr(events, "_audience", events._Audience(()))
    found: list[SpanEvent] = []

    def keep(event: Event) -> None:
        assert isinstance(event, SpanEvent)
        found.append(event)

    attach(keep)
    yield found
    detach(keep)


def test_a_span_that_ends_well_is_told_twice_with_the_same_span(seen: list[SpanEvent]) -> None:
    with span("staffa.engine.stage_jobs", queue="mail"):
        pass
    assert [event.name for event in seen] == [
        "staffa.engine.stage_jobs.start",
        "staffa.engine.stage_jobs.stop",
    ]
    start, stop = seen
    assert start.span is stop.span
    assert start.span.about == {"queue": "mail"}
    assert isinstance(stop, SpanStopped)
    assert stop.seconds >= 0


def test_a_span_that_raises_tells_the_error_and_raises_it(seen: list[SpanEvent]) -> None:
    error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError), span("staffa.engine.stage_jobs"):
        raise error
    last = seen[-1]
    assert isinstance(last, SpanFailed)
    assert (last.name, last.error) == ("staffa.engine.stage_jobs.exception", error)


def test_spans_of_two_calls_are_told_apart(seen: list[SpanEvent]) -> None:
    for _ in range(2):
        with span("staffa.engine.stage_jobs"):
            pass
    assert seen[0].span.number != seen[2].span.number


@observed("staffa.engine")
class Observed:
    instance = "billing"

    async def claim_jobs(self, limit: int) -> int:
        return limit

    async def close(self) -> None:
        await asyncio.Event().wait()

    async def _private(self) -> None: ...

    def heartbeat(self) -> str:
        return "beat"


async def test_each_public_coroutine_method_of_an_observed_class_is_a_span(
    seen: list[SpanEvent],
) -> None:
    made = Observed()
    assert await made.claim_jobs(3) == 3
    await made._private()
    assert made.heartbeat() == "beat"
    assert [(event.name, event.instance) for event in seen] == [
        ("staffa.engine.claim_jobs.start", "billing"),
        ("staffa.engine.claim_jobs.stop", "billing"),
    ]


async def test_a_cancelled_span_ends_with_the_cancellation(seen: list[SpanEvent]) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await Observed().close()
    assert seen[-1].name == "staffa.engine.close.exception"


async def test_without_listeners_nothing_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_audience", events._Audience(()))

    def refuse(**fields: object) -> None:
        raise AssertionError("a span was built")

    monkeypatch.setattr(spans, "Span", refuse)
    with span("staffa.engine.stage_jobs"):
        pass
    assert await Observed().claim_jobs(1) == 1
