"""What happens inside, for whoever listens: events, spans, a log of them, reports."""

from staffa.telemetry import logger
from staffa.telemetry.events import Event, Handler, attach, detach, emit, listening, working_for
from staffa.telemetry.logs import attach_default_logger, detach_default_logger
from staffa.telemetry.reports import Outages, report
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
