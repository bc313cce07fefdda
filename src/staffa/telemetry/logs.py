"""The default logger: events as lines of JSON.

Arguments are left out, as they may hold what no log should.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable
from typing import Any

from staffa._internal import json
from staffa._internal.json import clean
from staffa.errors import UnknownOption
from staffa.telemetry.catalogue import JobEnded, JobStarted
from staffa.telemetry.events import Event, Handler, attach, detach
from staffa.telemetry.spans import SpanEvent
from staffa.types import ProducerView, State

logger = logging.getLogger("staffa")

GROUPS = (
    "audit", "cron", "engine", "flow", "job", "leader", "loop", "notifier", "prioritizer",
    "process", "producer", "pruner", "queue", "reindexer", "service", "shutdown", "sonar", "stager",
    "thread", "vacuum",
)  # fmt: skip
"""What `events=` may name: the second part of the events' names."""

EXTRA = "staffa_event"
"""The attribute of the log record that holds the event, for formatters of one's own."""

_DEFAULT = tuple(group for group in GROUPS if group not in {"engine", "service"})
_LONGEST_TEXT = 2000
_JOB_FIELDS = ("id", "worker", "queue", "attempt", "max_attempts", "priority", "tags")
_WARNINGS = frozenset({State.RETRYABLE, State.DISCARDED, State.CANCELLED})

_attached: list[Handler] = []


def attach_default_logger(
    level: int = logging.INFO,
    *,
    events: Iterable[str] = _DEFAULT,
    instance: str | None = None,
    logger: logging.Logger = logger,
) -> None:
    """Log events as JSON to the logger ``staffa``.

    Failed jobs are logged as warnings at least. Errors that something survived are in that log
    anyway, with their tracebacks.

    Args:
        level: The level of the lines.
        events: Groups of events, see `GROUPS`, or beginnings of names such as
            ``staffa.job.completed``. Spans of the engine and of services are left out unless named.
        instance: Only those of the client of this name.
        logger: Another logger.

    Raises:
        UnknownOption: For a group that does not exist.

    Example:
        >>> attach_default_logger(events=["job", "leader"])
        >>> detach_default_logger()
    """
    names = [_beginning(name) for name in ([events] if isinstance(events, str) else events)]
    handler = functools.partial(_log, level, logger)
    _attached.append(handler)
    attach(handler, events=names, instance=instance)


def detach_default_logger() -> None:
    """Stop the logging of `attach_default_logger`; nothing happens if there is none."""
    while _attached:
        detach(_attached.pop())


def describe(event: Event) -> dict[str, Any]:
    """Return an event as plain JSON.

    Example:
        >>> from staffa.telemetry.catalogue import JobsStaged
        >>> describe(JobsStaged(count=3, instance="Oban"))
        {'event': 'staffa.stager.staged', 'instance': 'Oban', 'count': 3}
    """
    described: dict[str, Any] = {"event": event.name, "instance": event.instance}
    for key, value in event.data.items():
        if key == "job" and value is not None:
            described |= _describe_job(event, value)
        elif key == "span":
            described |= {"span": value.number, **{k: _plain(v) for k, v in value.about.items()}}
        elif value is not None and key != "exception":
            described[key] = _plain(value)
    return described


def _beginning(name: str) -> str:
    if name.startswith("staffa"):
        return name
    if name not in GROUPS:
        raise UnknownOption("group of events", name, GROUPS)
    return f"staffa.{name}"


def _describe_job(event: Event, job: Any) -> dict[str, Any]:
    described = {
        key: _plain(getattr(job, key)) for key in _JOB_FIELDS if getattr(job, key, None) is not None
    }
    due, begun = getattr(job, "scheduled_at", None), getattr(job, "attempted_at", None)
    if isinstance(event, JobStarted | JobEnded) and due is not None and begun is not None:
        described["waited"] = max((begun - due).total_seconds(), 0.0)
    return {"job": described}


def _plain(value: object) -> Any:
    match value:
        case None | bool() | int() | float():
            return value
        case list() | tuple() | set() | frozenset():
            return [_plain(item) for item in list(value)[:100]]
        case dict():
            return {str(key): _plain(item) for key, item in list(value.items())[:100]}
        case BaseException():
            return clean(f"{type(value).__name__}: {value}")[-_LONGEST_TEXT:]
        case ProducerView():
            return {"node": value.node, "uuid": str(value.uuid)}
        case _:
            return clean(str(value))[-_LONGEST_TEXT:]


def _log(level: int, logger: logging.Logger, event: Event) -> None:
    failed = isinstance(event, JobEnded) and event.state in _WARNINGS
    failed = failed or (isinstance(event, SpanEvent) and event.name.endswith(".exception"))
    chosen = max(level, logging.WARNING) if failed else level
    if logger.isEnabledFor(chosen):
        described = describe(event)
        logger.log(chosen, "%s", json.dumps(described), extra={EXTRA: described})
