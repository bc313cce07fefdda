"""What worker processes import of the scenario of limits: a client whose queues have them."""

from __future__ import annotations

from staffa import Staffa
from tests.chaos import limited_jobs

__all__ = ["app", "limited_jobs"]

app = Staffa(queues=limited_jobs.QUEUES)
