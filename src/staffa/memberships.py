"""Which flows a job belongs to, as its meta tells."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from staffa._internal import json
from staffa.chains import CHAIN_KEY

WORKFLOW_KEY = "workflow_id"
"""Where `meta` holds the flow of kind workflow that a job belongs to."""
BATCH_KEY = "batch_id"
"""Where `meta` holds the batch that a job belongs to, or whose callback it is."""
CALLBACK_KEY = "callback"
"""Where `meta` of a batch's callback tells which it is: it is no member of the batch."""
STEP_KEY = "name"
"""Where `meta` holds the name of a step within its workflow."""
NEEDS_KEY = "deps"
"""Where `meta` holds the names of what a step depends on, for those who look at it."""

CASCADE_KEY = "cascade"
"""Where `meta` tells what the args of a job are filled with when it has been claimed."""
GRAFT_KEY = "graft"
"""Where `meta` tells that what a job returns is added to its flow; with its name."""
GRAFTED_KEY = "grafted"
"""Where `meta` of such a job, and the options of its flow, tell what it returned first."""


def named_flows(meta: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the flows that a job belongs to by its meta, the innermost workflow first."""
    batch = None if CALLBACK_KEY in meta else meta.get(BATCH_KEY)  # a callback is no member
    named = (meta.get(WORKFLOW_KEY), batch, meta.get(CHAIN_KEY))
    return tuple([flow for flow in named if isinstance(flow, str)])


@lru_cache(maxsize=16)
def memberships(meta: str) -> tuple[str, ...]:
    """Return the flows of a job, the innermost workflow first.

    Args:
        meta: Its meta as JSON; neighbours often have the same.

    Example:
        >>> memberships('{"workflow_id": "a", "batch_id": "b"}')
        ('a', 'b')
        >>> memberships('{"batch_id": "b", "callback": "completed"}')
        ()
    """
    return named_flows(json.loads(meta))


def step_name(meta: str) -> str | None:
    """Return the name that a job has as a step.

    Example:
        >>> step_name('{"workflow_id": "a", "name": "charge"}')
        'charge'
    """
    found = json.loads(meta).get(STEP_KEY)
    return found if isinstance(found, str) else None
