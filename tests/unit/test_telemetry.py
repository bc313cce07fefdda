"""Events and those who listen."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from staffa import telemetry
from staffa.telemetry import Event, attach, detach, emit, events, report, span, working_for
from staffa.telemetry.catalogue import JobsStaged, NotifierLost, NotifierReconnected


@pytest.fixture(autouse=True)
def no_listeners(no_listener_is_left: None) -> Iterator[None]:
    before, events._audience = events._audience, events._Audience(())
    yield
    events._audience = before


@pytest.fixture
def seen() -> Iterator[list[Event]]:
    found: list[Event] = []
    attach(found.append)
    yield found
    detach(found.append)


def test_without_listeners_no_event_is_built() -> None:
    def refuse() -> Event:
        raise AssertionError("an event was built")

    emit(refuse)
    assert not events.listening()


def test_no_event_is_built_that_no_listener_may_want() -> None:
    def refuse(**_: object) -> Event:
        raise AssertionError("an event was built")

    refuse.kind = "staffa.job.start"  # type: ignore[attr-defined]
    attach(print, events=["staffa.job.retryable", "staffa.stager"])
    emit(refuse)
    assert events.listening()
    assert events.listening("staffa.job")
    assert events.listening("staffa.stager.staged")
    assert not events.listening("staffa.job.completed")
    attach(print, events="staffa.job.c")
    assert events.listening("staffa.job.completed")
    detach(print)
    assert not events.listening("staffa.stager.staged")


def test_what_has_a_name_of_its_own_is_heard_by_that() -> None:
    found: list[Event] = []
    attach(found.append, events="myapp")
    with span("myapp.read"):
        pass
    assert [event.name for event in found] == ["myapp.read.start", "myapp.read.stop"]


def test_a_listener_gets_the_name_and_the_data(seen: list[Event]) -> None:
    assert events.listening()
    emit(JobsStaged, count=3)
    assert seen == [JobsStaged(count=3)]
    assert (seen[0].name, seen[0].data) == ("staffa.stager.staged", {"count": 3})


def test_a_listener_chooses_by_the_beginning_of_the_name() -> None:
    found: list[Event] = []
    attach(found.append, events=["staffa.stager", "staffa.notifier.lost"])
    emit(JobsStaged, count=1)
    emit(NotifierReconnected, prefix="a")
    emit(NotifierLost, prefix="a")
    emit(Event)
    assert [event.name for event in found] == ["staffa.stager.staged", "staffa.notifier.lost"]


def test_a_listener_chooses_by_the_instance() -> None:
    found: list[Event] = []
    attach(found.append, instance="billing")
    emit(JobsStaged, count=1, instance="other")
    emit(JobsStaged, count=2)
    emit(JobsStaged, count=3, instance="billing")
    with working_for("billing"):
        emit(JobsStaged, count=4)
    emit(JobsStaged, count=5)
    assert [event.data["count"] for event in found] == [3, 4]


def test_a_single_beginning_given_as_text_is_one_beginning() -> None:
    found: list[Event] = []
    try:
        attach(found.append, events="staffa.job")
    except ValueError:  # a refusal is as good
        return
    emit(Event)
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
        emit(JobsStaged, count=1)
    assert len(found) == 2
    assert [record.message for record in caplog.records] == [
        "a handler of staffa.stager.staged raised"
    ] * 2


def test_a_detached_listener_hears_nothing_more(seen: list[Event]) -> None:
    detach(seen.append)
    detach(seen.append)
    emit(Event)
    assert seen == []


def test_a_listener_may_detach_itself_while_it_is_told(seen: list[Event]) -> None:
    def once(event: Event) -> None:
        detach(once)
        seen.append(event)

    attach(once)
    emit(NotifierLost, prefix="a")
    emit(NotifierReconnected, prefix="a")
    assert sorted(event.name for event in seen) == [
        "staffa.notifier.lost",
        "staffa.notifier.lost",
        "staffa.notifier.reconnected",
    ]


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
