"""Entries of cron whose jobs are unique."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from staffa import Cron, job
from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.rows import Rows


async def test_a_tick_makes_no_second_job_while_the_first_one_waits(
    make_client: MakeClient, rows: Rows
) -> None:
    @job(name="report", cron=Cron("* * * * *", name="minutely"), unique=True)
    async def report() -> None: ...

    app = make_client(queues={"other": 1})
    async with app:
        await eventually(app.list_crons, "the entry to be registered")
        first = await app.run_cron("minutely")
        second = await app.run_cron("minutely")
    assert second.conflict
    assert second.id == first.id
    engine = (await app._open()).engine
    tick = datetime.now(UTC) + timedelta(minutes=1)
    taken = await engine.enqueue_tick(app.config.name, "minutely", tick, report.new())
    assert taken is not None
    assert taken.id == first.id
    assert await rows.count() == {"available": 1}


async def test_a_unique_entry_with_encrypted_args_is_reported_and_the_others_go_on(
    make_client: MakeClient, events: Recorder
) -> None:
    @job(name="secret", cron=Cron("* * * * *", name="both"), unique=True, encrypted=True)
    async def secret() -> None: ...

    @job(name="open", cron=Cron("* * * * *", name="fine"))
    async def fine() -> None: ...

    keys = {"first": os.urandom(32)}
    async with make_client(queues={"other": 1}, encryption_keys=keys) as app:
        await eventually(app.list_crons, "the entry to be registered")
        assert [entry.name for entry in await app.list_crons()] == ["fine"]
    assert "unique" in str(events.of("staffa.error")[0].data["error"])
