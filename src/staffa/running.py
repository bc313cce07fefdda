"""What a job can do while it runs: tell how far it is, note something, learn when to stop."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from typing import Any

from staffa._internal import json
from staffa.args.plain import dump_object
from staffa.chained import Chained
from staffa.errors import InvalidArgs, InvalidJob, JobCancelled
from staffa.payload import LINK_KEYS, A, flow_keys
from staffa.types import JobContext, SignalWanted

PROGRESS_KEY = "progress"
"""Where `meta` holds what `Job.progress` told."""


class Running(Chained[A]):
    """The part of a job that is about its run here, through the context that the executor sets."""

    __slots__ = ("_context", "_enqueued")

    id: int | None
    _context: JobContext | None
    _enqueued: frozenset[str]

    def _set_waiting(self) -> None:
        """Have no run: the job is made, or was just read."""
        self._context = None
        self._enqueued = frozenset()

    def cancelled(self) -> bool:
        """Tell whether the running job should stop; for functions in threads to ask now and then.

        Example:
            >>> from staffa import Job
            >>> Job(worker="myapp.Mailer").cancelled()
            False
        """
        return self._context is not None and self._context.cancelled

    def raise_if_cancelled(self) -> None:
        """Raise if the running job should stop.

        Raises:
            JobCancelled: If it was cancelled, ran out of time, or lost its lease.
        """
        if self.cancelled():
            raise JobCancelled(f"job {self.id} was asked to stop")

    def progress(self, value: float, note: str | None = None, /, **meta: Any) -> Awaitable[None]:
        """Tell how far the running job is; kept as ``progress`` in its meta.

        At most one a second is written, and the last one with the outcome. On the event loop the
        call is awaited; in a ``def`` it needs no await.

        Args:
            value: From 0 to 1.
            note: What it is at.
            **meta: More about it, plain JSON.

        Raises:
            InvalidJob: If the value is out of range, or the job does not run here.

        Example:
            ```python
            await current_job().progress(0.4, "resizing", done=4)
            ```
        """
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise InvalidJob(f"progress {value!r:.100} can't be told: give a number from 0 to 1")
        told = {**meta, "value": value, **({} if note is None else {"note": note})}
        told = json.loads(dump_object(told, "progress"))  # what the caller can't change any more
        context = self._running_context()
        self.meta[PROGRESS_KEY] = told
        return context.note_progress({PROGRESS_KEY: told})

    def update_meta(
        self, changes: Mapping[str, Any] | None = None, /, **more: Any
    ) -> Awaitable[None]:
        """Merge something into the running job's meta, and return once it is stored.

        A checkpoint: the next attempt finds it in `meta`. On the event loop the call is awaited; in
        a ``def`` it needs no await.

        Args:
            changes: Keys and values, plain JSON.
            **more: More of them.

        Raises:
            InvalidArgs: If they are no plain JSON, or of what tells the workflow, batch or chain of
                the job.
            InvalidJob: If the job does not run here.
            JobCancelled: If the job is not ours any more.

        Example:
            ```python
            await current_job().update_meta(last_page=17)
            ```
        """
        given = {} if changes is None else changes
        if not isinstance(given, Mapping):
            raise InvalidArgs(f"{given!r:.200} are no changes of meta: give a mapping, or keywords")
        patch = json.loads(dump_object({**given, **more}, "meta"))
        self._refuse_links(patch)
        context = self._running_context()
        self.meta.update(patch)
        return context.write_meta(patch)

    def _refuse_links(self, patch: Mapping[str, Any]) -> None:
        refused = LINK_KEYS | flow_keys(self.meta)
        taken = sorted(refused & patch.keys())
        if taken:
            raise InvalidArgs(
                f"meta's {taken[0]!r} tells what the job is in its workflow, batch or chain: note "
                "it under another name"
            )

    def complete_in(self, conn: Any, *, result: object = None) -> Awaitable[None]:
        """Complete the running job in your own transaction: its effects there happen exactly once.

        The outcome is written on your connection. If you commit, the job has completed, whatever
        becomes of its process or is raised afterwards; if you roll back, it ends as its function
        does. On the event loop the call is awaited; in a ``def`` it needs no await.

        Args:
            conn: What `enqueue` takes as `conn=`, connected to the database of the jobs.
            result: What is kept of it, if its results are recorded.

        Raises:
            JobCancelled: If the job is not ours any more: let it roll your transaction back.
            InvalidJob: If the job does not run here.
            ConfigError: If the connection can't be used.
            DatabaseError: If the database refuses.

        Example:
            ```python
            async with session.begin():
                session.add(Invoice(number=5))
                await current_job().complete_in(session)
            ```
        """
        return self._running_context().complete_in(conn, result)

    def receive_signal(self, wanted: SignalWanted) -> Awaitable[Any]:
        """Wait for a signal; for `await_signal` alone."""
        return self._running_context().receive_signal(wanted)

    def receive_signal_sync(self, wanted: SignalWanted) -> Any:
        """Do the same in a thread; for `await_signal_sync` alone."""
        return self._running_context().receive_signal_sync(wanted)

    def _running_context(self) -> JobContext:
        if self._context is None:
            raise InvalidJob(f"{self!r} does not run here: only a running job can note something")
        return self._context

    def bind(self, context: JobContext) -> None:
        """Attach the executor's context; for the executor alone."""
        self._context = context

    def note_enqueued(self, queues: Iterable[str]) -> None:
        """Note queues that this job wrote to in a transaction of its own; for the client alone."""
        self._enqueued = self._enqueued.union(queues)

    def take_enqueued(self) -> frozenset[str]:
        """Return those queues once, when the job has ended and they can be woken."""
        queues, self._enqueued = self._enqueued, frozenset()
        return queues
