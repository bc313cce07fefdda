"""Which flows a job belongs to, as its meta tells."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from staffa._internal import json
from staffa.linking import BATCH_KEY, CALLBACK_KEY, CHAIN_KEY, STEP_KEY, WORKFLOW_KEY


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
