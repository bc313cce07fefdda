"""Tokens of rate limits for code outside of jobs: taken and given back under the same lock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from staffa._internal.shown import shown
from staffa.dialogues import Dialogue
from staffa.engines.statements.limited import Locked, Measured, Owner, Spending
from staffa.engines.statements.limits import LimitStatements
from staffa.errors import ConfigError
from staffa.limiting import Tokens
from staffa.limits import Limits
from staffa.rates import Meter, to_micros


def take(
    statements: LimitStatements,
    queue: str,
    count: int,
    partition: Mapping[str, Any] | None,
    *,
    partly: bool,
) -> Dialogue[Tokens | None]:
    """Take tokens of a queue's rate limit; None if it has none."""
    row: Locked | None = yield statements.lock(queue)
    rate = None if row is None else row.limits.rate_limit
    if row is None or rate is None:
        return None
    owner = find_owner(queue, row.limits, partition)
    found: Measured = yield statements.measure(queue, owner)
    meter = Meter.read(rate, found.meter, to_micros(found.now))
    taken = count if meter.available >= count else meter.available if partly else 0
    if taken:
        meter = meter.spend(taken)
        yield statements.spend(queue, [Spending(found.key, meter.as_json(), None)])
    delay = meter.delay(count - taken) if taken < count else 0.0
    return Tokens(taken, meter.available, rate.allowed, delay)


def reset(
    statements: LimitStatements, queue: str, partition: Mapping[str, Any] | None
) -> Dialogue[None]:
    """Give all tokens back to a queue's rate limit, or to one of its partitions."""
    row: Locked | None = yield statements.lock(queue)
    if row is None:
        return
    key = None
    if partition is not None:
        found: Measured = yield statements.measure(queue, find_owner(queue, row.limits, partition))
        key = found.key
    yield statements.refund(queue, key)


def find_owner(queue: str, limits: Limits, partition: Mapping[str, Any] | None) -> Owner:
    """Return whose tokens are meant: a job's columns as far as the partition looks at them.

    Raises:
        ConfigError: If the partition has other fields, or the limit has none.
    """
    rate = limits.rate_limit
    fields = () if rate is None or rate.partition is None else limits.fields
    given = {} if partition is None else dict(partition)
    if set(given) != set(fields):
        wanted = f"one value each for {', '.join(fields)}" if fields else "none"
        raise ConfigError(
            f"partition is {shown(partition, 100)}, but the rate limit of queue {queue!r} wants "
            f"{wanted}"
        )
    owner = Owner(fields)
    for name in fields:
        root, *keys = name.split(".")
        if not keys:
            owner.worker = str(given[name])
            continue
        place = owner.args if root == "args" else owner.meta
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        place[keys[-1]] = given[name]
    return owner
