"""Looks at the server: schema, pooler, clocks, connections, notifications."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime

from staffa.adoption import title_of
from staffa.cli.doctor.findings import Finding, ok, problem, warning
from staffa.cli.output import count_of, tell_seconds
from staffa.config import Config
from staffa.errors import DatabaseError
from staffa.notifier import Notifier
from staffa.steps import MigrationStatus
from staffa.survey import ProducerStatus, ServerHealth

PATIENCE_SECONDS = 3.0
_CHANNEL = "doctor"  # nobody else listens there
_SKEW_SECONDS = 5.0
_OWN_CONNECTIONS = 5  # for single jobs, claims, outcomes, the heartbeat and notifications
_LIMITED_CONNECTIONS = 2  # for claims under limits
_TIGHT = 0.8


def judge_schema(status: MigrationStatus) -> Finding:
    """Judge the version of the tables."""
    check = "schema"
    if status.foreign:
        return problem(
            check,
            "the table oban_jobs was made by another implementation, and Staffa's are not there",
            "run 'staffa adopt'",
        )
    if not status.applied:
        return problem(check, "Staffa's tables are not there", "run 'staffa migrate up'")
    if status.pending:
        newest = status.pending[-1].version
        return problem(check, f"version {status.version} of {newest}", "run 'staffa migrate up'")
    adopted = "" if status.adopted is None else f", beside the tables of {title_of(status.adopted)}"
    return ok(check, f"version {status.version}{adopted}")


def judge_server(
    health: ServerHealth, asked_at: datetime, answered_at: datetime
) -> Iterator[Finding]:
    """Judge the server itself: whether it takes changes, and its clock.

    Args:
        health: What it says.
        asked_at: When it was asked, by this machine's clock.
        answered_at: When the answer was here.
    """
    if health.read_only:
        yield problem(
            "server", f"{health.version}, a standby: it takes no changes", "connect to the primary"
        )
    else:
        yield ok("server", f"version {health.version}")
    ahead = (asked_at - health.now).total_seconds()
    behind = (health.now - answered_at).total_seconds()
    if max(ahead, behind) > _SKEW_SECONDS:
        which = "ahead of" if ahead > behind else "behind"
        yield warning(
            "clock",
            f"this machine is {tell_seconds(max(ahead, behind))} {which} the database",
            "synchronise the clocks: times that code here reckons, such as scheduled_at, are off "
            "by that; Staffa itself judges by the database's clock",
        )
    else:
        yield ok("clock", "this machine and the database agree")


def judge_pooler(config: Config, health: ServerHealth) -> Finding:
    """Judge what stands before the server."""
    if not health.pooled:
        return ok("pooler", "none: the connection is direct")
    if config.notifier == "polling" or config.listen_dsn is not None:
        return ok("pooler", "there is one, and the settings allow for it")
    return warning(
        "pooler",
        "a pooler stands before the server: notifications do not get through it",
        "give listen_dsn a direct connection, or set notifier to 'polling'",
    )


def judge_connections(
    config: Config, health: ServerHealth, living: Sequence[ProducerStatus]
) -> Iterator[Finding]:
    """Judge whether there are connections for everybody."""
    check = "connections"
    if health.max_connections is None or health.used_connections is None:
        return
    most, used = health.max_connections, health.used_connections
    limited = any(queue.limits.any for queue in config.queues.values())
    own = _OWN_CONNECTIONS + (_LIMITED_CONNECTIONS if limited else 0)
    each = config.pool_size + own
    need = each * len(living)
    processes = count_of(len(living), "worker process", "worker processes")
    told = (
        f"{used} of {most} are used; {processes} may use {need} "
        f"(pool_size {config.pool_size} and {own} each)"
    )
    remedy = "raise max_connections, lower pool_size, run fewer processes, or use a pooler"
    if health.pooled:
        yield ok(check, f"{told}, shared by the pooler")
    elif used >= most or need > most:
        yield problem(check, told, remedy)
    elif max(used, need) > _TIGHT * most:
        yield warning(check, told, remedy)
    else:
        yield ok(check, told)


async def try_notifications(config: Config, notifier: Notifier) -> Finding:
    """Send a notification to ourselves, and wait for it."""
    check = "notifications"
    if config.notifier == "polling":
        return ok(check, "off, by the setting notifier: jobs are found by polling")
    token = str(uuid.uuid4())
    arrived = asyncio.Event()
    try:
        await notifier.listen(
            [_CHANNEL], lambda _, payload: arrived.set() if payload.get("token") == token else None
        )
        async with asyncio.timeout(PATIENCE_SECONDS):
            await notifier.notify([(_CHANNEL, {"token": token})])
            await arrived.wait()
    except (DatabaseError, TimeoutError):
        return warning(
            check,
            f"one that was sent did not arrive within {PATIENCE_SECONDS:.0f} s",
            "jobs are found by polling all the same; behind a pooler, give listen_dsn a direct "
            "connection, or set notifier to 'polling'",
        )
    return ok(check, "they arrive")
