"""What worker processes import of the scenario of flows; they note what a sweep had to repair."""

from __future__ import annotations

from staffa import telemetry
from tests.chaos import flow_jobs
from tests.chaos.flow_notes import note_repairs

__all__ = ["flow_jobs"]

telemetry.attach(note_repairs, events=["staffa.flow.repaired"])
