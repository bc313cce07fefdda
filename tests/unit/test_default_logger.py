"""The default logger: events as lines of JSON."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from staffa import Job, State
from staffa.engine import Producer
from staffa.errors import UnknownOption
from staffa.telemetry import (
    attach_default_logger,
    detach_default_logger,
    emit,
    events,
    report,
    span,
)
from staffa.telemetry.catalogue import (
    JobEnded,
    JobsStaged,
    JobStarted,
    LeaderElected,
    NotifierLost,
)


@pytest.fixture(autouse=True)
def clean_slate(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    monkeypatch.setattr(events, "_audience", events._Audience(()))
    caplog.set_level(logging.INFO, "staffa")
    yield
    detach_default_logger()


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(record.message) for record in caplog.records]


def test_an_event_is_one_line_of_json(caplog: pytest.LogCaptureFixture) -> None:
    attach_default_logger()
    emit(JobsStaged, count=3, instance="Oban")
    assert lines(caplog) == [{"event": "staffa.stager.staged", "instance": "Oban", "count": 3}]


def test_a_job_is_told_without_its_args(caplog: pytest.LogCaptureFixture) -> None:
    attach_default_logger()
    emit(JobStarted, job=Job(worker="a.Mailer", args={"password": "secret"}, tags=["urgent"]))
    (line,) = lines(caplog)
    assert "secret" not in caplog.text
    assert line["job"]["worker"] == "a.Mailer"
    assert line["job"]["tags"] == ["urgent"]


@pytest.mark.parametrize(
    ("state", "level"),
    [
        (State.COMPLETED, logging.INFO),
        (State.SCHEDULED, logging.INFO),
        (State.RETRYABLE, logging.WARNING),
        (State.DISCARDED, logging.WARNING),
    ],
)
def test_failures_are_warnings(caplog: pytest.LogCaptureFixture, state: State, level: int) -> None:
    attach_default_logger()
    emit(JobEnded, job=Job(worker="a.Mailer"), state=state, seconds=0.5, error="boom")
    assert [record.levelno for record in caplog.records] == [level]
    assert lines(caplog)[0] | {"job": {}} == {
        "event": f"staffa.job.{state}",
        "instance": None,
        "job": {},
        "state": state.value,
        "seconds": 0.5,
        "error": "boom",
    }


def test_a_level_below_the_loggers_writes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    attach_default_logger(level=logging.DEBUG)
    emit(JobsStaged, count=3)
    assert caplog.records == []


def test_groups_choose_the_events(caplog: pytest.LogCaptureFixture) -> None:
    attach_default_logger(events=["leader", "staffa.notifier.lost"])
    emit(JobsStaged, count=3)
    emit(NotifierLost, prefix="public")
    emit(LeaderElected, producer=Producer(uuid.UUID(int=1), "Oban", "web.1"))
    assert [line["event"] for line in lines(caplog)] == [
        "staffa.notifier.lost",
        "staffa.leader.elected",
    ]
    assert lines(caplog)[1]["producer"] == {"node": "web.1", "uuid": str(uuid.UUID(int=1))}


def test_an_unknown_group_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(UnknownOption, match="did you mean 'leader'"):
        attach_default_logger(events=["leaders"])


def test_the_instance_chooses_the_events(caplog: pytest.LogCaptureFixture) -> None:
    attach_default_logger(instance="billing")
    emit(JobsStaged, count=1, instance="other")
    emit(JobsStaged, count=2, instance="billing")
    assert [line["count"] for line in lines(caplog)] == [2]


def test_spans_are_logged_only_where_they_are_named(caplog: pytest.LogCaptureFixture) -> None:
    attach_default_logger()
    with span("staffa.engine.claim_jobs"):
        pass
    assert caplog.records == []
    attach_default_logger(events="engine")
    with span("staffa.engine.claim_jobs", queue="mail"):
        pass
    start, stop = lines(caplog)
    assert start["span"] == stop["span"]
    assert (start["queue"], stop["event"]) == ("mail", "staffa.engine.claim_jobs.stop")


def test_a_survived_error_is_in_the_log_once(caplog: pytest.LogCaptureFixture) -> None:
    attach_default_logger()
    report("the thing failed", ValueError("boom"))
    assert [record.message for record in caplog.records] == ["the thing failed: ValueError: boom"]


def test_hostile_values_are_one_line_of_json(caplog: pytest.LogCaptureFixture) -> None:
    attach_default_logger(events="engine")
    about: dict[str, Any] = {
        "text": "a\x00b\nc\ud800",
        "deep": {"list": [1, {2: object()}]},
        "many": [1] * 1000,
    }
    with span("staffa.engine.claim_jobs", **about):
        pass
    assert "\n" not in caplog.records[0].message
    assert len(lines(caplog)[0]["many"]) == 100


def test_a_detached_logger_writes_no_more(caplog: pytest.LogCaptureFixture) -> None:
    attach_default_logger()
    attach_default_logger()
    detach_default_logger()
    emit(JobsStaged, count=3)
    assert caplog.records == []
