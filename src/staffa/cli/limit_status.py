"""What is told of the limits of queues, and of what is used of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from staffa.cli.output import tell_seconds
from staffa.limiting import LimitUse, PartitionUse
from staffa.limits import GlobalLimit, Limits, RateLimit

USE_COLUMNS = ("queue", "limit", "partition", "running", "spent", "next", "waiting")
PARTITION_COLUMNS = ("queue", "partition", "running", "spent", "next")
_NOW = "now"
_AFTER_A_JOB = "when a job ends"


def tell_limits(limits: Limits | None) -> str:
    """Return the limits of a queue in a few words.

    Example:
        >>> tell_limits(Limits(global_limit=GlobalLimit(5), rate_limit=RateLimit(60, period=1.5)))
        '5 at once, 60 in 1.5 s'
        >>> tell_limits(Limits(global_limit=GlobalLimit(2, partition="worker", per_node=True)))
        '2 at once on a node by worker'
    """
    if limits is None:
        return ""
    told = []
    for limit in (limits.global_limit, limits.rate_limit):
        if limit is not None:
            divided = "" if limit.partition is None else f" by {limits.partition}"
            told.append(f"{_tell(limit)}{divided}")
    return ", ".join(told)


def describe_use(use: LimitUse, waiting: int) -> dict[str, Any]:
    """Return the limits of a queue, and what is used of them, as JSON has it.

    Args:
        use: What is used.
        waiting: How many available jobs the queue has.
    """
    rate = use.limits.rate_limit
    return {
        "queue": use.queue,
        **describe_limits(use.limits),
        "running": use.running,
        "spent": _spent(rate, use.available),
        "next_token_in": use.delay,
        "waiting": waiting,
        "partitions": [
            {
                "key": one.key,
                "running": one.running,
                "spent": _spent(rate, one.available),
                "next_token_in": one.delay,
            }
            for one in use.partitions
        ],
    }


def describe_limits(limits: Limits) -> dict[str, Any]:
    """Return limits as JSON has them; null stands for a limit that a queue has not."""
    return {"global_limit": None, "rate_limit": None, **limits.as_options()}


def list_uses(use: LimitUse, waiting: int) -> Iterator[tuple[Any, ...]]:
    """Yield the limits of a queue for people: a row for each."""
    for limit in (use.limits.global_limit, use.limits.rate_limit):
        if limit is None:
            continue
        whole = limit.partition is None
        if isinstance(limit, GlobalLimit):
            bound = whole and not limit.per_node
            following = _next_slot(limit, use.running) if bound else None
            used: tuple[Any, ...] = (use.running, None, following)
        else:
            used = (None, _spent(limit, use.available), _next_token(use.delay))
        partition = None if whole else str(use.limits.partition)
        yield (use.queue, _tell(limit), partition, *used, waiting)


def list_partitions(use: LimitUse) -> Iterator[tuple[Any, ...]]:
    """Yield the busiest partitions of a queue for people."""
    for one in use.partitions:
        spent = _spent(use.limits.rate_limit, one.available)
        yield (use.queue, one.key, one.running, spent, _next_of(use.limits.global_limit, one))


def _tell(limit: GlobalLimit | RateLimit) -> str:
    if isinstance(limit, RateLimit):
        return f"{limit.allowed} in {limit.seconds:g} s"
    return f"{limit.allowed} at once{' on a node' if limit.per_node else ''}"


def _spent(rate: RateLimit | None, available: int | None) -> int | None:
    return None if rate is None or available is None else rate.allowed - available


def _next_of(limit: GlobalLimit | None, one: PartitionUse) -> str | None:
    """Return when a partition may have another job, as far as its own limits tell."""
    if limit is not None and limit.partition is not None and not limit.per_node:
        slot = _next_slot(limit, one.running)
        return slot if slot != _NOW or one.delay is None else _next_token(one.delay)
    return _next_token(one.delay)


def _next_slot(limit: GlobalLimit, running: int) -> str:
    return _NOW if running < limit.allowed else _AFTER_A_JOB


def _next_token(delay: float | None) -> str | None:
    if delay is None:
        return None
    return f"in {tell_seconds(delay)}" if delay > 0 else _NOW
