"""How soon a control has to be obeyed by the other side."""

from __future__ import annotations

import time
from typing import Any

from tests.support.events import eventually

OBEYED_WITHIN_SECONDS = 1.0
PATIENCE = 10  # times that, for a machine that has other things to do


async def obeyed(condition: Any, what: str) -> None:
    """Wait until a control is obeyed, as soon as it has to be."""
    began = time.monotonic()
    await eventually(condition, what)
    assert time.monotonic() - began < OBEYED_WITHIN_SECONDS * PATIENCE
