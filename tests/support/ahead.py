"""The jobs of tests, in a process whose wall clock is an hour ahead and goes too fast."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from staffa._internal.clock import SystemClock
from tests.support import app

_BEGAN = time.monotonic()


def _now(_: SystemClock) -> datetime:
    drift = (time.monotonic() - _BEGAN) * 10
    return datetime.now(UTC) + timedelta(hours=1, seconds=drift)


setattr(SystemClock, "now", _now)  # noqa: B010  # what the whole process then sees

jobs = app
