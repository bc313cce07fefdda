"""Makes the jobs of a graph as they are to be written: encrypted where that was asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from staffa.args.encryption import KeyRing
from staffa.jobs import Job
from staffa.linking import Graph, NewFlow, NewStep


def sealed(graph: Graph, keys: KeyRing) -> Graph:
    """Return a graph with its jobs as they are to be written, read as late as they were.

    Raises:
        ConfigError: While it is read, if there is no key for one.
    """
    steps = _Sealed(graph.steps, keys)
    return replace(
        graph,
        flows=[_with_sealed_callbacks(flow, keys) for flow in graph.flows],
        steps=list(steps) if isinstance(graph.steps, Collection) else steps,
    )


def _with_sealed_callbacks(flow: NewFlow, keys: KeyRing) -> NewFlow:
    if not flow.callbacks:
        return flow
    callbacks = {
        event: jobs.sealed(keys) if isinstance(jobs, Job) else [job.sealed(keys) for job in jobs]
        for event, jobs in flow.callbacks.items()
    }
    return replace(flow, callbacks=callbacks)


class _Sealed:
    def __init__(self, steps: Iterable[NewStep], keys: KeyRing) -> None:
        self._steps = steps
        self._keys = keys

    def __iter__(self) -> Iterator[NewStep]:
        for step in self._steps:
            job = step.job
            if job.chain is not None and job.encrypted:
                job = job.on_chain(self._keys.keyed_digest)
            job = job.sealed(self._keys)
            yield step if job is step.job else replace(step, job=job)
