"""Notifications that a transaction of the user's carries, because it was asked to."""

from __future__ import annotations

import asyncpg
import pytest

from staffa import Job
from staffa.errors import ConfigError
from tests.conftest import MakeClient
from tests.support.events import eventually
from tests.support.rows import Heard


@pytest.mark.parametrize("many", [False, True])
async def test_the_commit_notifies_once_for_each_queue(
    make_client: MakeClient, dsn: str, heard: Heard, many: bool
) -> None:
    app, own = make_client(), await asyncpg.connect(dsn)
    async with own.transaction():
        if many:
            jobs = [Job(worker="a.b", queue=queue) for queue in ("mail", "other", "mail")]
            await app.enqueue_many(jobs, conn=own, notify="in_transaction")
        else:
            await app.enqueue(Job(worker="a.b", queue="mail"), conn=own, notify="in_transaction")
        await app.enqueue(Job(worker="a.b", queue="silent"), conn=own)
        assert heard == []
    await eventually(lambda: heard, "the notification")
    await app.enqueue(Job(worker="a.b", queue="last"))
    await eventually(lambda: "last" in heard, "a later notification")
    assert heard == (["mail", "other", "last"] if many else ["mail", "last"])
    await own.close()


async def test_a_rollback_notifies_nobody(make_client: MakeClient, dsn: str, heard: Heard) -> None:
    app, own = make_client(), await asyncpg.connect(dsn)
    transaction = own.transaction()
    await transaction.start()
    await app.enqueue(Job(worker="a.b", queue="mail"), conn=own, notify="in_transaction")
    await transaction.rollback()
    await app.enqueue(Job(worker="a.b", queue="last"))
    await eventually(lambda: heard, "a later notification")
    assert heard == ["last"]
    await own.close()


async def test_it_is_refused_without_a_connection_and_so_is_anything_else(
    make_client: MakeClient,
) -> None:
    app = make_client()
    with pytest.raises(ConfigError, match="without conn="):
        await app.enqueue(Job(worker="a.b"), notify="in_transaction")
    with pytest.raises(ConfigError, match="'now': give 'after_commit'"):
        await app.enqueue_many([Job(worker="a.b")], notify="now")  # type: ignore[call-overload]  # the point
