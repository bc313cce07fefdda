"""Changing jobs the way that programs for the package `oban` do it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from staffa import Job, JobFilter, Staffa, State
from staffa._internal.clock import SYSTEM_CLOCK
from staffa.cron.entries import parse_crons
from staffa.errors import ConfigError, InvalidJob
from tests.conftest import MakeClient


@pytest.fixture
async def app(make_client: MakeClient) -> Staffa:
    return make_client()


async def test_a_delay_is_counted_from_now(app: Staffa) -> None:
    job = await app.enqueue(Job(worker="a.b"))
    before = SYSTEM_CLOCK.now()

    later = await app.update_job(job, scheduled_in=timedelta(hours=1))

    assert later is not None
    assert later.state is State.SCHEDULED
    assert later.scheduled_at is not None
    assert before <= later.scheduled_at - timedelta(hours=1) <= SYSTEM_CLOCK.now()
    at_once = await app.update_job(job, {"scheduled_in": 0})
    assert at_once is not None
    assert at_once.state is State.AVAILABLE
    again = await app.update_job(job, lambda job: {"scheduled_in": 60})
    assert again is not None
    assert again.state is State.SCHEDULED


async def test_a_delay_and_a_time_are_refused_together(app: Staffa) -> None:
    job = await app.enqueue(Job(worker="a.b"))

    with pytest.raises(InvalidJob, match="both given"):
        await app.update_job(job, scheduled_in=5, scheduled_at=SYSTEM_CLOCK.now())
    with pytest.raises(InvalidJob, match="scheduled_in"):
        await app.update_job(job, scheduled_in=-5)


async def test_a_function_changes_several_jobs_one_by_one(app: Staffa) -> None:
    jobs = await app.enqueue_many(Job(worker="a.b", meta={"n": n}) for n in range(3))

    updated = await app.update_many_jobs(
        [*jobs[:2], 2**62], lambda job: {"meta": {**job.meta, "id": job.id}}
    )

    assert [job.meta for job in updated] == [{"n": n, "id": jobs[n].id} for n in range(2)]


async def test_a_function_goes_with_no_filter(app: Staffa) -> None:
    with pytest.raises(ConfigError, match="ids or jobs alone"):
        await app.update_many_jobs(JobFilter(queues=["a"]), lambda job: {})  # type: ignore[call-overload]  # that is the point
    with pytest.raises(ConfigError, match="ids or jobs alone"):
        await app.update_many_jobs([1], lambda job: {}, priority=1)


def test_a_table_of_cron_may_call_its_expression_expr() -> None:
    (entry,) = parse_crons({"expr": "0 9 * * *", "timezone": "Europe/Berlin"})

    assert repr(entry) == "<Cron '0 9 * * *' in Europe/Berlin>"
    (named,) = parse_crons({"expr": {"expression": "@daily", "worker": "a.b"}})
    assert named.name == "expr"
