"""Events and those who listen."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from staffa import telemetry
from staffa.telemetry import Event, attach, detach, emit, events, report


@pytest.fixture(autouse=True)
def no_listeners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_handlers", ())


@pytest.fixture
def seen() -> Iterator[list[Event]]:
    found: list[Event] = []
    attach(found.append)
    yield found
    detach(found.append)


def test_without_listeners_no_event_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*values: object) -> None:
        raise AssertionError("an event was built")

    monkeypatch.setattr(events, "Event", refuse)
    emit("staffa.job.completed", job=1)
    assert not events.listening()


def test_a_listener_gets_the_name_and_the_data(seen: list[Event]) -> None:
    assert events.listening()
    emit("staffa.job.completed", job=1, seconds=0.5)
    assert seen == [Event("staffa.job.completed", {"job": 1, "seconds": 0.5})]


def test_a_listener_chooses_by_the_beginning_of_the_name() -> None:
    found: list[Event] = []
    attach(found.append, events=["staffa.job", "staffa.leader.lost"])
    for name in ("staffa.job.start", "staffa.leader.elected", "staffa.leader.lost", "staffa.error"):
        emit(name)
    assert [event.name for event in found] == ["staffa.job.start", "staffa.leader.lost"]


def test_a_single_beginning_given_as_text_is_one_beginning() -> None:
    found: list[Event] = []
    try:
        attach(found.append, events="staffa.job")
    except ValueError:  # a refusal is as good
        return
    emit("staffa.error")
    assert found == []


def test_a_listener_that_raises_is_reported_and_harms_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(event: Event) -> None:
        raise ZeroDivisionError

    attach(broken)
    found: list[Event] = []
    attach(found.append)
    for _ in range(2):
        emit("staffa.job.start")
    assert len(found) == 2
    assert [record.message for record in caplog.records] == [
        "a handler of staffa.job.start raised"
    ] * 2


def test_a_detached_listener_hears_nothing_more(seen: list[Event]) -> None:
    detach(seen.append)
    detach(seen.append)
    emit("staffa.job.start")
    assert seen == []


def test_a_listener_may_detach_itself_while_it_is_told(seen: list[Event]) -> None:
    def once(event: Event) -> None:
        detach(once)
        seen.append(event)

    attach(once)
    emit("staffa.a")
    emit("staffa.b")
    assert sorted(event.name for event in seen) == ["staffa.a", "staffa.a", "staffa.b"]


def test_an_error_that_was_survived_is_logged_and_told(
    seen: list[Event], caplog: pytest.LogCaptureFixture
) -> None:
    error = ValueError("boom")
    report("the thing failed", error)
    report("the other failed", error, level=logging.WARNING)
    first, second = caplog.records
    assert first.message == "the thing failed: ValueError: boom"
    assert (first.exc_info is None, second.exc_info is None) == (False, True)
    assert [event.data for event in seen] == [
        {"what": "the thing failed", "error": error},
        {"what": "the other failed", "error": error},
    ]


def test_the_public_names_are_there() -> None:
    assert all(hasattr(telemetry, name) for name in telemetry.__all__)
