"""What worker processes import of the scenario of flows; they note what a sweep had to repair."""

from __future__ import annotations

from staffa import Staffa, telemetry
from tests.chaos import flow_jobs
from tests.chaos.flow_notes import note_repairs

__all__ = ["app", "flow_jobs"]

app = Staffa()
telemetry.attach(note_repairs, events=["staffa.flows.repaired"])
