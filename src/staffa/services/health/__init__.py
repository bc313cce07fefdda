"""Tells over HTTP whether a worker process is alive, and whether it can claim.

`/healthz` and `/readyz` are answered on a thread of its own, so that a job which blocks the event
loop is told of instead of making the process look dead. Clients of one process that name the same
port share it.

Options: `health_port`, `health_host`.
"""

from typing import TYPE_CHECKING

from staffa._internal.lazy import exporter

if TYPE_CHECKING:
    from staffa.services.health.ports import HealthPort, LocalServer, serve_ports_by
    from staffa.services.health.verdicts import Question, Verdict, Vitals

__all__ = ["HealthPort", "LocalServer", "Question", "Verdict", "Vitals", "serve_ports_by"]

__getattr__ = exporter(
    __name__,
    {
        "HealthPort": "staffa.services.health.ports",
        "LocalServer": "staffa.services.health.ports",
        "Question": "staffa.services.health.verdicts",
        "Verdict": "staffa.services.health.verdicts",
        "Vitals": "staffa.services.health.verdicts",
        "serve_ports_by": "staffa.services.health.ports",
    },
)
