"""Code before a worker was renamed: it knows the old name alone."""

from __future__ import annotations

from staffa import job
from tests.support.app import tell


@job(name="shop.old")
async def renamed(folder: str) -> None:
    """Do next to nothing."""
    tell(folder, "old")
