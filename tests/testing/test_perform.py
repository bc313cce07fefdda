"""`perform_job`: one run without a database."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from staffa import (
    Cancel,
    Config,
    Deadline,
    Discard,
    EndReason,
    Job,
    Record,
    Recorded,
    Snooze,
    State,
    Worker,
    current_job,
    job,
    worker,
)
from staffa.args.encryption import KeyRing
from staffa.errors import ConfigError, InvalidArgs, InvalidJob, JobTimeout, UnknownWorker
from staffa.testing import perform_job
from tests.support.events import Recorder


async def test_it_tells_what_a_function_returned() -> None:
    @job(queue="mail")
    async def greet(name: str) -> str:
        return f"hello {name}"

    done = await perform_job(greet, {"name": "ada"})

    assert (done.state, done.result, done.error) == (State.COMPLETED, "hello ada", None)
    assert done.job.queue == "mail"
    assert done.job.completed_at is not None
    assert (await perform_job(greet, ["bob"])).result == "hello bob"
    assert (await perform_job(greet.new("eve"))).result == "hello eve"


async def test_plain_functions_run_in_a_thread_with_the_job_at_hand() -> None:
    @job
    def look() -> int:
        assert current_job().worker.endswith("look")
        return current_job().attempt

    assert (await perform_job(look, attempt=3)).result == 3


async def test_args_go_through_json_as_in_production() -> None:
    seen: list[Any] = []

    @worker()
    class Keeps(Worker):
        async def process(self, job: Job) -> None:
            seen.append(job.args)

    given = {"pair": (1, 2), "deep": {"list": [1]}}
    await perform_job(Keeps, given)

    assert seen == [{"pair": [1, 2], "deep": {"list": [1]}}]
    assert seen[0]["deep"] is not given["deep"]


async def test_args_that_are_no_json_are_refused_as_when_enqueueing() -> None:
    @worker()
    class Keeps(Worker):
        async def process(self, job: Job) -> None: ...

    with pytest.raises((InvalidArgs, InvalidJob)):
        await perform_job(Keeps, {"what": object()})


async def test_a_declared_model_reaches_the_worker() -> None:
    @dataclass
    class Order:
        number: int

    @worker(args=Order)
    class Ship(Worker[Order]):
        async def process(self, job: Job[Order]) -> int:
            return job.args.number

    assert (await perform_job(Ship, Order(7))).result == 7
    assert (await perform_job(Ship, {"number": 8})).result == 8


async def test_encrypted_args_are_sealed_and_opened() -> None:
    @job(encrypted=True)
    async def whisper(secret: str) -> str:
        return secret

    from_environment = Config(encryption_keys=KeyRing.of({"k1": b"k" * 32}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Config, "load", classmethod(lambda cls, **_: from_environment))
        done = await perform_job(whisper, {"secret": "s3cret"})

    assert done.result == "s3cret"
    assert "s3cret" not in done.job.args_json


async def test_an_error_is_a_failed_attempt_with_its_delay() -> None:
    @job(backoff=7)
    async def fail() -> None:
        raise LookupError("gone")

    done = await perform_job(fail)

    assert done.state is State.RETRYABLE
    assert isinstance(done.error, LookupError)
    assert done.delay == 7
    assert "LookupError: gone" in done.job.errors[0]["error"]


async def test_the_last_attempt_discards() -> None:
    @job(max_attempts=2)
    async def fail() -> None:
        raise LookupError("gone")

    done = await perform_job(fail, attempt=2)

    assert (done.state, done.reason) == (State.DISCARDED, EndReason.EXHAUSTED)
    assert done.delay is None
    with pytest.raises(InvalidJob, match=r"attempt 3 .* 1\.\.2"):
        await perform_job(fail, attempt=3)


async def test_policies_decide_how_an_error_ends() -> None:
    @job(cancel_on=LookupError, discard_on=ValueError)
    async def fail(what: str) -> None:
        raise {"lookup": LookupError, "value": ValueError}[what](what)

    cancelled = await perform_job(fail, {"what": "lookup"})
    discarded = await perform_job(fail, {"what": "value"})

    assert (cancelled.state, cancelled.reason) == (State.CANCELLED, EndReason.ERROR)
    assert (discarded.state, discarded.reason) == (State.DISCARDED, EndReason.ERROR)


@pytest.mark.parametrize(
    ("result", "state"),
    [
        (Cancel("x"), State.CANCELLED),
        (Discard("x"), State.DISCARDED),
        (Snooze(60), State.SCHEDULED),
    ],
)
async def test_results_that_end_otherwise(result: Any, state: State) -> None:
    @job
    async def end() -> Any:
        return result

    done = await perform_job(end)

    assert (done.state, done.result) == (state, result)
    if state is State.SCHEDULED:
        assert (done.delay, done.job.attempt, done.job.meta["snoozed"]) == (60, 0, 1)


async def test_recorded_values_are_in_the_meta_of_the_row() -> None:
    @job(recorded=Recorded(limit=1000))
    async def count() -> dict[str, int]:
        return {"pages": 12}

    @job
    async def count_too() -> Any:
        return Record(12)

    assert "return" in (await perform_job(count)).job.meta
    assert (await perform_job(count)).result == {"pages": 12}
    assert "return" in (await perform_job(count_too)).job.meta


async def test_a_timeout_holds() -> None:
    @job(timeout=0.01)
    async def wait() -> None:
        await asyncio.Event().wait()

    done = await perform_job(wait)

    assert isinstance(done.error, JobTimeout)
    assert done.state is State.RETRYABLE


async def test_a_deadline_that_is_counted_from_a_later_time_has_not_passed() -> None:
    @job
    async def run() -> str:
        return "ran"

    done = await perform_job(run, deadline=Deadline(1, force=True), scheduled_in=3600)

    assert done.result == "ran"


async def test_hooks_are_called_in_their_order(events: Recorder) -> None:
    called: list[str] = []

    @worker()
    class Watched(Worker):
        async def before_process(self, job: Job) -> None:
            called.append("before")

        async def process(self, job: Job) -> str:
            called.append("process")
            return "done"

        async def after_process(self, state: State, job: Job, result: Any) -> None:
            called.append(f"after {state} {result}")

    await perform_job(Watched)

    assert called == ["before", "process", "after completed done"]
    assert [event.name for event in events.events if event.name.startswith("staffa.job")] == [
        "staffa.job.start",
        "staffa.job.completed",
    ]


async def test_what_a_job_notes_is_in_its_meta() -> None:
    @job
    async def note() -> None:
        await current_job().progress(0.5, "half")
        await current_job().update_meta(page=3)

    @job
    def note_in_a_thread() -> None:
        current_job().update_meta(page=4)

    done = await perform_job(note)

    assert done.job.meta["progress"] == {"value": 0.5, "note": "half"}
    assert done.job.meta["page"] == 3
    assert (await perform_job(note_in_a_thread)).job.meta["page"] == 4


async def test_args_that_do_not_fit_discard_and_unknown_workers_are_put_back() -> None:
    @job
    async def add(number: int) -> None: ...

    undecodable = await perform_job(Job(worker=add.worker_name, args={"number": "many"}))
    unknown = await perform_job(Job(worker="nobody.knows"))

    assert (undecodable.state, undecodable.reason) == (State.DISCARDED, EndReason.UNDECODABLE)
    assert unknown.state is State.SCHEDULED
    assert isinstance(unknown.error, UnknownWorker)


async def test_sys_exit_fails_the_attempt_alone() -> None:
    @job
    async def leave() -> None:
        raise SystemExit(3)

    done = await perform_job(leave)

    assert (done.state, type(done.error)) == (State.RETRYABLE, SystemExit)


async def test_what_is_no_worker_is_refused() -> None:
    with pytest.raises(ConfigError, match="is no worker"):
        await perform_job(print)
    with pytest.raises(ConfigError, match="it has its own"):
        await perform_job(Job(worker="a.b"), {"x": 1})
