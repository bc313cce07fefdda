"""Background jobs on PostgreSQL: a job is a row, written in your own transaction if you like."""

from typing import TYPE_CHECKING

from staffa._internal.lazy import exporter

if TYPE_CHECKING:
    from staffa.ageing import Prioritizer, Rise
    from staffa.chains import Chain
    from staffa.chunks import Chunk
    from staffa.client import Staffa
    from staffa.client.batch_handles import BatchHandle
    from staffa.client.workflow_handles import WorkflowHandle
    from staffa.config import Config
    from staffa.cron import Cron
    from staffa.deadlines import Deadline
    from staffa.dynamic import DynamicQueue
    from staffa.filters import JobFilter
    from staffa.flows import Batch, Workflow
    from staffa.flows.batch_status import BatchStatus
    from staffa.flows.status import WorkflowStatus
    from staffa.instance import get as get_instance
    from staffa.jobs import Job, current_job
    from staffa.limits import GlobalLimit, Partition, RateLimit
    from staffa.only import Only
    from staffa.queue import MaxDepth, Queue
    from staffa.results import Cancel, Discard, Record, Recorded, Snooze
    from staffa.signals import await_signal, await_signal_sync
    from staffa.types import Connectivity, EndReason, State
    from staffa.unique import Unique
    from staffa.upkeep import Keep, Pruner, Reindexer
    from staffa.workers import Worker, job, worker

    Oban = Staffa
    """The same client under the name that users of the Python package `oban` know."""

__version__ = "0.1.0.dev0"

__all__ = [
    "Batch",
    "BatchHandle",
    "BatchStatus",
    "Cancel",
    "Chain",
    "Chunk",
    "Config",
    "Connectivity",
    "Cron",
    "Deadline",
    "Discard",
    "DynamicQueue",
    "EndReason",
    "GlobalLimit",
    "Job",
    "JobFilter",
    "Keep",
    "MaxDepth",
    "Oban",
    "Only",
    "Partition",
    "Prioritizer",
    "Pruner",
    "Queue",
    "RateLimit",
    "Record",
    "Recorded",
    "Reindexer",
    "Rise",
    "Snooze",
    "Staffa",
    "State",
    "Unique",
    "Worker",
    "Workflow",
    "WorkflowHandle",
    "WorkflowStatus",
    "await_signal",
    "await_signal_sync",
    "current_job",
    "get_instance",
    "job",
    "worker",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__getattr__ = exporter(
    __name__,
    {
        "Batch": "staffa.flows",
        "BatchHandle": "staffa.client.batch_handles",
        "BatchStatus": "staffa.flows.batch_status",
        "Cancel": "staffa.results",
        "Chain": "staffa.chains",
        "Chunk": "staffa.chunks",
        "Config": "staffa.config",
        "Connectivity": "staffa.types",
        "Cron": "staffa.cron",
        "Deadline": "staffa.deadlines",
        "Discard": "staffa.results",
        "DynamicQueue": "staffa.dynamic",
        "EndReason": "staffa.types",
        "GlobalLimit": "staffa.limits",
        "Job": "staffa.jobs",
        "JobFilter": "staffa.filters",
        "Keep": "staffa.upkeep",
        "MaxDepth": "staffa.queue",
        "Oban": "staffa.client:Staffa",
        "Only": "staffa.only",
        "Partition": "staffa.limits",
        "Prioritizer": "staffa.ageing",
        "Pruner": "staffa.upkeep",
        "Queue": "staffa.queue",
        "RateLimit": "staffa.limits",
        "Record": "staffa.results",
        "Recorded": "staffa.results",
        "Reindexer": "staffa.upkeep",
        "Rise": "staffa.ageing",
        "Snooze": "staffa.results",
        "Staffa": "staffa.client",
        "State": "staffa.types",
        "Unique": "staffa.unique",
        "Worker": "staffa.workers",
        "Workflow": "staffa.flows",
        "WorkflowHandle": "staffa.client.workflow_handles",
        "WorkflowStatus": "staffa.flows.status",
        "await_signal": "staffa.signals",
        "await_signal_sync": "staffa.signals",
        "current_job": "staffa.jobs",
        "get_instance": "staffa.instance:get",
        "job": "staffa.workers",
        "worker": "staffa.workers",
    },
)
