"""What is done already, for callers that await it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any


class Done:
    """An awaitable that is done: what a call has already finished that others may await."""

    def __await__(self) -> Generator[Any, None, None]:
        """Return at once."""
        yield from ()
