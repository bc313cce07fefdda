"""Processes for jobs that compute: our own supervisor of spawned Python processes.

The parent's side is this package, the program of the children is `child`. Each has a socket to the
other, on which JSON in `frames` travels and nothing else:

- parent to child: ``run``, ``stop``, ``answer``, ``exit``
- child to parent: ``ready``, ``started``, ``message``, ``result``, ``error``

A child has no database. What a running job wants of one, it asks the parent for by a message.

Usage:

    pool = ProcessPool(ProcessPoolSettings(size=4, max_jobs=1000))
    result = await pool.run(ProcessCall.of(job, definition), on_message=answer)
    await pool.stop()
"""

from typing import TYPE_CHECKING

from staffa._internal.lazy import exporter

if TYPE_CHECKING:
    from staffa.queues.pools.process.calls import ProcessCall
    from staffa.queues.pools.process.messages import OnMessage
    from staffa.queues.pools.process.pool import ProcessPool
    from staffa.queues.pools.process.settings import ProcessPoolSettings

__all__ = ["OnMessage", "ProcessCall", "ProcessPool", "ProcessPoolSettings"]

__getattr__ = exporter(
    __name__,
    {
        "OnMessage": "staffa.queues.pools.process.messages",
        "ProcessCall": "staffa.queues.pools.process.calls",
        "ProcessPool": "staffa.queues.pools.process.pool",
        "ProcessPoolSettings": "staffa.queues.pools.process.settings",
    },
)
