"""What tests of programs with jobs need; the fixtures for pytest are in a plugin of their own.

- `mode`: jobs are only stored, or run where they are enqueued.
- `perform_job`: runs one job without a database.
- `run_chunk`: runs the jobs of a chunk without a database.
- `drain_queue`: runs what is enqueued.
- `run_workflow`: enqueues a workflow and runs it to its end.
- `run_batch`: does so with a batch and its callbacks.
- `assert_enqueued`, `refute_enqueued`, `all_enqueued`: look at what is enqueued.
- `tick_crons`: has cron look what is due.
- `VirtualClock`: time as the test wants it.
- `sync`: the same helpers without awaiting.
"""

from staffa.modes import mode
from staffa.testing.asserts import all_enqueued, assert_enqueued, refute_enqueued
from staffa.testing.batches import run_batch
from staffa.testing.clock import VirtualClock
from staffa.testing.crons import tick_crons
from staffa.testing.drain import drain_queue
from staffa.testing.perform import Performed, perform_job, process_job, run_chunk
from staffa.testing.resets import reset, reset_oban
from staffa.testing.workflows import run_workflow

__all__ = [
    "Performed",
    "VirtualClock",
    "all_enqueued",
    "assert_enqueued",
    "drain_queue",
    "mode",
    "perform_job",
    "process_job",
    "refute_enqueued",
    "reset",
    "reset_oban",
    "run_batch",
    "run_chunk",
    "run_workflow",
    "tick_crons",
]
