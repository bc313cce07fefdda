"""Uses of cron that type checkers accept: this file is checked, never run."""

from __future__ import annotations

from datetime import datetime
from typing import assert_type

from staffa import Cron, Job, Staffa, job, worker
from staffa.cron.edits import CronChanges
from staffa.cron.stored import StoredCron


@job(cron="0 3 * * *")
async def nightly() -> None: ...


@job(
    queue="reports",
    cron=[
        "@hourly",
        Cron("@daily", timezone="Europe/Berlin", dst="skip", args={"day": 1}, priority=1, name="d"),
    ],
)
def report(day: int = 0) -> None: ...


@worker(cron=Cron("@weekly", args={"id": 7}, tags=["a"], timeout=30))
class Badge:
    async def process(self, job: Job) -> None: ...


async def entries() -> None:
    app = Staffa(cron=[Cron("@daily", worker=nightly), Cron("@daily", worker="Other.Worker")])
    Staffa(cron={"nightly": {"expression": "@daily", "worker": "a.b"}}, timezone="Europe/Berlin")
    Staffa(cron=False)
    for entry in await app.list_crons():
        assert_type(entry.next_run, datetime | None)
        assert_type(await app.run_cron(entry.name), Job)
    made = await app.insert_cron(Cron("@daily", worker=nightly, guaranteed=True, paused=True))
    assert_type(made, StoredCron)
    changes: CronChanges = {"expression": "@hourly", "unique": {"period": 60}, "timeout": None}
    assert_type(await app.update_cron(made.name, **changes), StoredCron)
    assert_type(await app.update_cron(made.name, worker=Badge, args={"id": 7}), StoredCron)
    assert_type(await app.get_cron(made.name), StoredCron | None)
    app.sync.pause_cron(made.name)
    Staffa(cron_sync="automatic")
