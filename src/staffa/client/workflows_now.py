"""A handle of a stored workflow for code without an event loop."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any, ParamSpec, Protocol, TypeVar

from staffa._internal.calls import call, iterate
from staffa.client.workflows import WorkflowHandle
from staffa.flows.status import WorkflowStatus
from staffa.flows.workflow import Addition
from staffa.instance import refuse_loop
from staffa.jobs import Job
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


class SyncWorkflowHandle:
    """The same for code without an event loop; `app.sync` returns these.

    Args:
        handle: The handle.
        run: Runs its methods, on the loop's thread if not given.
    """

    def __init__(
        self,
        handle: WorkflowHandle,
        run: Calls = call,  # type: ignore[assignment]  # mypy compares no ParamSpecs of defaults
    ) -> None:
        self._handle = handle
        self._call = run
        self.id = handle.id
        self.conflict = handle.conflict

    def status(self, *, with_subs: bool = True) -> WorkflowStatus:
        """Return how it stands; see `WorkflowHandle.status`."""
        _refuse_loop("status")
        return self._call(self._handle.status, with_subs=with_subs)

    def results(self, *, with_subs: bool = True) -> Any:
        """Return what its jobs have recorded; see `WorkflowHandle.results`."""
        _refuse_loop("results")
        return self._call(self._handle.results, with_subs=with_subs)

    def wait(self, timeout: Seconds | None = None) -> WorkflowStatus:
        """Wait until all of its jobs have ended; see `WorkflowHandle.wait`."""
        _refuse_loop("wait")
        return self._call(self._handle.wait, timeout)

    def job(self, name: str) -> Job | None:
        """Return the job of a step; see `WorkflowHandle.job`."""
        _refuse_loop("job")
        return self._call(self._handle.job, name)

    def sub(self, name: str) -> SyncWorkflowHandle | None:
        """Return what is inside of it under a name; see `WorkflowHandle.sub`."""
        _refuse_loop("sub")
        found = self._call(self._handle.sub, name)
        return None if found is None else SyncWorkflowHandle(found, self._call)

    def jobs(self) -> list[Job]:
        """Return all of its jobs; see `WorkflowHandle.jobs`."""
        _refuse_loop("jobs")
        return self._call(self._handle.jobs)

    def stream(self) -> Iterator[Job]:
        """Yield the same jobs; see `WorkflowHandle.stream`."""
        _refuse_loop("stream")
        return iterate(self._handle.stream())

    def cancel(self) -> None:
        """Cancel all of its jobs that have not ended; see `WorkflowHandle.cancel`."""
        _refuse_loop("cancel")
        self._call(self._handle.cancel)

    def retry(self, *, whole: bool = False) -> None:
        """Run jobs of it again; see `WorkflowHandle.retry`."""
        _refuse_loop("retry")
        self._call(self._handle.retry, whole=whole)

    def release(self, step: str) -> None:
        """Release a step that was held; see `WorkflowHandle.release`."""
        _refuse_loop("release")
        self._call(self._handle.release, step)

    def signal(self, step: str, payload: Any = None, *, name: str = DEFAULT_NAME) -> bool:
        """Send a signal to a step; see `WorkflowHandle.signal`."""
        _refuse_loop("signal")
        return self._call(self._handle.signal, step, payload, name=name)

    def append(self) -> Addition:
        """Return a builder of steps that it is to get; see `WorkflowHandle.append`."""
        return self._handle.append()

    def to_graph(self) -> dict[str, Any]:
        """Return its steps with their states as plain data; see `WorkflowHandle.to_graph`."""
        _refuse_loop("to_graph")
        return self._call(self._handle.to_graph)

    def to_mermaid(self) -> str:
        """Return its picture as text for Mermaid; see `WorkflowHandle.to_mermaid`."""
        _refuse_loop("to_mermaid")
        return self._call(self._handle.to_mermaid)

    def to_dot(self) -> str:
        """Return its picture as text for Graphviz; see `WorkflowHandle.to_dot`."""
        _refuse_loop("to_dot")
        return self._call(self._handle.to_dot)

    def __repr__(self) -> str:
        return f"<SyncWorkflowHandle {self.id}>"


def _refuse_loop(name: str) -> None:
    refuse_loop(f"app.sync.workflow(...).{name}()", f"await app.workflow(...).{name}()")
