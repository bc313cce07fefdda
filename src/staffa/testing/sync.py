"""The same helpers for synchronous tests: those of `staffa.testing`, without awaiting.

What waits is carried out on the loop's thread, as by `app.sync`; what belongs to the test's own
thread stays there: statements for its connection, and jobs that are plain functions. Within an
`atomic` block of Django, as in its `TestCase`, they join that without `conn=`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from functools import partial
from typing import Any, ParamSpec, TypeVar, Unpack

from staffa._internal.calls import Call
from staffa.client import Staffa
from staffa.client.inline import CallersThread
from staffa.client.sync_handles import SyncBatchHandle, SyncWorkflowHandle
from staffa.drivers.connections import run_on_sync
from staffa.flows import Addition, Batch, Workflow
from staffa.instance import refuse_loop
from staffa.jobs import Job
from staffa.options import JobOptions
from staffa.rehearsal import Execute
from staffa.testing import asserts, batches, crons, drain, perform, resets, workflows
from staffa.testing.targets import App, clock_of, find_app, transaction_of
from staffa.testing.wanted import Wanted
from staffa.types import Seconds, to_seconds

P = ParamSpec("P")
T = TypeVar("T")


def all_enqueued(
    *, app: App = None, oban: App = None, conn: Any = None, **wanted: Unpack[Wanted]
) -> list[Job]:
    """Return the jobs that have been enqueued and have not run; see `staffa.testing.all_enqueued`.

    Example:
        ```python
        (job,) = all_enqueued(worker=send_mail, conn=connection)
        ```
    """
    return _look("all_enqueued", asserts.Look.matching, app, oban, conn, wanted)


def assert_enqueued(
    *,
    timeout: Seconds = 0.0,
    app: App = None,
    oban: App = None,
    conn: Any = None,
    **wanted: Unpack[Wanted],
) -> Job:
    """Assert that a job has been enqueued, and return it; see `staffa.testing.assert_enqueued`.

    Example:
        ```python
        assert_enqueued(worker=send_mail, args={"to": "ada@example.com"}, conn=connection)
        ```
    """
    seconds = to_seconds(timeout, "timeout")
    look = partial(asserts.Look.assert_some, seconds=seconds)
    return _look("assert_enqueued", look, app, oban, conn, wanted)


def refute_enqueued(
    *,
    timeout: Seconds = 0.0,
    app: App = None,
    oban: App = None,
    conn: Any = None,
    **wanted: Unpack[Wanted],
) -> None:
    """Assert that no job has been enqueued; see `staffa.testing.refute_enqueued`.

    Example:
        ```python
        refute_enqueued(worker=send_mail, conn=connection)
        ```
    """
    seconds = to_seconds(timeout, "timeout")
    look = partial(asserts.Look.assert_none, seconds=seconds)
    _look("refute_enqueued", look, app, oban, conn, wanted)


def drain_queue(
    queue: str = "default",
    *,
    with_scheduled: drain.Scheduled = True,
    with_recursion: bool = True,
    with_safety: bool = False,
    limit: int | None = None,
    app: App = None,
    oban: App = None,
    conn: Any = None,
) -> dict[str, int]:
    """Run the jobs of a queue, and count what became of them; see `staffa.testing.drain_queue`.

    Jobs that are plain functions run on the caller's thread.

    Example:
        ```python
        assert drain_queue("mail", conn=connection)["completed"] == 2
        ```
    """
    _refuse_loop("drain_queue")
    found = find_app(app, oban)
    plan = drain.Plan.of(
        queue, with_scheduled, with_recursion, with_safety, limit, now=clock_of(found)
    )
    made: Call[dict[str, int]] = Call()
    threads = CallersThread(made)
    execute = _execute(made, found, conn)
    return made.run(lambda: drain.drain_app(found, plan, execute, threads))


def run_workflow(
    workflow: Workflow | Addition,
    *,
    with_scheduled: drain.Scheduled = True,
    with_safety: bool = False,
    limit: int | None = None,
    app: App = None,
    oban: App = None,
    conn: Any = None,
) -> SyncWorkflowHandle:
    """Enqueue a workflow and run its jobs; see `staffa.testing.run_workflow`.

    Jobs that are plain functions run on the caller's thread. With `conn`, the handle reads through
    that, on the thread that asks.

    Example:
        ```python
        assert run_workflow(order).results()["total"] == 27
        ```
    """
    _refuse_loop("run_workflow")
    found = find_app(app, oban)
    now = clock_of(found)
    plan = drain.Plan.of("default", with_scheduled, True, with_safety, limit, now=now)
    joined = _Joined(transaction_of(found, conn))
    handle = joined.call(
        lambda threads: workflows.run_on_app(found, workflow, plan, joined.execute, threads)
    )
    return SyncWorkflowHandle(handle, joined.run)


def run_batch(
    batch: Batch,
    *,
    with_scheduled: drain.Scheduled = True,
    with_safety: bool = False,
    limit: int | None = None,
    app: App = None,
    oban: App = None,
    conn: Any = None,
) -> SyncBatchHandle:
    """Enqueue a batch and run its jobs and callbacks; see `staffa.testing.run_batch`.

    Jobs that are plain functions run on the caller's thread. With `conn`, the handle reads through
    that, on the thread that asks.

    Example:
        ```python
        assert run_batch(Batch(mails)).status().state == "completed"
        ```
    """
    _refuse_loop("run_batch")
    found = find_app(app, oban)
    now = clock_of(found)
    plan = drain.Plan.of("default", with_scheduled, True, with_safety, limit, now=now)
    joined = _Joined(transaction_of(found, conn))
    handle = joined.call(
        lambda threads: batches.run_on_app(found, batch, plan, joined.execute, threads)
    )
    return SyncBatchHandle(handle, joined.run)


def perform_job(
    worker: Any,
    args: Any = None,
    /,
    *,
    attempt: int = 1,
    signals: Mapping[str, Any] | None = None,
    app: App = None,
    oban: App = None,
    **options: Unpack[JobOptions],
) -> perform.Performed:
    """Run a job once, without a database; see `staffa.testing.perform_job`.

    Plain functions run on the caller's thread.

    Example:
        ```python
        assert perform_job(send_mail, {"to": "ada@example.com"}).state == "completed"
        ```
    """
    _refuse_loop("perform_job")
    rehearsal = perform.Rehearsal.of(worker, args, options, attempt, app, oban, signals)
    made: Call[perform.Performed] = Call()
    threads = CallersThread(made)
    return made.run(lambda: rehearsal.run(threads))


def run_chunk(
    worker: Any,
    jobs: Iterable[Any],
    /,
    *,
    attempt: int = 1,
    app: App = None,
    oban: App = None,
    **options: Unpack[JobOptions],
) -> list[perform.Performed]:
    """Run jobs together, without a database; see `staffa.testing.run_chunk`.

    Plain functions run on the caller's thread.

    Example:
        ```python
        assert len(run_chunk(load, [{"event": 1}, {"event": 2}])) == 2
        ```
    """
    _refuse_loop("run_chunk")
    rehearsal = perform.ChunkRehearsal.of(worker, jobs, options, attempt, app, oban)
    made: Call[list[perform.Performed]] = Call()
    threads = CallersThread(made)
    return made.run(lambda: rehearsal.run(threads))


def reset(app: App = None) -> None:
    """Delete all jobs, and all that is known of queues, cron and processes.

    Example:
        ```python
        reset()
        ```
    """
    _refuse_loop("reset")
    made: Call[None] = Call()
    made.run(lambda: resets.reset(app))


def tick_crons(app: App = None) -> None:
    """Enqueue the jobs of all ticks since the last call; see `staffa.testing.tick_crons`.

    Example:
        ```python
        tick_crons()
        ```
    """
    _refuse_loop("tick_crons")
    made: Call[None] = Call()
    made.run(lambda: crons.tick_crons(app))


def _look(
    name: str,
    ask: Callable[[asserts.Look], Awaitable[T]],
    app: App,
    oban: App,
    conn: Any,
    wanted: Wanted,
) -> T:
    _refuse_loop(name)
    made: Call[T] = Call()
    found = find_app(app, oban)
    look = asserts.Look(found, _execute(made, found, conn), wanted)

    async def answer() -> T:
        return await ask(look)

    return made.run(answer)


class _Joined:
    """Calls about a transaction of the caller's, if there is one: one after the other."""

    def __init__(self, conn: Any) -> None:
        self._conn = conn
        self._made: Call[Any] = Call()

    @property
    def execute(self) -> Execute | None:
        """What runs statements in the transaction, during a call."""
        return None if self._conn is None else self._execute

    def call(self, function: Callable[[CallersThread], Coroutine[Any, Any, T]]) -> T:
        """Call a coroutine function that is given the caller's thread."""
        made: Call[T] = Call()
        self._made = made
        return made.run(lambda: function(CallersThread(made)))

    def run(
        self, function: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **named: P.kwargs
    ) -> T:
        """Call a coroutine function."""
        return self.call(lambda threads: function(*args, **named))

    async def _execute(self, statements: Any) -> Any:
        return await self._made.brought(partial(run_on_sync, self._conn))(statements)


def _execute(made: Call[Any], app: Staffa, conn: Any) -> Execute | None:
    """Return what runs statements on a connection of the caller's, on the caller's thread."""
    chosen = transaction_of(app, conn)
    return None if chosen is None else made.brought(partial(run_on_sync, chosen))


def _refuse_loop(name: str) -> None:
    refuse_loop(f"staffa.testing.sync.{name}()", f"await staffa.testing.{name}(...)")
