"""Code after a worker was renamed: it knows both names."""

from __future__ import annotations

from staffa import job
from tests.support.app import tell


@job(name="shop.new", aliases=["shop.old"])
async def renamed(folder: str) -> None:
    """Do next to nothing."""
    tell(folder, "new")
