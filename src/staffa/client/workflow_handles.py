"""A handle of a stored workflow: what can be asked about it, and done with it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from staffa.client.endings import wait_until_ended
from staffa.client.flows import Flows
from staffa.flows.pictures import to_dot, to_graph, to_mermaid
from staffa.flows.status import WorkflowStatus
from staffa.flows.workflow import Addition
from staffa.jobs import Job
from staffa.linking import FlowRow
from staffa.signals import DEFAULT_NAME
from staffa.types import Seconds


class WorkflowHandle:
    """A workflow that is stored; `enqueue` and `app.workflow` return these.

    Args:
        id: Its id.
        flows: The workflows of the client.
        conflict: Whether it was there already, so that nothing was written: it is unique.

    Example:
        ```python
        order = await app.enqueue(workflow)
        await order.wait(timeout=60)
        print(await order.results())
        ```
    """

    def __init__(
        self,
        id: str,  # noqa: A002  # what it is called everywhere
        flows: Flows,
        *,
        conflict: bool = False,
    ) -> None:
        self.id = id
        self.conflict = conflict
        self._flows = flows

    async def status(self, *, with_subs: bool = True) -> WorkflowStatus:
        """Return how it stands: its state, and how many of its jobs are in which.

        Args:
            with_subs: Whether what is inside of it is counted as well: groups, grafts, workflows.
                Else it is the single row of its own jobs.

        Raises:
            UnknownFlow: If there is no such workflow, or none any more.

        Example:
            ```python
            status = await app.workflow(workflow_id).status()
            print(status.state, status.counts["completed"], "of", status.total)
            ```
        """
        return await self._flows.status(self.id, inner=with_subs)

    async def results(self, *, with_subs: bool = True) -> Any:
        """Return what its jobs have recorded so far, by the names of the steps.

        That of a group is a list, or a dict by its keys; that of a workflow inside of it is such a
        dict again. A step that has recorded nothing is left out; in a list, it is None.

        Args:
            with_subs: Whether what is inside of it is looked at as well.

        Raises:
            UnknownFlow: If there is no such workflow, or none any more.

        Example:
            ```python
            results = await app.workflow(workflow_id).results()
            print(results["total"])
            ```
        """
        return await self._flows.results(self.id, with_subs=with_subs)

    async def wait(self, timeout: Seconds | None = None) -> WorkflowStatus:  # noqa: ASYNC109
        """Wait until all of its jobs have ended, and return how it stands then.

        Args:
            timeout: For how long, in seconds or as a timedelta; for ever if not given.

        Raises:
            TimeoutError: If it has not ended in time.
            UnknownFlow: If there is no such workflow, or none any more.

        Example:
            ```python
            status = await app.workflow(workflow_id).wait(timeout=60)
            ```
        """
        await wait_until_ended(self._read, timeout)
        return await self.status()

    async def _read(self) -> FlowRow:
        return (await self._flows.read(self.id))[0]

    async def job(self, name: str) -> Job | None:
        """Return the job of a step as it is now, or None if there is no such step.

        Args:
            name: The name of the step; of a graft, it is the job that calls its function.

        Example:
            ```python
            job = await app.workflow(workflow_id).job("charge")
            ```
        """
        return await self._flows.find_job(self.id, name)

    async def sub(self, name: str) -> WorkflowHandle | None:
        """Return what is inside of it under a name, or None: a group, a graft or a workflow.

        Args:
            name: The name of the step.

        Example:
            ```python
            refund = await app.workflow(workflow_id).sub("refund")
            ```
        """
        found = await self._flows.find_inner(self.id, name)
        return None if found is None else WorkflowHandle(found, self._flows)

    async def outermost(self) -> WorkflowHandle:
        """Return the workflow that this is inside of, however deep; this one if it is in none.

        Raises:
            UnknownFlow: If there is no such workflow, or none any more.

        Example:
            ```python
            inner = app.workflow(current_job().workflow_id)
            await (await inner.outermost()).cancel()
            ```
        """
        return WorkflowHandle(await self._flows.find_outermost(self.id), self._flows)

    async def jobs(self) -> list[Job]:
        """Return all of its jobs, then those of what is inside of it.

        Raises:
            UnknownFlow: If there is no such workflow, or none any more.

        Example:
            ```python
            for job in await app.workflow(workflow_id).jobs():
                print(job.meta["name"], job.state)
            ```
        """
        return [job async for job in self.stream()]

    def stream(self) -> AsyncGenerator[Job, None]:
        """Yield the same jobs, of which a thousand are in memory.

        Raises:
            UnknownFlow: If there is no such workflow, or none any more.

        Example:
            ```python
            async for job in app.workflow(workflow_id).stream():
                print(job.id)
            ```
        """
        return self._flows.stream(self.id)

    async def cancel(self) -> None:
        """Cancel all of its jobs that have not ended; those that run are stopped.

        Raises:
            UnknownFlow: If there is no such workflow, or none any more.

        Example:
            ```python
            await app.workflow(workflow_id).cancel()
            ```
        """
        await self._flows.cancel(self.id)

    async def retry(self, *, whole: bool = False) -> None:
        """Run those of its jobs again that were cancelled or discarded, and what waits for them.

        Args:
            whole: Whether all jobs that have ended run again.

        Raises:
            UnknownFlow: If there is no such workflow, or none any more.

        Example:
            ```python
            await app.workflow(workflow_id).retry()
            ```
        """
        await self._flows.retry(self.id, whole=whole)

    async def release(self, step: str) -> bool:
        """Release a step that was added with ``hold=True``; it runs once its dependencies ended.

        Args:
            step: Its name.

        Returns:
            Whether it was held; one that was not is left alone.

        Raises:
            UnknownFlow: If there is no such workflow, or no such step.

        Example:
            ```python
            await app.workflow(workflow_id).release("publish")
            ```
        """
        return await self._flows.release(self.id, step)

    async def signal(self, step: str, payload: Any = None, *, name: str = DEFAULT_NAME) -> bool:
        """Send a signal to a step that awaits it, or will; see `Staffa.signal`.

        Args:
            step: Its name.
            payload: Plain JSON, up to 64 KiB.
            name: Which signal it is, where the step waits for several.

        Returns:
            Whether the step has got it: it has not ended, and had none of that name.

        Raises:
            UnknownFlow: If there is no such workflow, or no such step.
            InvalidArgs: If the payload is no plain JSON, or too large.

        Example:
            ```python
            await app.workflow(workflow_id).signal("approval", {"approved": True})
            ```
        """
        return await self._flows.signal(self.id, step, payload, name)

    def append(self) -> Addition:
        """Return a builder of steps that it is to get, which `enqueue` takes.

        They may depend on each other and on its steps, on those that have ended, too.

        Example:
            ```python
            more = app.workflow(workflow_id).append()
            more.add("thank", thank.new(7), deps="ship")
            await app.enqueue(more)
            ```
        """
        return Addition(self.id)

    async def to_graph(self) -> dict[str, Any]:
        """Return its steps with their states, and what they wait for, as plain data.

        Example:
            ```python
            nodes = (await app.workflow(workflow_id).to_graph())["nodes"]
            ```
        """
        return to_graph(await self._flows.picture(self.id))

    async def to_mermaid(self) -> str:
        """Return its picture as text for Mermaid, coloured by the states of its jobs.

        Example:
            ```python
            print(await app.workflow(workflow_id).to_mermaid())
            ```
        """
        return to_mermaid(await self._flows.picture(self.id))

    async def to_dot(self) -> str:
        """Return its picture as text for Graphviz, coloured by the states of its jobs.

        Example:
            ```python
            print(await app.workflow(workflow_id).to_dot())
            ```
        """
        return to_dot(await self._flows.picture(self.id))

    def __repr__(self) -> str:
        return f"<WorkflowHandle {self.id}>"
