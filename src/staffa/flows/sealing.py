"""Makes the jobs of a graph as they are to be written: encrypted where that was asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from staffa.args.encryption import KeyRing
from staffa.jobs import Job
from staffa.linking import Graph, NewFlow, NewStep


def seal(job: Job, keys: KeyRing) -> Job:
    """Return a job as it is to be written; keys and chains are made of its plain args.

    Raises:
        ConfigError: If there is no key for it, or if it may put its args into another worker's row.
    """
    if (job.unique is not None or job.chain is not None) and job.encrypted:  # its meta must be read
        if job.unique is not None:
            job.refuse_strange_args()
            job.fix_unique_key(keys.keyed_digest)
        if job.chain is not None:
            job = job.on_chain(keys.keyed_digest)
    return job.sealed(keys)


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
        event: seal(jobs, keys) if isinstance(jobs, Job) else [seal(job, keys) for job in jobs]
        for event, jobs in flow.callbacks.items()
    }
    return replace(flow, callbacks=callbacks)


class _Sealed:
    def __init__(self, steps: Iterable[NewStep], keys: KeyRing) -> None:
        self._steps = steps
        self._keys = keys

    def __iter__(self) -> Iterator[NewStep]:
        for step in self._steps:
            job = seal(step.job, self._keys)
            yield step if job is step.job else replace(step, job=job)
