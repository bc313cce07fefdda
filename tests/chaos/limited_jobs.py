"""The jobs of the scenario of limits, and the limits of their queues."""

from __future__ import annotations

from typing import Any

from staffa import GlobalLimit, Queue, RateLimit, job
from tests.chaos.jobs import BACKOFF_SECONDS
from tests.chaos.plans import Plan, perform_async

TENANTS = "tenants"
METERED = "metered"
FOR_EACH = GlobalLimit(2, partition="args.tenant")
AT_ONCE = GlobalLimit(3)
IN_A_TIME = RateLimit(5, period=1)
QUEUES = {
    TENANTS: Queue(limit=6, global_limit=FOR_EACH),
    METERED: Queue(limit=4, global_limit=AT_ONCE, rate_limit=IN_A_TIME),
}


@job(queue=TENANTS, backoff=BACKOFF_SECONDS, max_attempts=4)
async def work_for(token: str, tenant: str, plan: Plan) -> Any:
    """Follow a plan, beside not too many others of the tenant."""
    return await perform_async(plan)


@job(queue=METERED, backoff=BACKOFF_SECONDS, max_attempts=4)
async def work_metered(token: str, plan: Plan) -> Any:
    """Follow a plan, beside and after not too many others."""
    return await perform_async(plan)
