"""The same for a program with an entry of cron."""

from __future__ import annotations

from staffa import Staffa
from tests.chaos.kill_settings import TICK

__all__ = ["app"]

app = Staffa(cron=[TICK])
