"""What processes that are killed and those that take over have in common."""

from __future__ import annotations

from typing import Any

from staffa import Cron, Pruner

SETTINGS: dict[str, Any] = {
    "heartbeat": 0.1,
    "dead_after": 0.5,
    "poll": 0.05,
    "leader_lease": 0.6,
    "shutdown_grace": 0.1,
}

PRUNER = Pruner(interval=0.1)

TICK = Cron("* * * * *", worker="app.tick", name="tick", queue="ticks")
