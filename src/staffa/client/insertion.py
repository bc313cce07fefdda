"""Writing jobs that were checked: from an event loop, or on the thread of a synchronous caller.

Both ways are the same steps: there must be room in the queues, the jobs are sealed, the engine
writes them, and what follows is told. Only what waits for a database differs.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from staffa._internal.calls import Call, call
from staffa._internal.clock import Clock
from staffa._internal.lazy import load
from staffa.client.answers import Answers, read_ending
from staffa.client.depths import Depths
from staffa.client.inline import CallersThread, run_inline
from staffa.client.inline_flows import run_flow
from staffa.client.members import refuse_members
from staffa.client.workflow_handles import WorkflowHandle
from staffa.config import Config
from staffa.engine import Prepared, Written
from staffa.errors import ConfigError, DatabaseError, RelayTimeout
from staffa.flows import Addition, Workflow
from staffa.flows.sealing import seal, sealed
from staffa.jobs import Job, find_current_job
from staffa.linking import Graph, InsertedGraph
from staffa.modes import current_mode
from staffa.options import Notify
from staffa.relays import Ending, Relay, Relays
from staffa.results import RELAY_KEY
from staffa.telemetry import emit, report
from staffa.telemetry.catalogue import JobConflicted

if TYPE_CHECKING:
    from staffa.client.backend import Backend

_LOOKED_AT = 1_000
_TOO_MANY_NOTIFICATIONS = "54000"


class Wakes(NamedTuple):
    """The ways to tell that queues have jobs.

    Args:
        everywhere: Tells all processes.
        soon: Does so soon, from any thread.
        here: Tells this process.
        along: Returns the wake-ups that the statement which writes a job is to take along, when
            it tells the others of it; None if it is not to.
    """

    everywhere: Callable[[Collection[str]], Awaitable[None]]
    soon: Callable[[Collection[str]], None]
    here: Callable[[Collection[str]], None]
    along: Callable[[str], Collection[str] | None]


class Insertion:
    """Writes the jobs of one client.

    Args:
        config: The client's settings.
        clock: Measures jobs that run inline.
        depths: The depths of the queues that have a limit.
        open_backend: Returns the database's side for the running loop.
        wakes: The ways to tell that queues have jobs.
        open_answers: Returns what waits for relayed jobs on the running loop.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock,
        depths: Depths,
        open_backend: Callable[[], Awaitable[Backend]],
        wakes: Wakes,
        open_answers: Callable[[], Awaitable[Answers]],
    ) -> None:
        self._config = config
        self._clock = clock
        self._name = config.name
        self._dsn = config.dsn
        self._django_alias = config.django_alias
        self._keys = config.encryption_keys
        self._depths = depths
        self._open = open_backend
        self._wakes = wakes
        self._open_answers = open_answers

    async def write(self, jobs: Sequence[Job], conn: Any, notify: Notify) -> list[Job]:
        """Write jobs, in the transaction of a user's connection if one is given."""
        if not jobs:
            return []
        if self.inline:
            return await run_inline(jobs, self._config, self._clock)
        backend = await self._make_ready_for(jobs, notify, may_wait=conn is None)
        sealed = self._sealed(jobs)
        if conn is None and backend.engine.can_wake(sealed):
            along = self._wakes.along(sealed[0].queue)
            if along is not None:
                return await self._write_waking(backend, sealed, along)
        stored = await backend.engine.enqueue_jobs(sealed, conn=conn)
        await self._tell(backend, Written.of(stored), conn, notify)
        return stored

    async def _write_waking(
        self, backend: Backend, jobs: list[Job], along: Collection[str]
    ) -> list[Job]:
        """Write jobs by a statement that wakes their queue, unless no more can be notified of."""
        try:
            try:
                stored = await backend.engine.enqueue_jobs(jobs, wake=True)
            except DatabaseError as error:
                if error.sqlstate != _TOO_MANY_NOTIFICATIONS:
                    raise
                stored = await backend.engine.enqueue_jobs(jobs)
        except BaseException:
            if along:  # of jobs that were written before
                self._wakes.soon(along)
            raise
        self._wakes.here(self._note(Written.of(stored)))
        return stored

    async def write_for_ids(
        self, jobs: Sequence[Job], conn: Any, notify: Notify, turn: Awaitable[None] | None = None
    ) -> Written:
        """Do the same for who wants the ids of many, and spare what the jobs themselves cost.

        What can be done before that is done before its turn, if there is one to be awaited.
        """
        if not jobs or self.inline:
            if turn is not None:
                await turn
            return Written.of(await self.write(jobs, conn, notify))
        sealed = self._sealed(jobs)
        prepared: Sequence[Job] | Prepared = sealed
        if turn is not None:
            prepared = (await self._open()).engine.prepare_jobs(sealed)
            await turn
        backend = await self._make_ready_for(jobs, notify, may_wait=conn is None)
        written = await backend.engine.enqueue_jobs(prepared, conn=conn, told="ids")
        await self._tell(backend, written, conn, notify)
        return written

    def write_here(self, jobs: Sequence[Job], conn: Any, notify: Notify) -> list[Job]:
        """Do the same from a thread without a loop; a user's connection is used on it.

        Without one, the thread's `atomic` block of Django is joined if it is in one.
        """
        if not jobs:
            return []
        if self.inline:  # jobs that are plain functions run on the caller's thread, like its own
            made: Call[list[Job]] = Call()
            threads = CallersThread(made)
            return made.run(lambda: run_inline(jobs, self._config, self._clock, threads))
        conn = self.find_atomic() if conn is None else conn
        if conn is None:
            return call(self.write, jobs, None, notify)
        backend = call(self._make_ready_for, jobs, notify, may_wait=False)
        stored = backend.engine.enqueue_jobs_on(self._sealed(jobs), conn)
        queues = self._note(Written.of(stored))
        if notify == "in_transaction":
            backend.notifier.notify_on(_wakeups(queues), conn)
        self._wake_after_commit(backend, conn, queues)
        return stored

    def relays_of(self, stored: Sequence[Job], *, seen: bool) -> Relays:
        """Return the relays of stored jobs.

        Args:
            stored: The jobs.
            seen: Whether their rows are there for certain; those in an open transaction are not.
        """
        if self.inline:
            return Relays([Relay(job, _never, read_ending(job)) for job in stored])

        async def find(relay: Relay) -> Ending:
            answers = await self._open_answers()
            return await answers.wait(relay.job, relay.job.meta.get(RELAY_KEY), seen=seen)

        return Relays([Relay(job, find) for job in stored])

    async def write_graph(self, graph: Graph, conn: Any, notify: Notify) -> InsertedGraph:
        """Write a workflow, in the transaction of a user's connection if one is given."""
        first, graph = _first_jobs(graph)
        backend = await self._make_ready(first, notify, may_wait=conn is None)
        inserted = await backend.engine.insert_graph(sealed(graph, self._keys), conn=conn)
        await self._tell(backend, Written([], {}, inserted.woken), conn, notify)
        return inserted

    def run_flow_here(self, flow: Workflow | Addition) -> WorkflowHandle:
        """Run a workflow inline, its plain functions on the caller's thread."""
        made: Call[WorkflowHandle] = Call()
        threads = CallersThread(made)
        return made.run(lambda: run_flow(flow, self._config, self._clock, threads))

    def write_graph_here(self, graph: Graph, conn: Any, notify: Notify) -> InsertedGraph:
        """Do the same from a thread without a loop; a user's connection is used on it."""
        conn = self.find_atomic() if conn is None else conn
        if conn is None:
            return call(self.write_graph, graph, None, notify)
        first, graph = _first_jobs(graph)
        backend = call(self._make_ready, first, notify, may_wait=False)
        inserted = backend.engine.insert_graph_on(sealed(graph, self._keys), conn)
        queues = self._note(Written([], {}, inserted.woken))
        if notify == "in_transaction":
            backend.notifier.notify_on(_wakeups(queues), conn)
        self._wake_after_commit(backend, conn, queues)
        return inserted

    @property
    def inline(self) -> bool:
        """Whether jobs run where they are enqueued."""
        return current_mode(self._config.testing) == "inline"

    async def _make_ready(self, jobs: Sequence[Job], notify: Notify, *, may_wait: bool) -> Backend:
        backend = await self._open()
        if notify == "in_transaction" and not backend.engine.capabilities.listens:
            raise ConfigError(
                "notify='in_transaction' can't be used with SQLite, which carries no "
                "notifications: leave it out"
            )
        if may_wait and not backend.engine.knows_partitions:
            await backend.engine.notice_partitions()
        await self._depths.make_room(jobs, backend.engine.count_available, may_wait=may_wait)
        return backend

    async def _make_ready_for(
        self, jobs: Sequence[Job], notify: Notify, *, may_wait: bool
    ) -> Backend:
        """Do the same for jobs that are no members of flows."""
        backend = await self._make_ready(jobs, notify, may_wait=may_wait)
        await refuse_members(jobs, backend.engine)
        return backend

    async def _tell(self, backend: Backend, written: Written, conn: Any, notify: Notify) -> None:
        queues = self._note(written)
        if conn is None:
            await self._wakes.everywhere(queues)
        else:
            if notify == "in_transaction":
                await backend.notifier.notify(_wakeups(queues), conn=conn)
            self._wake_after_commit(backend, conn, queues)

    def _sealed(self, jobs: Iterable[Job]) -> list[Job]:
        """Return jobs as they are to be written."""
        return [seal(job, self._keys) for job in jobs]

    def find_atomic(self) -> str | None:
        """Return the alias of Django's database if this thread is in a transaction there."""
        if "django" not in sys.modules:
            return None
        find_atomic = load("staffa.drivers.connections:find_atomic")
        found: str | None = find_atomic(self._django_alias, self._dsn)
        return found

    def _wake_after_commit(self, backend: Backend, conn: Any, queues: Collection[str]) -> None:
        """Have queues woken once a user's transaction is committed.

        Where nobody tells of that, it is the end of the running job that wakes them, or polling.
        """
        _note_with_job(queues)
        if not queues:
            return
        try:
            backend.after_commit(conn, partial(self._wakes.soon, queues))
        except Exception as error:  # noqa: BLE001  # the jobs are written: polling finds them
            report("the commit of conn= is not observed; polling finds the jobs", error)

    def _note(self, written: Written) -> Collection[str]:
        """Tell of what was written, and return the queues that have more to do."""
        self._depths.note_woken(written.woken)
        for job in written.conflicts.values():
            emit(JobConflicted, instance=self._name, job=job)
        return written.woken.keys()


async def _never(relay: Relay) -> Ending:
    """Refuse to wait for a job that ran inline, and has not ended by that.

    Raises:
        RelayTimeout: Always.
    """
    raise RelayTimeout(
        f"job {relay.id} ran inline and is {relay.job.state} now: nobody will run it again",
        job_id=relay.id,
    )


def _first_jobs(graph: Graph) -> tuple[list[Job], Graph]:
    """Return jobs of a graph that wait for nothing, and the graph as it can be written still.

    Where the jobs are read while they are written, the first of them have to stand for all.
    """
    first = steps = graph.steps
    if not isinstance(steps, Collection):
        iterator = iter(steps)
        first = list(islice(iterator, _LOOKED_AT))
        graph = replace(graph, steps=chain(first, iterator))
    return [step.job for step in first if not (step.needs or step.held)], graph


def _wakeups(queues: Iterable[str]) -> list[tuple[str, dict[str, str]]]:
    return [("insert", {"queue": queue}) for queue in sorted(queues)]


def _note_with_job(queues: Iterable[str]) -> None:
    """Have queues woken once the running job has ended, by when its transaction has, too."""
    if (running := find_current_job()) is not None:
        running.note_enqueued(queues)
