"""What `staffa start` imports of a program whose processes are killed: its client and its jobs."""

from __future__ import annotations

from staffa import Staffa
from tests.chaos import kill_jobs
from tests.chaos.kill_settings import PRUNER

__all__ = ["app", "kill_jobs"]

app = Staffa(pruner=PRUNER)
