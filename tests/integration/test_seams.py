"""Where features meet: encrypted, unique and changed jobs, and clients that stop meanwhile."""

from __future__ import annotations

import asyncio
import os

import pytest

from staffa import Job, MaxDepth, Unique, job
from staffa.errors import ConfigError, InstanceError
from staffa.unique import Replace
from tests.conftest import MakeClient
from tests.support.events import eventually
from tests.support.rows import Rows


async def test_new_meta_leaves_what_staffa_keeps_there(make_client: MakeClient, rows: Rows) -> None:
    seen: list[str] = []

    @job(name="pay", encrypted=True, recorded=True)
    async def pay(account: str) -> None:
        seen.append(account)

    app = make_client(encryption_keys={"first": os.urandom(32)}, queues={"default": 1})
    stored = await app.enqueue(pay.options(timeout=60).new("a"))
    await app.update_job(stored, meta={"seen": True})
    row = await rows.get(stored.id)
    assert row["meta"] == {
        "seen": True, "encrypted": True, "recorded": True, "staffa_timeout": 60.0,
    }  # fmt: skip
    async with app:
        await rows.until(stored.id, "completed")
    assert seen == ["a"]


@pytest.mark.parametrize("mark", ["true", "false"])
async def test_args_that_were_changed_after_they_had_been_encrypted_are_never_run(
    make_client: MakeClient, rows: Rows, mark: str
) -> None:
    seen: list[str] = []

    @job(name="pay", encrypted=True)
    async def pay(account: str = "", more: int = 0) -> None:
        seen.append(account)

    app = make_client(encryption_keys={"first": os.urandom(32)}, queues={"default": 1})
    stored = await app.enqueue(pay.new("a"))
    await rows.connection.execute(
        f"UPDATE {rows.jobs} SET args = args || '{{\"more\": 5}}', "
        f"meta = jsonb_build_object('encrypted', {mark})"
    )
    async with app:
        row = await rows.until(stored.id, "discarded")
    assert seen == []
    assert "changed after they had been encrypted" in row["errors"][0]["error"]


async def test_encrypted_args_are_not_put_into_another_workers_row(
    make_client: MakeClient,
) -> None:
    app = make_client(encryption_keys={"first": os.urandom(32)})
    both: list[Replace] = [{"available": ["args"]}, {"available": ["worker"]}]
    for replace in both:
        strange = Job(
            worker="a.b", encrypted=True, unique=Unique(fields=["queue"]), replace=replace
        )
        with pytest.raises(ConfigError, match="belong to one worker"):
            await app.enqueue(strange)


async def test_a_call_that_waits_while_its_client_stops_leaves_no_connection(
    make_client: MakeClient, rows: Rows
) -> None:
    app = make_client(max_depth={"mail": MaxDepth(1, on_full="delay")})
    await app.enqueue(Job(worker="a.b", queue="mail"))
    waiting = asyncio.ensure_future(app.enqueue(Job(worker="a.b", queue="mail")))
    await asyncio.sleep(0)
    await eventually(lambda: app._homes.here() is not None, "the call to be under way")
    await app.stop()
    with pytest.raises(InstanceError, match="stopped"):
        await waiting

    async def gone() -> bool:
        return await rows.connection_count() == 0

    await eventually(gone, "the end of all connections")


async def test_meta_that_is_no_object_counts_rescues_all_the_same(
    make_client: MakeClient, rows: Rows
) -> None:
    number = await rows.insert(worker="nobody.knows", meta="[1, 2]")
    async with make_client(queues={"default": 1}):
        row = await rows.until(number, "scheduled")
    assert row["meta"]["unknown_worker"]["count"] == 1
