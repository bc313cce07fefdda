"""`drain_queue`: runs what is enqueued, and stores what came of it."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import asyncpg
import pytest

from staffa import Cancel, Job, Record, Snooze, Staffa, State, Worker, current_job, job, worker
from staffa.engine import Engine
from staffa.errors import ConfigError, InvalidJob, JobError, UnknownWorker
from staffa.queues.inline import write_outcome
from staffa.testing import drain_queue, perform_job, refute_enqueued, reset
from tests.support.events import Recorder
from tests.support.process_work import count_words
from tests.unit.scripted import PRODUCER, ScriptedEngine, outcome

NOTHING = {"cancelled": 0, "completed": 0, "discarded": 0, "retryable": 0, "scheduled": 0}


async def state_of(app: Staffa, stored: Job) -> tuple[State, int]:
    row = await app.get_job(stored)
    assert row is not None
    return row.state, row.attempt


async def test_it_runs_the_jobs_of_a_queue_and_counts_how_they_ended(app: Staffa) -> None:
    @job(queue="mail")
    async def send(to: str) -> Any:
        return Cancel("closed") if to == "nobody" else None

    sent, refused = await send.enqueue("ada"), await send.enqueue("nobody")
    elsewhere = await send.options(queue="other").enqueue("eve")

    assert await drain_queue("mail") == NOTHING | {"completed": 1, "cancelled": 1}
    assert await state_of(app, sent) == (State.COMPLETED, 1)
    assert await state_of(app, refused) == (State.CANCELLED, 1)
    assert await state_of(app, elsewhere) == (State.AVAILABLE, 0)
    assert await drain_queue("mail") == NOTHING


async def test_the_most_urgent_job_runs_first(app: Staffa) -> None:
    ran: list[int] = []

    @job
    def run(number: int) -> None:
        ran.append(number)

    await app.enqueue_many(run.options(priority=number).new(number) for number in (3, 0, 2))
    await drain_queue()

    assert ran == [0, 2, 3]


async def test_jobs_for_later_run_at_once_and_keep_their_time(app: Staffa) -> None:
    @job
    async def run() -> None: ...

    later = await run.options(scheduled_in=3600).enqueue()

    assert await drain_queue(with_scheduled=False) == NOTHING
    assert await drain_queue() == NOTHING | {"completed": 1}
    row = await app.get_job(later)
    assert row is not None
    assert row.scheduled_at == later.scheduled_at


async def test_jobs_for_later_run_until_a_time(app: Staffa) -> None:
    @job
    async def run() -> None: ...

    for hours in (1, 3):
        await run.options(scheduled_in=timedelta(hours=hours)).enqueue()

    assert (await drain_queue(with_scheduled=timedelta(hours=2)))["completed"] == 1
    until = datetime.now(UTC) + timedelta(hours=4)
    assert (await drain_queue(with_scheduled=until))["completed"] == 1


async def test_other_queues_are_not_staged(app: Staffa) -> None:
    other = await app.enqueue(Job(worker="a.b", queue="other", scheduled_in=60))

    await drain_queue()

    assert await state_of(app, other) == (State.SCHEDULED, 0)


async def test_an_error_is_raised_after_its_outcome_was_stored(app: Staffa) -> None:
    @job
    async def fail() -> None:
        raise LookupError("gone")

    stored = await fail.enqueue()

    with pytest.raises(LookupError, match="gone"):
        await drain_queue()
    assert await state_of(app, stored) == (State.RETRYABLE, 1)


async def test_with_safety_errors_are_recorded_until_no_attempt_is_left(app: Staffa) -> None:
    @job(max_attempts=3)
    async def fail() -> None:
        raise LookupError("gone")

    stored = await fail.enqueue()

    counts = await drain_queue(with_safety=True)

    assert counts == NOTHING | {"retryable": 2, "discarded": 1}
    row = await app.get_job(stored)
    assert row is not None
    assert [error["attempt"] for error in row.errors] == [1, 2, 3]


async def test_errors_that_policies_expect_are_not_raised(app: Staffa) -> None:
    @job(discard_on=LookupError)
    async def fail() -> None:
        raise LookupError("gone")

    await fail.enqueue()

    assert (await drain_queue())["discarded"] == 1


async def test_what_would_end_the_test_run_is_raised_as_an_error_of_the_job(app: Staffa) -> None:
    @job
    async def leave() -> None:
        raise SystemExit(3)

    await leave.enqueue()

    with pytest.raises(JobError, match="SystemExit"):
        await drain_queue()


async def test_an_unknown_worker_is_an_error(app: Staffa) -> None:
    stored = await app.enqueue(Job(worker="nobody.knows"))

    with pytest.raises(UnknownWorker, match=r"nobody\.knows"):
        await drain_queue()
    assert await state_of(app, stored) == (State.SCHEDULED, 0)


async def test_jobs_that_jobs_enqueue_run_too(app: Staffa) -> None:
    @job
    async def count_down(number: int) -> None:
        if number:
            await count_down.enqueue(number - 1)

    await count_down.enqueue(3)

    assert (await drain_queue())["completed"] == 4


async def test_without_recursion_only_what_was_there_runs(app: Staffa) -> None:
    @job(priority=5)
    async def parent() -> None:
        await app.enqueue(child.new())

    @job(priority=0)
    async def child() -> None: ...

    await app.enqueue_many(parent.new(), parent.new())

    assert (await drain_queue(with_recursion=False))["completed"] == 2
    assert (await drain_queue(with_recursion=False))["completed"] == 2


async def test_jobs_that_were_claimed_and_did_not_run_are_put_back(app: Staffa) -> None:
    @job
    async def fail() -> None:
        raise LookupError("gone")

    await fail.enqueue()
    second = await fail.enqueue()

    with pytest.raises(LookupError):
        await drain_queue(with_recursion=False)
    assert await state_of(app, second) == (State.AVAILABLE, 0)


async def test_a_limit_ends_what_would_go_on_for_ever(app: Staffa) -> None:
    @job
    async def again() -> Snooze:
        return Snooze(60)

    stored = await again.enqueue()

    assert await drain_queue(limit=5) == NOTHING | {"scheduled": 5}
    row = await app.get_job(stored)
    assert row is not None
    assert row.meta["snoozed"] == 5
    with pytest.raises(InvalidJob, match="limit -1"):
        await drain_queue(limit=-1)
    with pytest.raises(ConfigError, match="with_scheduled is 'soon'"):
        await drain_queue(with_scheduled="soon")  # type: ignore[arg-type]  # that is the point


async def test_what_a_job_notes_and_records_is_stored(app: Staffa) -> None:
    @job(encrypted=True)
    async def note(secret: int) -> Record:
        await current_job().update_meta(page=3)
        await current_job().progress(1)
        return Record({"secret": secret})

    stored = await note.enqueue(12)
    await drain_queue()

    row = await app.get_job(stored)
    assert row is not None
    assert row.meta["page"] == 3
    assert row.meta["progress"] == {"value": 1}
    assert await app.fetch_result(stored) == {"secret": 12}


async def test_hooks_are_called_after_the_outcome_is_stored(app: Staffa) -> None:
    seen: list[tuple[State, State]] = []

    @worker()
    class Watched(Worker):
        async def process(self, job: Job) -> None: ...

        async def after_process(self, state: State, job: Job, result: Any) -> None:
            seen.append((state, (await state_of(app, job))[0]))

    await app.enqueue(Watched.new())
    await drain_queue()

    assert seen == [(State.COMPLETED, State.COMPLETED)]


async def test_events_belong_to_the_client(app: Staffa, events: Recorder) -> None:
    @job
    async def run() -> None: ...

    await run.enqueue()
    await drain_queue()

    names = ["staffa.job.start", "staffa.job.completed"]
    found = [event for event in events.events if event.name in names]
    assert [(event.name, event.instance) for event in found] == [
        (name, app.config.name) for name in names
    ]


async def test_jobs_that_compute_run_in_processes_of_their_own(app: Staffa) -> None:
    stored = await count_words.enqueue(["to be", "or not"])

    assert (await drain_queue())["completed"] == 1
    result = await app.fetch_result(stored)
    assert result["pid"] != os.getpid()
    row = await app.get_job(stored)
    assert row is not None
    assert row.meta["progress"]["note"] == "counted"
    assert (await perform_job(count_words, [["a"]])).result["pid"] != os.getpid()


async def test_a_job_that_is_cancelled_while_it_runs_stays_cancelled(app: Staffa) -> None:
    @job
    async def give_up() -> None:
        await app.cancel_job(current_job())

    stored = await give_up.enqueue()

    assert await drain_queue() == NOTHING | {"cancelled": 1}
    assert await state_of(app, stored) == (State.CANCELLED, 1)


async def test_a_job_that_is_gone_after_its_run_does_no_harm(
    server_app: Staffa, connection: asyncpg.Connection
) -> None:
    @job
    async def clear() -> None:
        await reset(server_app)

    await clear.enqueue()

    assert sum((await drain_queue()).values()) == 1
    await refute_enqueued()


async def test_an_outcome_that_is_refused_becomes_a_failed_attempt() -> None:
    engine = ScriptedEngine()
    engine.refuses = lambda ack: ack.state is State.COMPLETED
    engine.waits = True

    written, state, ours = await write_outcome(outcome(1), cast("Engine", engine), PRODUCER)

    assert (state, ours) == (State.RETRYABLE, True)
    assert written.ack.error == "the outcome could not be stored: SQLSTATE 22P05"


async def test_it_works_within_the_tests_own_transaction(
    server_app: Staffa, connection: asyncpg.Connection
) -> None:
    @job(max_attempts=2)
    async def run(fails: bool) -> None:
        if fails:
            raise LookupError("gone")

    transaction = connection.transaction()
    await transaction.start()
    await run.options(conn=connection, scheduled_in=60).enqueue(fails=False)
    await run.options(conn=connection).enqueue(fails=True)

    assert await drain_queue() == NOTHING
    counts = await drain_queue(conn=connection, with_safety=True)
    assert counts == NOTHING | {"completed": 1, "retryable": 1, "discarded": 1}

    await transaction.rollback()
    assert await server_app.count_jobs() == {}


async def test_a_reset_leaves_nothing(app: Staffa) -> None:
    await app.enqueue(Job(worker="a.b", unique=True))
    await app.pause_queue("default")

    await reset()

    assert await app.count_jobs() == {}
    assert (await app.enqueue(Job(worker="a.b", unique=True))).conflict is False


async def test_a_job_that_completes_itself_in_a_transaction_of_its_own_is_completed_once(
    server_app: Staffa, dsn: str
) -> None:
    seen: list[tuple[State, Any]] = []

    @worker()
    class Completes(Worker):
        async def process(self, job: Job) -> None:
            connection = await asyncpg.connect(dsn)
            try:
                async with connection.transaction():
                    await job.complete_in(connection)
                    if job.args["undo"]:
                        raise LookupError("undone")
                raise LookupError("too late")
            finally:
                await connection.close()

        async def after_process(self, state: State, job: Job, result: Any) -> None:
            seen.append((state, result))

    kept = await Completes.enqueue({"undo": False})
    assert await drain_queue() == NOTHING | {"completed": 1}
    assert seen == [(State.COMPLETED, None)]
    assert await state_of(server_app, kept) == (State.COMPLETED, 1)

    undone = await Completes.enqueue({"undo": True})
    with pytest.raises(LookupError, match="undone"):
        await drain_queue()
    assert await state_of(server_app, undone) == (State.RETRYABLE, 1)


async def test_a_job_without_a_row_cannot_complete_itself(dsn: str) -> None:
    @job
    async def complete() -> None:
        await current_job().complete_in(None)

    done = await perform_job(complete)

    assert isinstance(done.error, InvalidJob)
    assert "let drain_queue run it" in str(done.error)
