"""Handles of stored workflows and batches for code without an event loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator
from typing import Any, ClassVar, ParamSpec, Protocol, TypeVar

from staffa._internal.calls import call, iterate
from staffa.client.batch_handles import BatchHandle, States
from staffa.client.bulk import check_notify
from staffa.client.workflow_handles import WorkflowHandle
from staffa.flows.batch import Member
from staffa.flows.batch_status import BatchStatus
from staffa.flows.status import WorkflowStatus
from staffa.flows.workflow import Addition
from staffa.instance import refuse_loop
from staffa.jobs import Job
from staffa.options import Notify
from staffa.signals import DEFAULT_NAME
from staffa.types import Seconds

P = ParamSpec("P")
T = TypeVar("T")


class Calls(Protocol):
    """Calls a coroutine function, and waits for what it returns."""

    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call it."""


class _Waits:
    """Calls the methods of a handle, and waits for what they return."""

    _kind: ClassVar[str]

    def __init__(self, run: Calls) -> None:
        self._run = run

    def _call(
        self, method: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        self._refuse_loop(method.__name__, "await")
        return self._run(method, *args, **kwargs)

    def _iterate(
        self, method: Callable[P, AsyncGenerator[T, None]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Iterator[T]:
        self._refuse_loop(method.__name__, "async for ... in")
        return iterate(method(*args, **kwargs))

    def _refuse_loop(self, name: str, how: str) -> None:
        called = f"{self._kind}(...).{name}()"
        refuse_loop(f"app.sync.{called}", f"{how} app.{called}")


class SyncWorkflowHandle(_Waits):
    """The same as `WorkflowHandle` for code without an event loop; `app.sync` returns these.

    Args:
        handle: The handle.
        run: Runs its methods, on the loop's thread if not given.
    """

    _kind = "workflow"

    def __init__(
        self,
        handle: WorkflowHandle,
        run: Calls = call,  # type: ignore[assignment]  # mypy compares no ParamSpecs of defaults
    ) -> None:
        super().__init__(run)
        self._handle = handle
        self.id = handle.id
        self.conflict = handle.conflict

    def status(self, *, with_subs: bool = True) -> WorkflowStatus:
        """Return how it stands; see `WorkflowHandle.status`."""
        return self._call(self._handle.status, with_subs=with_subs)

    def results(self, *, with_subs: bool = True) -> Any:
        """Return what its jobs have recorded; see `WorkflowHandle.results`."""
        return self._call(self._handle.results, with_subs=with_subs)

    def wait(self, timeout: Seconds | None = None) -> WorkflowStatus:
        """Wait until all of its jobs have ended; see `WorkflowHandle.wait`."""
        return self._call(self._handle.wait, timeout)

    def job(self, name: str) -> Job | None:
        """Return the job of a step; see `WorkflowHandle.job`."""
        return self._call(self._handle.job, name)

    def sub(self, name: str) -> SyncWorkflowHandle | None:
        """Return what is inside of it under a name; see `WorkflowHandle.sub`."""
        found = self._call(self._handle.sub, name)
        return None if found is None else SyncWorkflowHandle(found, self._run)

    def outermost(self) -> SyncWorkflowHandle:
        """Return the workflow that this is inside of; see `WorkflowHandle.outermost`."""
        return SyncWorkflowHandle(self._call(self._handle.outermost), self._run)

    def jobs(self) -> list[Job]:
        """Return all of its jobs; see `WorkflowHandle.jobs`."""
        return self._call(self._handle.jobs)

    def stream(self) -> Iterator[Job]:
        """Yield the same jobs; see `WorkflowHandle.stream`."""
        return self._iterate(self._handle.stream)

    def cancel(self) -> None:
        """Cancel all of its jobs that have not ended; see `WorkflowHandle.cancel`."""
        self._call(self._handle.cancel)

    def retry(self, *, whole: bool = False) -> None:
        """Run jobs of it again; see `WorkflowHandle.retry`."""
        self._call(self._handle.retry, whole=whole)

    def release(self, step: str) -> bool:
        """Release a step that was held; see `WorkflowHandle.release`."""
        return self._call(self._handle.release, step)

    def signal(self, step: str, payload: Any = None, *, name: str = DEFAULT_NAME) -> bool:
        """Send a signal to a step; see `WorkflowHandle.signal`."""
        return self._call(self._handle.signal, step, payload, name=name)

    def append(self) -> Addition:
        """Return a builder of steps that it is to get; see `WorkflowHandle.append`."""
        return self._handle.append()

    def to_graph(self) -> dict[str, Any]:
        """Return its steps with their states as plain data; see `WorkflowHandle.to_graph`."""
        return self._call(self._handle.to_graph)

    def to_mermaid(self) -> str:
        """Return its picture as text for Mermaid; see `WorkflowHandle.to_mermaid`."""
        return self._call(self._handle.to_mermaid)

    def to_dot(self) -> str:
        """Return its picture as text for Graphviz; see `WorkflowHandle.to_dot`."""
        return self._call(self._handle.to_dot)

    def __repr__(self) -> str:
        return f"<SyncWorkflowHandle {self.id}>"


class SyncBatchHandle(_Waits):
    """The same as `BatchHandle` for code without an event loop; `app.sync` returns these.

    Args:
        handle: The handle.
        run: Runs its methods, on the loop's thread if not given.
    """

    _kind = "batch"

    def __init__(
        self,
        handle: BatchHandle,
        run: Calls = call,  # type: ignore[assignment]  # mypy compares no ParamSpecs of defaults
    ) -> None:
        super().__init__(run)
        self._handle = handle
        self.id = handle.id

    def status(self) -> BatchStatus:
        """Return how it stands; see `BatchHandle.status`."""
        return self._call(self._handle.status)

    def wait(self, timeout: Seconds | None = None) -> BatchStatus:
        """Wait until all of its jobs have ended; see `BatchHandle.wait`."""
        return self._call(self._handle.wait, timeout)

    def jobs(self, *, states: States | None = None) -> list[Job]:
        """Return its jobs; see `BatchHandle.jobs`."""
        return self._call(self._handle.jobs, states=states)

    def stream(self, *, states: States | None = None) -> Iterator[Job]:
        """Yield the same jobs; see `BatchHandle.stream`."""
        return self._iterate(self._handle.stream, states=states)

    def results(self) -> list[Any]:
        """Return what its jobs have recorded; see `BatchHandle.results`."""
        return self._call(self._handle.results)

    def cancel(self) -> None:
        """Cancel all of its jobs that have not ended; see `BatchHandle.cancel`."""
        self._call(self._handle.cancel)

    def append(
        self,
        jobs: Iterable[Member] | Member,
        *,
        conn: Any = None,
        notify: Notify = "after_commit",
    ) -> list[int]:
        """Add jobs or workflows; with `conn`, on this thread. See `BatchHandle.append`."""
        self._refuse_loop("append", "await")
        batches = self._handle.batches
        return batches.append_here(self.id, jobs, conn, check_notify(notify, conn))

    def __repr__(self) -> str:
        return f"<SyncBatchHandle {self.id}>"
