"""What `staffa start` writes to the terminal: lines for people, or JSON."""

from __future__ import annotations

import json
import logging
from typing import Any

from staffa import telemetry
from staffa.cli.output import one_line, printable
from staffa.share import Share
from staffa.telemetry import Event
from staffa.telemetry.logs import EXTRA

logger = logging.getLogger("staffa")

_LINE_END = "\n"
_EXPECTED = ("completed", "scheduled", "available", "rescued")
_LOGGED = (
    "cron", "job", "leader", "loop", "notifier", "process", "queue", "shutdown", "sonar", "thread",
)  # fmt: skip
_UNEXPECTED = ("retryable", "discarded", "cancelled", "lease_lost", "unknown_worker")


def log_to_terminal(*, as_json: bool, part: Share | None = None) -> None:
    """Begin to write the log to the standard error.

    Args:
        as_json: As JSON.
        part: Which of several processes this is, if it is one of them; each line tells it.
    """
    handler = logging.StreamHandler()
    number = None if part is None else part.index + 1
    handler.setFormatter(_JsonFormatter(number) if as_json else _LineFormatter(number))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    if as_json:
        telemetry.attach_default_logger(events=_LOGGED)
        return
    telemetry.attach(_log_shutdown, events="staffa.shutdown.begin")
    telemetry.attach(
        _log_outcome, events=[f"staffa.job.{name}" for name in _EXPECTED + _UNEXPECTED]
    )


def _log_outcome(event: Event) -> None:
    job, outcome = event.data["job"], event.name.rpartition(".")[2]
    sentence = f"job {job.id} {one_line(job.worker)} {outcome}"
    if event.data.get("seconds") is not None:
        sentence += f" in {event.data['seconds'] * 1000:.1f} ms"
    if event.data.get("error") is not None:
        sentence += f": {str(event.data['error']).rpartition(_LINE_END)[2]}"
    logger.log(logging.INFO if outcome in _EXPECTED else logging.WARNING, "%s", sentence)


def _log_shutdown(event: Event) -> None:
    logger.info("stopping: running jobs may end within %g s", event.data["grace"])


class _LineFormatter(logging.Formatter):
    """Lines for people, without control characters that data may hold."""

    def __init__(self, process: int | None) -> None:
        mark = "" if process is None else f"[{process}] "
        super().__init__(f"%(asctime)s %(levelname)-7s {mark}%(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


class _JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, process: int | None) -> None:
        super().__init__()
        self._mark: dict[str, Any] = {} if process is None else {"worker_process": process}

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(
            {
                "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
                "level": record.levelname.lower(),
                **self._mark,
                **getattr(record, EXTRA, {"message": record.getMessage()}),
                **({"error": self.formatException(record.exc_info)} if record.exc_info else {}),
            }
        )
