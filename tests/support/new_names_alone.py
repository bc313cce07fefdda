"""Code after a worker was renamed by somebody who has forgotten the alias."""

from __future__ import annotations

from staffa import job
from tests.support.app import tell


@job(name="shop.new")
async def renamed(folder: str) -> None:
    """Do next to nothing."""
    tell(folder, "new")
