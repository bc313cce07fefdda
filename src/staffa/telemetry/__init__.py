"""What happens inside, for whoever listens: events, and reports of errors that stop nothing."""

from staffa.telemetry.events import Event, Handler, attach, detach, emit
from staffa.telemetry.reports import report

__all__ = ["Event", "Handler", "attach", "detach", "emit", "report"]
