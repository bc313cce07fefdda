"""What happens inside, for whoever listens: events, spans, a log of them, reports."""

from typing import TYPE_CHECKING

from staffa._internal.lazy import exporter
from staffa.telemetry.events import Event, Handler, attach, detach, emit, listening, working_for
from staffa.telemetry.reports import Outages, report

if TYPE_CHECKING:
    from staffa.telemetry import logger
    from staffa.telemetry.logs import attach_default_logger, detach_default_logger
    from staffa.telemetry.spans import Span, observed, span

__all__ = [
    "Event",
    "Handler",
    "Outages",
    "Span",
    "attach",
    "attach_default_logger",
    "detach",
    "detach_default_logger",
    "emit",
    "listening",
    "logger",
    "observed",
    "report",
    "span",
    "working_for",
]

__getattr__ = exporter(
    __name__,
    {
        "Span": "staffa.telemetry.spans",
        "attach_default_logger": "staffa.telemetry.logs",
        "detach_default_logger": "staffa.telemetry.logs",
        "observed": "staffa.telemetry.spans",
        "span": "staffa.telemetry.spans",
    },
)
