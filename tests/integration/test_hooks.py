"""Hooks around jobs that really run: which are called when, and what they can do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from staffa import Cancel, Discard, Job, Snooze, State, Worker, current_job, hooks, job, worker
from staffa.definitions import WorkerOptions
from staffa.queues import aftermath, supervisor
from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.rows import Rows

Told = tuple[Any, ...]


@pytest.fixture(autouse=True)
def no_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "_attached", ())


class Keeps:
    """Keeps what it is told, and where that was."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.told: list[Told] = []

    def before_process(self, job: Job) -> None:
        self.told.append((self.name, "before", threading.current_thread().name))

    def after_process(self, state: State, job: Job, result: object) -> None:
        self.told.append((self.name, state, job.id, result))

    def on_cancelled(self, reason: str, job: Job) -> None:
        self.told.append((self.name, "on_cancelled", job.id, reason))

    def on_discarded(self, reason: str, job: Job) -> None:
        self.told.append((self.name, "on_discarded", job.id, reason))


CALLED: list[str] = []


class Plain:
    """Tells which hook is called."""

    def __init__(self, name: str = "class") -> None:
        self.name = name

    def before_process(self, job: Job) -> Any:
        CALLED.append(f"{self.name} before")

    def after_process(self, state: State, job: Job, result: object) -> Any:
        CALLED.append(f"{self.name} after")


class Waits(Plain):
    """Does the same, but waits."""

    async def before_process(self, job: Job) -> None:
        await asyncio.sleep(0)
        super().before_process(job)

    async def after_process(self, state: State, job: Job, result: object) -> None:
        await asyncio.sleep(0)
        super().after_process(state, job, result)


@pytest.mark.parametrize("kind", [Plain, Waits])
async def test_hooks_come_in_their_order_around_a_run(
    kind: type[Plain], make_client: MakeClient, events: Recorder
) -> None:
    @worker(name="loop", hooks=[kind("option")])
    class OnTheLoop(Waits):
        async def process(self, job: Job) -> None:
            CALLED.append("run")

    @worker(name="thread", hooks=[kind("option")])
    class InAThread(Plain):
        def process(self, job: Job) -> None:
            CALLED.append("run")

    hooks.attach(kind("global"))
    async with make_client(queues={"default": 1}) as app:
        for name in ("loop", "thread"):
            CALLED.clear()
            await app.enqueue(Job(worker=name))
            await eventually(lambda: len(CALLED) == 7, "all hooks")
            assert CALLED == [
                "global before", "option before", "class before", "run",
                "global after", "option after", "class after",
            ]  # fmt: skip


async def test_a_plain_hook_before_a_run_is_called_where_the_job_runs(
    make_client: MakeClient, events: Recorder
) -> None:
    keeps = Keeps()

    @job(name="loop", hooks=[keeps])
    async def on_the_loop() -> None: ...

    @job(name="thread", hooks=[keeps])
    def in_a_thread() -> None: ...

    async with make_client(queues={"default": 1}) as app:
        for count, name in enumerate(("loop", "thread"), start=1):
            await app.enqueue(Job(worker=name))
            await events.wait("staffa.job.completed", count)
    found = [told[2] for told in keeps.told if told[1] == "before"]
    assert found == [threading.main_thread().name, "staffa-thread"]


@pytest.mark.parametrize("kind", ["loop", "thread"])
async def test_the_hook_of_a_class_shares_its_object_with_the_run(
    kind: str, make_client: MakeClient, events: Recorder
) -> None:
    same: list[bool] = []

    @worker(name="loop")
    class OnTheLoop:
        async def before_process(self, job: Job) -> None:
            self.seen = current_job() is job

        async def process(self, job: Job) -> None:
            same.append(self.seen)

    @worker(name="thread")
    class InAThread:
        def before_process(self, job: Job) -> None:
            self.seen = current_job() is job

        def process(self, job: Job) -> None:
            same.append(self.seen)

    async with make_client(queues={"default": 1}) as app:
        await app.enqueue(Job(worker=kind))
        await events.wait("staffa.job.completed")
    assert same == [True]


ENDINGS: dict[str, tuple[object, State, str | None]] = {
    "cancel": (Cancel("no such badge"), State.CANCELLED, "Cancel: no such badge"),
    "discard": (Discard("no such badge"), State.DISCARDED, "Discard: no such badge"),
    "snooze": (Snooze(timedelta(hours=1)), State.SCHEDULED, None),
}


@pytest.mark.parametrize("kind", ["hook", "class"])
@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_hook_before_a_run_can_end_it(
    kind: str, ending: str, make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    result, state, text = ENDINGS[ending]
    ran: list[str] = []
    keeps = Keeps()

    class Ends:
        def before_process(self, job: Job) -> object:
            return result

    @job(name="hook", hooks=[keeps, Ends()])
    def function() -> None:
        ran.append("run")

    @worker(name="class", hooks=[keeps])
    class Own:
        def before_process(self, job: Job) -> object:
            return result

        def process(self, job: Job) -> None:
            ran.append("run")

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(Job(worker=kind))
        await eventually(lambda: len(keeps.told) >= 2, "the hooks after it")
    assert ran == []
    row = await rows.get(stored.id)
    assert row["state"] == state
    assert [error["error"] for error in row["errors"]] == ([] if text is None else [text])
    assert keeps.told[1] == ("", state, stored.id, result)
    reasons = [told[3] for told in keeps.told[2:]]
    assert reasons == ([] if ending == "snooze" else ["result"])


@pytest.mark.parametrize("kind", ["loop", "thread", "class"])
@pytest.mark.parametrize("error", [ValueError("not today"), SystemExit(3), 7, False], ids=repr)
async def test_a_hook_before_a_run_that_raises_or_returns_something_odd_fails_the_attempt(
    kind: str, error: object, make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    ran: list[str] = []

    class Fails:
        def before_process(self, job: Job) -> object:
            if isinstance(error, BaseException):
                raise error
            return error

    @job(name="loop", hooks=[Fails()])
    async def on_the_loop() -> None:
        ran.append("run")

    @job(name="thread", hooks=[Fails()])
    def in_a_thread() -> None:
        ran.append("run")

    @worker(name="class")
    class Own(Fails):
        def process(self, job: Job) -> None:
            ran.append("run")

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(Job(worker=kind))
        await events.wait("staffa.job.retryable")
    assert ran == []
    (text,) = await rows.errors(stored.id)
    expected = repr(error) if isinstance(error, BaseException) else f"returned {error}"
    assert expected.partition("(")[0] in text


async def test_a_hook_before_a_run_is_within_its_timeout(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    stopped: list[bool] = []

    class Slow:
        def before_process(self, job: Job) -> None:
            while not job.cancelled():
                threading.Event().wait(0.005)
            stopped.append(True)
            job.raise_if_cancelled()

    @job(hooks=[Slow()], timeout=0.1)
    def work() -> None: ...

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(work.new())
        await events.wait("staffa.job.retryable")
    assert stopped == [True]
    assert "JobTimeout" in (await rows.errors(stored.id))[0]


class Failure(Exception): ...


def outcomes() -> Iterable[tuple[str, object, State, str | None, dict[str, Any]]]:
    """Each way to end: its name, what the job returns or raises, the state, the reason, options."""
    yield "value", 42, State.COMPLETED, None, {}
    yield "retryable", Failure("once"), State.RETRYABLE, None, {}
    yield "exhausted", Failure("last"), State.DISCARDED, "exhausted", {"max_attempts": 1}
    yield "snoozed", Snooze(3600), State.SCHEDULED, None, {}
    yield "cancel", Cancel("no"), State.CANCELLED, "result", {}
    yield "discard", Discard("no"), State.DISCARDED, "result", {}
    yield "discard_on", Failure("bad"), State.DISCARDED, "error", {"discard_on": Failure}
    yield "cancel_on", Failure("bad"), State.CANCELLED, "error", {"cancel_on": Failure}
    yield "system exit", SystemExit(1), State.RETRYABLE, None, {}


@pytest.mark.parametrize(
    ("result", "state", "reason", "options"),
    [pytest.param(*found[1:], id=found[0]) for found in outcomes()],
)
@pytest.mark.parametrize("in_thread", [False, True])
async def test_the_hooks_after_a_run_are_told_its_state_its_result_and_why_it_ended(
    in_thread: bool,
    result: object,
    state: State,
    reason: str | None,
    options: WorkerOptions,
    make_client: MakeClient,
    events: Recorder,
) -> None:
    keeps = Keeps()

    def work() -> object:
        if isinstance(result, BaseException):
            raise result
        return result

    async def work_later() -> object:
        return work()

    chosen: WorkerOptions = {**options, "hooks": [keeps]}
    made = job(**chosen)(work if in_thread else work_later)
    expected = 2 if reason is None else 3
    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(made.new())
        await eventually(lambda: len(keeps.told) == expected, "the hooks")
    assert keeps.told[1] == ("", state, stored.id, result)
    if reason is not None:
        assert keeps.told[2] == ("", f"on_{state}", stored.id, reason)


@pytest.mark.parametrize("args", ['{"wrong": 1}', '"text"', "[1]"])
async def test_a_row_that_can_not_be_decoded_is_told_as_discarded(
    args: str, make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    keeps = Keeps()

    @job(name="work", hooks=[keeps])
    def work(needed: int) -> None: ...

    async with make_client(queues={"default": 1}):
        number = await rows.insert(worker="work", args=args)
        await eventually(lambda: len(keeps.told) == 2, "the hooks")
    assert [told[:3] for told in keeps.told] == [
        ("", State.DISCARDED, number),
        ("", "on_discarded", number),
    ]
    assert keeps.told[1][3] == "undecodable"
    assert isinstance(keeps.told[0][3], ValueError)


async def test_a_foreign_row_without_attempts_left_is_told_as_exhausted(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    keeps = Keeps()

    @job(name="work", hooks=[keeps])
    def work() -> None: ...

    number = await rows.insert(worker="work", attempt=3, max_attempts=3)
    async with make_client(queues={"default": 1}):
        await eventually(lambda: keeps.told, "the hook")
    assert keeps.told == [("", "on_discarded", number, "exhausted")]
    (event,) = events.of("staffa.job.discarded")
    assert event.data["job"].id == number


async def test_a_hook_that_raises_changes_nothing(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    class Breaks:
        def after_process(self, state: State, job: Job, result: object) -> None:
            raise SystemExit("nonsense")

        async def on_discarded(self, reason: str, job: Job) -> None:
            raise RuntimeError("nonsense")

    keeps = Keeps()

    @job(hooks=[Breaks(), keeps], max_attempts=1)
    async def fail() -> None:
        raise ValueError("no")

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(fail.new())
        await eventually(lambda: len(keeps.told) == 3, "the hooks beside it")
        row = await rows.get(stored.id)
        assert (row["state"], row["attempt"], len(row["errors"])) == ("discarded", 1, 1)
        reports = [event.data["what"] for event in events.of("staffa.error")]
        assert [what.rpartition(".")[2] for what in reports] == [
            "after_process raised",
            "on_discarded raised",
        ]
        again = await app.enqueue(fail.new())
        await rows.until(again.id, "discarded")


async def test_hooks_that_never_end_hold_up_neither_jobs_nor_the_end_of_the_process(
    make_client: MakeClient, rows: Rows, events: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    class Hangs:
        async def after_process(self, state: State, job: Job, result: object) -> None:
            await asyncio.Event().wait()

    class HangsInAThread:
        def after_process(self, state: State, job: Job, result: object) -> None:
            released.wait()

    @job(name="waits", hooks=[Hangs()])
    async def waits() -> None: ...

    @job(name="thread", hooks=[HangsInAThread()])
    async def thread() -> None: ...

    monkeypatch.setattr(supervisor, "_FLUSH_SECONDS", 0.2)
    app = make_client(queues={"default": 2})
    await app.start()
    await app.enqueue_many(Job(worker=name) for name in ("waits", "thread") * 100)
    await rows.until_count(completed=200)
    async with asyncio.timeout(60):
        await app.stop()
    released.set()
    assert any("had not ended in time" in event.data["what"] for event in events.of("staffa.error"))
    assert await rows.producer_count() == 0


async def test_a_process_that_stops_waits_for_hooks_that_end(
    make_client: MakeClient, events: Recorder
) -> None:
    told: list[int] = []
    begun = asyncio.Event()

    class Slow:
        async def after_process(self, state: State, job: Job, result: object) -> None:
            begun.set()
            await asyncio.sleep(0.05)
            told.append(1)

    @job(hooks=[Slow()])
    async def work() -> None: ...

    async with make_client(queues={"default": 1}) as app:
        await app.enqueue_many(work.new() for _ in range(20))
        await begun.wait()
        await events.wait("staffa.job.completed", 20)
    assert len(told) == 20


async def test_a_hook_is_given_up_after_its_longest_time(
    make_client: MakeClient, events: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aftermath, "LONGEST_SECONDS", 0.05)
    keeps = Keeps()

    class Hangs:
        async def after_process(self, state: State, job: Job, result: object) -> None:
            await asyncio.Event().wait()

    @job(hooks=[Hangs(), keeps])
    async def work() -> None: ...

    async with make_client(queues={"default": 1}) as app:
        await app.enqueue(work.new())
        await eventually(lambda: len(keeps.told) == 2, "the hook after it")
    assert "took longer than 0.05 s" in events.of("staffa.error")[0].data["what"]


async def test_before_new_has_its_way_with_what_is_enqueued(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    class Stamps:
        def before_new(self, args: dict[str, Any], options: dict[str, Any]) -> Any:
            return {**args, "version": 2}, {**options, "priority": 3}

    seen: list[int] = []

    @worker(name="stamped", hooks=[Stamps()])
    class Stamped(Worker):
        async def process(self, job: Job) -> None:
            seen.append(job.args["version"])

    async with make_client(queues={"default": 1}):
        stored = await Stamped.enqueue({"id": 1})
        await events.wait("staffa.job.completed")
    row = await rows.get(stored.id)
    assert (row["args"], row["priority"], seen) == ({"id": 1, "version": 2}, 3, [2])


async def test_a_hook_enqueues_through_the_client(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    class Follows:
        async def after_process(self, state: State, job: Job, result: object) -> None:
            await second.enqueue()

    @job(name="second")
    async def second() -> None: ...

    @job(name="first", hooks=[Follows()])
    async def first() -> None: ...

    async with make_client(queues={"default": 1}) as app:
        await app.enqueue(first.new())
        await events.wait("staffa.job.completed", 2)
    assert await rows.count() == {"completed": 2}
