"""Jobs of tenants, for worker processes of tests."""

from __future__ import annotations

import asyncio

from staffa import job
from tests.support import app
from tests.support.app import tell

hold = app.hold


@job(name="tests.tenant")
async def work(tenant: str, folder: str) -> None:
    """Do a little for a tenant."""
    await asyncio.sleep(0.005)
    tell(folder, "noted")
