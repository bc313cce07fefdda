"""A handle of a stored batch for code without an event loop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from staffa._internal.calls import call, iterate
from staffa.client.batch_handles import BatchHandle, States
from staffa.client.bulk import check_notify
from staffa.client.stored_batches import StoredBatches
from staffa.client.workflows_now import Calls
from staffa.flows.batch import Member
from staffa.flows.batch_status import BatchStatus
from staffa.instance import refuse_loop
from staffa.jobs import Job
from staffa.options import Notify
from staffa.types import Seconds


class SyncBatchHandle:
    """The same for code without an event loop; `app.sync` returns these.

    Args:
        id: Its id.
        batches: The batches of the client.
        run: Runs its methods, on the loop's thread if not given.
    """

    def __init__(
        self,
        id: str,  # noqa: A002  # as everywhere
        batches: StoredBatches,
        run: Calls = call,  # type: ignore[assignment]  # mypy compares no ParamSpecs of defaults
    ) -> None:
        self.id = id
        self._batches = batches
        self._call = run
        self._handle = BatchHandle(id, batches)

    def status(self) -> BatchStatus:
        """Return how it stands; see `BatchHandle.status`."""
        _refuse_loop("status")
        return self._call(self._handle.status)

    def wait(self, timeout: Seconds | None = None) -> BatchStatus:
        """Wait until all of its jobs have ended; see `BatchHandle.wait`."""
        _refuse_loop("wait")
        return self._call(self._handle.wait, timeout)

    def jobs(self, *, states: States | None = None) -> list[Job]:
        """Return its jobs; see `BatchHandle.jobs`."""
        _refuse_loop("jobs")
        return self._call(self._handle.jobs, states=states)

    def stream(self, *, states: States | None = None) -> Iterator[Job]:
        """Yield the same jobs; see `BatchHandle.stream`."""
        _refuse_loop("stream")
        return iterate(self._handle.stream(states=states))

    def results(self) -> list[Any]:
        """Return what its jobs have recorded; see `BatchHandle.results`."""
        _refuse_loop("results")
        return self._call(self._handle.results)

    def cancel(self) -> None:
        """Cancel all of its jobs that have not ended; see `BatchHandle.cancel`."""
        _refuse_loop("cancel")
        self._call(self._handle.cancel)

    def append(
        self,
        jobs: Iterable[Member] | Member,
        *,
        conn: Any = None,
        notify: Notify = "after_commit",
    ) -> list[int]:
        """Add jobs or workflows; with `conn`, on this thread. See `BatchHandle.append`."""
        _refuse_loop("append")
        return self._batches.append_here(self.id, jobs, conn, check_notify(notify, conn))

    def __repr__(self) -> str:
        return f"<SyncBatchHandle {self.id}>"


def _refuse_loop(name: str) -> None:
    refuse_loop(f"app.sync.batch(...).{name}()", f"await app.batch(...).{name}()")
