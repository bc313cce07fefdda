"""What handles of workflows ask of the client: to read what is stored, and to change it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from staffa._internal.clock import Clock
from staffa.engine import Changed, Engine
from staffa.errors import UnknownFlow
from staffa.flows.graphs import make_addition, make_graph
from staffa.flows.inner import FORM_OPTION
from staffa.flows.pictures import Picture
from staffa.flows.results import Results
from staffa.flows.status import WorkflowStatus, status_of
from staffa.flows.stored import is_group, picture_of_stored
from staffa.flows.surroundings import surroundings_for
from staffa.flows.workflow import Addition, Workflow
from staffa.jobs import Job
from staffa.linking import FlowKind, FlowRow, Followed, Graph
from staffa.memberships import GRAFT_KEY
from staffa.rehearsal import Execute
from staffa.signals import check_signal_name, dump_payload

if TYPE_CHECKING:
    from staffa.client.backend import Backend

_PAGE = 1_000


class SendsSignals(Protocol):
    """Sends a signal to jobs, and returns those that have got it."""

    async def __call__(self, jobs: int, payload: Any, *, name: str) -> list[int]:
        """Send it."""


class Flows:
    """The workflows of one client.

    Args:
        open_backend: Returns the database's side for the running loop.
        after_cancel: Sees to what follows when jobs were cancelled.
        tell_of: Tells of what has come of the ends of jobs.
        send: Sends a signal.
        clock: Tells the time.
    """

    def __init__(
        self,
        open_backend: Callable[[], Awaitable[Backend]],
        after_cancel: Callable[[Sequence[Changed]], Awaitable[None]],
        tell_of: Callable[[Followed], Awaitable[None]],
        send: SendsSignals,
        clock: Clock,
    ) -> None:
        self._open = open_backend
        self._after_cancel = after_cancel
        self._tell_of = tell_of
        self._send = send
        self._clock = clock

    async def engine(self) -> Engine:
        """Return what stores the flows."""
        return (await self._open()).engine

    async def make_graph(self, flow: Workflow | Addition, execute: Execute | None = None) -> Graph:
        """Return what is to be written of a workflow, or of what is added to a stored one.

        Args:
            flow: The workflow.
            execute: Runs statements in the user's transaction, which may have written what is added
                to; in one of ours if not given.

        Raises:
            InvalidWorkflow: If its steps don't fit together.
            UnknownFlow: If there is no workflow to add to.
        """
        if isinstance(flow, Workflow):
            return make_graph(flow)
        engine = await self.engine()
        engine = engine if execute is None else engine.joined(execute)
        return make_addition(flow, await surroundings_for(flow, flow.workflow_id, engine))

    async def read(self, flow: str, *, inner: bool = False) -> list[FlowRow]:
        """Return the row of a workflow, and of those inside of it if wanted.

        Raises:
            UnknownFlow: If there is none.
        """
        rows = await (await self.engine()).read_flows([flow], inner=inner)
        if not rows or rows[0].kind is not FlowKind.WORKFLOW:
            raise UnknownFlow(
                f"there is no workflow {flow!r}: it may have been deleted with its jobs"
            )
        return rows

    async def status(self, flow: str, *, inner: bool) -> WorkflowStatus:
        """Return how a workflow stands."""
        return status_of(await self.read(flow, inner=inner), self._clock.now())

    async def list_statuses(self, limit: int, before: str | None) -> list[WorkflowStatus]:
        """Return how the newest workflows stand."""
        found = await (await self.engine()).list_flows(
            FlowKind.WORKFLOW, limit=limit, before=before
        )
        now = self._clock.now()
        return [status_of([row], now) for row in found]

    async def results(self, flow: str, *, with_subs: bool) -> Any:
        """Return what the jobs of a workflow have recorded."""
        read = await (await self.engine()).read_results([flow])
        if flow not in read.flows:
            await self.read(flow)
        return Results(read).of_flow(flow, with_subs=with_subs)

    async def find_job(self, flow: str, name: str) -> Job | None:
        """Return the job of a step; that of a graft is the one that calls its function."""
        backend = await self._open()
        number = (await backend.engine.find_steps(flow, [name])).get(name)
        if number is None:
            number = await self._graft_job(flow, name)
        if number is None:
            return None
        found = await backend.engine.get_jobs([number])
        return found[0] if found else None

    async def _graft_job(self, flow: str, name: str) -> int | None:
        rows = await self.read(flow, inner=True)
        for row in rows:
            if row.parent == flow and row.place == name and row.options.get(FORM_OPTION) == "graft":
                jobs = await (await self.engine()).list_linked_jobs(row.id, limit=1)
                return next((job.id for job in jobs if GRAFT_KEY in job.meta), None)
        return None

    async def find_inner(self, flow: str, name: str) -> str | None:
        """Return the id of what is inside of a workflow under a name."""
        rows = await self.read(flow, inner=True)
        return next((row.id for row in rows if row.parent == flow and row.place == name), None)

    async def find_outermost(self, flow: str) -> str:
        """Return the id of the workflow that a workflow is inside of, however deep; or its own."""
        while (parent := (await self.read(flow))[0].parent) is not None:
            flow = parent
        return flow

    async def stream(self, flow: str) -> AsyncGenerator[Job, None]:
        """Yield the jobs of a workflow, then those of what is inside of it."""
        engine = await self.engine()
        for row in await self.read(flow, inner=True):
            after = 0
            while page := await engine.list_linked_jobs(row.id, after=after, limit=_PAGE):
                for job in page:
                    yield job
                assert page[-1].id is not None  # noqa: S101  # it was read
                after = page[-1].id
                if len(page) < _PAGE:
                    break

    async def picture(self, flow: str) -> Picture:
        """Return the picture of a workflow with the states of its jobs; groups are one node."""
        engine = await self.engine()
        rows = await self.read(flow, inner=True)
        jobs: dict[str, list[Job]] = {}
        for row in rows:
            if is_group(row) and row.id != flow:
                continue
            found = jobs.setdefault(row.id, [])
            while page := await engine.list_linked_jobs(
                row.id, after=(found[-1].id or 0) if found else 0, limit=_PAGE
            ):
                found += page
                if len(page) < _PAGE:
                    break
        return picture_of_stored(flow, rows, jobs)

    async def cancel(self, flow: str) -> None:
        """Cancel all unfinished jobs of a workflow; those that run are stopped."""
        await self.read(flow)
        await self._after_cancel(await (await self.engine()).cancel_flow(flow))

    async def retry(self, flow: str, *, whole: bool) -> None:
        """Run jobs of a workflow again."""
        await self.read(flow)
        await self._tell_of(await (await self.engine()).retry_flow(flow, whole=whole))

    async def release(self, flow: str, name: str) -> bool:
        """Release a step, and tell whether it was held."""
        number = await self._number_of(flow, name)
        followed = await (await self.engine()).release_step(number)
        await self._tell_of(followed)
        return followed.released

    async def signal(self, flow: str, name: str, payload: Any, signal: str) -> bool:
        """Send a signal to a step, and tell whether it has got it."""
        return bool(await self._send(await self._number_of(flow, name), payload, name=signal))

    async def _number_of(self, flow: str, name: str) -> int:
        found = await self.find_job(flow, name)
        if found is None or found.id is None:
            await self.read(flow)
            raise UnknownFlow(f"the workflow {flow!r} has no step {name!r}")
        return found.id


@dataclass(frozen=True, slots=True)
class _Side:
    """A database's side of which only the engine is asked."""

    engine: Engine


def side_of(engine: Engine) -> Callable[[], Awaitable[Backend]]:
    """Return what opens a database's side of which only the engine is asked."""

    async def open_side() -> Backend:
        return cast("Backend", _Side(engine))

    return open_side


async def ignore(told: object) -> None:
    """Tell nobody: nobody waits to be told."""


def flows_on(engine: Engine, clock: Clock) -> Flows:
    """Return the workflows that an engine has, with nobody to be told of changes."""

    async def send(jobs: int, payload: Any, *, name: str) -> list[int]:
        text = dump_payload(payload)
        return [job.id for job in await engine.signal_jobs([jobs], check_signal_name(name), text)]

    return Flows(side_of(engine), ignore, ignore, send, clock)
