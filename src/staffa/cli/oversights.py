"""What is likely to be forgotten or mistyped: workers, and names of queues."""

from __future__ import annotations

from collections.abc import Collection

from staffa._internal.nearest import nearest

_DEFAULT_QUEUE = "default"
_NO_WORKERS = (
    "no worker is known here, so no job can run: name the modules that define them in the setting "
    "imports, or with --import"
)


def find_oversights(running: Collection[str], worker_queues: Collection[str | None]) -> list[str]:
    """Return sentences for whoever has started the process; none where nothing looks wrong.

    A queue that no worker names is no mistake by itself: jobs may be given a queue when they are
    enqueued. Only one that looks like another, which does not run here, is told.

    Args:
        running: The queues that run here.
        worker_queues: The queue of each worker that is known here; None where it names none.

    Example:
        >>> find_oversights(["mial"], ["mail"])
        ["no worker here has the queue 'mial': did you mean 'mail'?"]
    """
    if not worker_queues:
        return [_NO_WORKERS]
    named = {queue or _DEFAULT_QUEUE for queue in worker_queues}
    missing = named - set(running)
    return [
        f"no worker here has the queue {queue!r}: did you mean {near!r}?"
        for queue in sorted(set(running) - named)
        if (near := nearest(queue, missing)) is not None
    ]
