"""Background jobs on PostgreSQL: a job is a row, written in your own transaction if you like."""

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
