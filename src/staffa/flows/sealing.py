"""Makes the jobs of a graph as they are to be written: encrypted where that was asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from staffa.args.encryption import KeyRing
from staffa.linking import Graph, NewStep


def sealed(graph: Graph, keys: KeyRing) -> Graph:
    """Return a graph with its jobs as they are to be written, read as late as they were.

    Raises:
        ConfigError: While it is read, if there is no key for one.
    """
    steps = _Sealed(graph.steps, keys)
    return replace(graph, steps=list(steps) if isinstance(graph.steps, Collection) else steps)


class _Sealed:
    def __init__(self, steps: Iterable[NewStep], keys: KeyRing) -> None:
        self._steps = steps
        self._keys = keys

    def __iter__(self) -> Iterator[NewStep]:
        for step in self._steps:
            job = step.job.sealed(self._keys)
            yield step if job is step.job else replace(step, job=job)
