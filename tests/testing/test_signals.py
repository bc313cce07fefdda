"""Jobs that await signals, in tests of users: given to a single run, or sent between drains."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from staffa import Staffa, State, await_signal, await_signal_sync, job
from staffa.errors import ConfigError, SignalTimeout
from staffa.testing import drain_queue, perform_job


@job
async def ask() -> list[Any]:
    return [await await_signal(name="first"), await await_signal(name="second", wait_for=60)]


async def test_a_run_gets_the_signals_that_it_is_given_and_is_parked_for_others() -> None:
    done = await perform_job(ask, signals={"first": 1, "second": {"n": 2}})
    assert (done.state, done.result) == (State.COMPLETED, [1, {"n": 2}])
    parked = await perform_job(ask, signals={"first": 1})
    assert (parked.state, parked.delay) == (State.SCHEDULED, 60.0)
    assert parked.job.meta["staffa_parked"] == ["second"]
    with pytest.raises(ConfigError, match="signal name"):
        await perform_job(ask, signals={"": 1})


async def test_plain_functions_get_them_too() -> None:
    @job
    def blocking() -> Any:
        return await_signal_sync()

    assert (await perform_job(blocking, signals={"signal": "s"})).result == "s"
    assert (await perform_job(blocking)).state is State.SCHEDULED


async def test_a_wait_whose_time_is_up_times_out() -> None:
    long_ago = datetime(2020, 1, 1, tzinfo=UTC).isoformat()
    meta = {"staffa_awaits": {"first": {"since": long_ago, "until": long_ago}}}
    late = await perform_job(ask.options(meta=meta).new())
    assert isinstance(late.error, SignalTimeout)
    assert late.job.meta["staffa_awaits"]["first"]["timed_out"] is True
    assert isinstance((await perform_job(ask, meta=late.job.meta)).error, SignalTimeout)


async def test_a_drain_parks_a_job_and_the_next_one_goes_on_after_its_signal(app: Staffa) -> None:
    stored = await ask.enqueue()
    assert (await drain_queue())["scheduled"] == 1
    assert (await drain_queue())["scheduled"] == 0
    await app.signal(stored, 1, name="first")
    assert (await drain_queue())["scheduled"] == 1
    await app.signal(stored, 2, name="second")
    assert (await drain_queue())["completed"] == 1
