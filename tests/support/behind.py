"""The jobs of tests, in a process whose wall clock is an hour behind and steps to and fro."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from staffa._internal.clock import SystemClock
from tests.support import app

_minutes = itertools.cycle([0, -30, 30])


def _now(_: SystemClock) -> datetime:
    return datetime.now(UTC) - timedelta(hours=1) + timedelta(minutes=next(_minutes))


setattr(SystemClock, "now", _now)  # noqa: B010  # what the whole process then sees

jobs = app
