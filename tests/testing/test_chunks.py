"""Chunks in tests of users: `run_chunk`, `drain_queue` and inline clients."""

from __future__ import annotations

import asyncio
import base64
import threading
from dataclasses import dataclass
from typing import Any

import pytest

from staffa import (
    Cancel,
    Chunk,
    Discard,
    Job,
    Snooze,
    Staffa,
    State,
    Worker,
    await_signal,
    current_job,
    job,
    worker,
)  # fmt: skip
from staffa.errors import ConfigError, DeadlinePassed, InvalidJob, JobTimeout
from staffa.queues import chunks as module
from staffa.testing import Performed, drain_queue, mode, run_chunk, sync
from tests.conftest import MakeClient
from tests.support.events import Recorder

seen: list[Any] = []
KEY = base64.b64encode(bytes(32)).decode()


@pytest.fixture(autouse=True)
def forget() -> None:
    seen.clear()


def states(done: list[Performed]) -> list[State]:
    return [one.state for one in done]


async def test_all_jobs_of_a_chunk_are_completed_by_one_call() -> None:
    @job(chunk=Chunk())
    async def load(jobs: list[Job]) -> str:
        seen.append([(one.args["n"], one.id, current_job() is jobs[0]) for one in jobs])
        return "loaded"

    done = await run_chunk(load, [{"n": 1}, load.new(n=2)])
    assert [[n for n, _, _ in call] for call in seen] == [[1, 2]]
    assert [first for _, _, first in seen[0]] == [True, True]
    assert states(done) == [State.COMPLETED] * 2
    assert [one.job.args for one in done] == [{"n": 1}, {"n": 2}]
    assert await run_chunk(load, []) == []


async def test_a_chunk_can_not_await_a_signal() -> None:
    @job(chunk=Chunk())
    async def ask(jobs: list[Job]) -> None:
        await await_signal(wait_for=60)

    for done in await run_chunk(ask, [{"n": 1}, {"n": 2}]):
        assert done.state is State.RETRYABLE
        assert isinstance(done.error, InvalidJob)
        assert "signal 'signal' is awaited in a chunk" in str(done.error)


async def test_a_plain_function_runs_in_a_thread() -> None:
    @job(chunk=Chunk())
    def load(jobs: list[Job]) -> None:
        seen.append((len(jobs), threading.current_thread() is threading.main_thread()))

    assert states(await run_chunk(load, [{}, {}, {}])) == [State.COMPLETED] * 3
    assert seen == [(3, False)]


async def test_a_mapping_ends_some_otherwise_and_completes_the_rest() -> None:
    @job(chunk=Chunk(), cancel_on=KeyError, backoff=5)
    async def load(jobs: list[Job]) -> dict[Any, Any]:
        one, two, three, four, five, _ = jobs
        return {
            one: Cancel("no"), two.id: Discard("bad"), three: Snooze(60), four: ValueError("it"),
            five: KeyError("gone"),
        }  # fmt: skip

    done = await run_chunk(load, [{}] * 6)
    assert states(done) == [
        State.CANCELLED, State.DISCARDED, State.SCHEDULED, State.RETRYABLE, State.CANCELLED,
        State.COMPLETED,
    ]  # fmt: skip
    assert [one.delay for one in done] == [None, None, 60.0, 5.0, None, None]
    assert "ValueError: it" in done[3].job.errors[0]["error"]


async def test_a_result_for_all_and_an_error_for_all() -> None:
    @job(chunk=Chunk())
    async def cancel(jobs: list[Job]) -> Cancel:
        return Cancel("closed")

    @job(chunk=Chunk(), max_attempts=2)
    async def fail(jobs: list[Job]) -> None:
        raise ValueError("it")

    assert states(await run_chunk(cancel, [{}, {}])) == [State.CANCELLED] * 2
    assert states(await run_chunk(fail, [{}, {}])) == [State.RETRYABLE] * 2
    others = await run_chunk(fail, [fail.options(max_attempts=5).new(), {}], attempt=2)
    assert states(others) == [State.RETRYABLE, State.DISCARDED]


async def test_a_key_of_the_result_that_is_no_job_fails_all() -> None:
    @job(chunk=Chunk())
    async def load(jobs: list[Job]) -> dict[str, int]:
        return {"loaded": len(jobs)}

    done = await run_chunk(load, [{}, {}])
    assert states(done) == [State.RETRYABLE] * 2
    assert "'loaded' is a key of the result" in str(done[0].error)


async def test_the_time_out_fails_all() -> None:
    @job(chunk=Chunk(), timeout=0.01)
    async def load(jobs: list[Job]) -> None:
        await asyncio.Event().wait()

    done = await run_chunk(load, [{}, {}])
    assert [type(one.error) for one in done] == [JobTimeout] * 2


async def test_hooks_and_events_are_for_each_job(events: Recorder) -> None:
    class Watch:
        async def before_process(self, one: Job) -> Cancel | None:
            if one.args["n"] == 3:
                raise ValueError("a hook")
            return Cancel("by a hook") if one.args["n"] == 2 else None

        def after_process(self, state: State, one: Job, result: object) -> None:
            seen.append((one.args["n"], state))

        def on_cancelled(self, reason: str, one: Job) -> None:
            seen.append((one.args["n"], "on_cancelled"))

    @job(chunk=Chunk(), hooks=[Watch()])
    async def load(jobs: list[Job]) -> None:
        seen.append([one.args["n"] for one in jobs])

    done = await run_chunk(load, [{"n": n} for n in (1, 2, 3, 4)])
    assert states(done) == ["completed", "cancelled", "retryable", "completed"]
    assert seen[0] == [1, 4]
    assert seen[1:] == [
        (1, State.COMPLETED), (2, State.CANCELLED), (2, "on_cancelled"), (3, State.RETRYABLE),
        (4, State.COMPLETED),
    ]  # fmt: skip
    assert len(events.of("staffa.job.start")) == 4
    assert len(events.of("staffa.job.completed")) == 2


@pytest.mark.parametrize("waits", [True, False])
async def test_the_object_of_a_class_sees_each_job_before_and_then_those_that_are_left(
    waits: bool,
) -> None:
    class Plain:
        def before_process(self, one: Job) -> Any:
            seen.append((id(self), one.args["n"]))
            return Snooze(5) if one.args["n"] == 1 else None

        def process(self, jobs: list[Job]) -> None:
            seen.append((id(self), [one.args["n"] for one in jobs]))

    class Waiting:
        async def before_process(self, one: Job) -> Any:
            return Plain.before_process(self, one)  # type: ignore[arg-type]

        async def process(self, jobs: list[Job]) -> None:
            Plain.process(self, jobs)  # type: ignore[arg-type]

    load = worker(chunk=Chunk())(Waiting if waits else Plain)
    assert states(await run_chunk(load, [{"n": 1}, {"n": 2}])) == ["scheduled", "completed"]
    assert [what for _, what in seen] == [1, 2, [2]]
    assert len({made for made, _ in seen}) == 1


@dataclass
class Event:
    number: int


async def test_a_job_that_can_not_be_decoded_is_discarded_alone() -> None:
    @worker(args=Event, chunk=Chunk(), name="tests.load_events")
    class Load(Worker[Event]):
        async def process(self, jobs: list[Job[Event]]) -> None:
            seen.append([one.args for one in jobs])

    wrong = Job(worker="tests.load_events", args={"number": "many"})
    done = await run_chunk(Load, [Event(1), wrong, {"number": 3}])
    assert states(done) == [State.COMPLETED, State.DISCARDED, State.COMPLETED]
    assert seen == [[Event(1), Event(3)]]


async def test_encrypted_args_are_read() -> None:
    @job(chunk=Chunk(), encrypted=True)
    async def load(jobs: list[Job]) -> None:
        seen.append([one.args for one in jobs])

    app = Staffa("postgresql://nowhere", name="sealed", encryption_keys={"k1": KEY})
    assert states(await run_chunk(load, [{"n": 1}, {"n": 2}], app=app)) == ["completed"] * 2
    assert seen == [[{"n": 1}, {"n": 2}]]
    await app.stop()


async def test_each_job_tells_its_own_progress() -> None:
    @job(chunk=Chunk())
    async def load(jobs: list[Job]) -> None:
        for place, one in enumerate(jobs):
            await one.progress(place / 2)
            await one.update_meta(place=place)

    done = await run_chunk(load, [{}, {}])
    assert [one.job.meta["progress"]["value"] for one in done] == [0.0, 0.5]
    assert [one.job.meta["place"] for one in done] == [0, 1]


async def test_a_deadline_that_has_passed_ends_that_job_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @job(chunk=Chunk())
    async def load(jobs: list[Job]) -> None:
        seen.append([one.args["n"] for one in jobs])

    def late(one: Job) -> float | None:
        if one.args["n"] == 1:
            raise DeadlinePassed("it was yesterday")
        return None

    monkeypatch.setattr(module, "seconds_left", late)
    assert states(await run_chunk(load, [{"n": 1}, {"n": 2}])) == ["cancelled", "completed"]
    assert seen == [[2]]


async def test_what_is_no_worker_with_chunk_is_refused() -> None:
    @job
    def plain() -> None: ...

    @job(chunk=Chunk())
    def load(jobs: list[Job]) -> None: ...

    with pytest.raises(ConfigError, match="use perform_job"):
        await run_chunk(plain, [{}])
    with pytest.raises(ConfigError, match="is no job of"):
        await run_chunk(load, [plain.new()])


def test_a_synchronous_test_has_its_own_thread_run_plain_functions() -> None:
    @job(chunk=Chunk())
    def load(jobs: list[Job]) -> None:
        seen.append((len(jobs), threading.current_thread() is threading.main_thread()))

    assert states(sync.run_chunk(load, [{}, {}])) == [State.COMPLETED] * 2
    assert seen == [(2, True)]


async def test_an_inline_client_runs_together_what_is_enqueued_together(
    make_client: MakeClient,
) -> None:
    @job(chunk=Chunk(size=2, by="args.a"))
    async def load(jobs: list[Job]) -> None:
        seen.append([one.args["n"] for one in jobs])

    app = make_client()
    made = [load.new(a=1, n=1), load.new(a=2, n=2), load.new(a=1, n=3), load.new(a=1, n=4)]
    with mode("inline"):
        ended = await app.enqueue_many(made)
    assert seen == [[1, 3], [2], [4]]
    assert [one.args["n"] for one in ended] == [1, 2, 3, 4]
    assert {one.state for one in ended} == {State.COMPLETED}
    with mode("inline"):
        assert (await app.enqueue(load.new(a=1, n=5))).state is State.COMPLETED


@pytest.mark.parametrize("recursive", [True, False])
async def test_a_drain_runs_chunks_of_what_is_there(
    make_client: MakeClient, recursive: bool
) -> None:
    @job(chunk=Chunk(size=3, timeout=3600))
    async def load(jobs: list[Job]) -> None:
        seen.append([one.args["n"] for one in jobs])

    @job
    async def plain(n: int) -> None:
        seen.append(n)

    app = make_client()
    await app.enqueue_many([load.new(n=1), plain.new(2), load.new(n=3)])
    await app.enqueue_many([load.options(scheduled_in=60).new(n=n) for n in (4, 5)])
    counts = await drain_queue(app=app, with_recursion=recursive)
    assert counts["completed"] == 5
    assert sorted(seen, key=str) == [2, [1, 3, 4], [5]]


async def test_a_drain_with_a_limit_leaves_the_rest_of_a_chunk(make_client: MakeClient) -> None:
    @job(chunk=Chunk(size=3, timeout=3600))
    async def load(jobs: list[Job]) -> None:
        seen.append(len(jobs))

    app = make_client()
    await app.enqueue_many([load.new() for _ in range(5)])
    assert (await drain_queue(app=app, limit=4))["completed"] == 4
    assert seen == [3, 1]
    assert await app.count_jobs() == {("default", "available"): 1, ("default", "completed"): 4}


async def test_a_drain_raises_what_made_one_job_of_a_chunk_fail(make_client: MakeClient) -> None:
    @job(chunk=Chunk())
    async def load(jobs: list[Job]) -> dict[Job, Exception]:
        return {jobs[0]: ValueError("it")}

    app = make_client()
    stored = await app.enqueue_many([load.new(), load.new()])
    with pytest.raises(ValueError, match="it"):
        await drain_queue(app=app)
    rows = [await app.get_job(one) for one in stored]
    assert [row.state for row in rows if row] == ["retryable", "completed"]
