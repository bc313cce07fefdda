"""Which workers of a queue have their jobs run in chunks, as the code of this process says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from staffa import registry
from staffa.chunking import ChunkRule
from staffa.jobs import Job
from staffa.options import DEFAULT_QUEUE
from staffa.registry import WorkerDefinition


def rule_of(worker: WorkerDefinition) -> ChunkRule:
    """Return when the jobs of a worker run together, which has `chunk`."""
    chunk = worker.chunk
    assert chunk is not None  # noqa: S101  # it is one of those
    return ChunkRule(worker.names, chunk.size, chunk.seconds, chunk.fields)


def divide(jobs: Iterable[Job]) -> list[list[Job]]:
    """Return jobs as they would run if all were due now: one by one, but for those of chunks.

    A chunk has its place where the first one of its jobs is.
    """
    divided: list[list[Job]] = []
    forming: dict[tuple[str, str, str], list[Job]] = {}
    for job in jobs:
        worker = registry.find(job.worker)
        if worker is None or worker.chunk is None:
            divided.append([job])
            continue
        kind = (worker.name, job.queue, worker.chunk.key_of(job))
        if len(forming.get(kind, ())) % worker.chunk.size == 0:
            forming[kind] = []
            divided.append(forming[kind])
        forming[kind].append(job)
    return divided


class ChunkRules:
    """The rules of one queue.

    Those of the workers that are made for the queue hold from the beginning, so that the claims of
    other queues are not slowed down. Once a job of another such worker is met, all rules hold.

    Args:
        queue: The queue.
    """

    def __init__(self, queue: str) -> None:
        self._queue = queue
        self._known: tuple[WorkerDefinition, ...] = ()
        self._rules: tuple[ChunkRule, ...] = ()
        self._all = False

    def current(self) -> Sequence[ChunkRule]:
        """Return them; the code may have more workers by now."""
        known = registry.chunked()
        if known is not self._known:
            self._known = known
            self._rules = tuple(rule_of(worker) for worker in known if self._is_for(worker))
        return self._rules

    def find_strangers(self, jobs: Iterable[Job]) -> list[Job]:
        """Return jobs that should have been claimed in chunks, and see to it from now on."""
        names = {name for worker in registry.chunked() for name in worker.names}
        names.difference_update(*(rule.names for rule in self._rules))
        found = [job for job in jobs if job.worker in names] if names else []
        if found:
            self._all = True
            self._known = ()
        return found

    def _is_for(self, worker: WorkerDefinition) -> bool:
        return self._all or worker.options.get("queue", DEFAULT_QUEUE) == self._queue
