"""Workflows and batches among what is enqueued."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from staffa._internal.lazy import load
from staffa.client.bulk import Bulk, flatten
from staffa.client.flows import Flows
from staffa.client.workflow_handles import WorkflowHandle
from staffa.errors import ConfigError
from staffa.flows import Addition, Batch, Workflow
from staffa.flows.builder import Builder
from staffa.flows.checks import check
from staffa.jobs import Job
from staffa.linking import InsertedGraph
from staffa.rehearsal import Execute

Part = list[Job] | Workflow | Addition | Batch
"""Jobs, a workflow or a batch."""


def has_flows(sources: Iterable[object]) -> bool:
    """Tell whether there are workflows or batches among what was given."""
    return any(isinstance(source, Builder | Batch) for source in sources)


def split_flows(sources: Iterable[Any], bulk: Bulk, *, stream: bool) -> list[Part]:
    """Return jobs, workflows and batches in the order given.

    Raises:
        ConfigError: If an option can't be used with these.
        InvalidWorkflow: If the steps of a workflow don't fit together: nothing is written then.
    """
    if stream:
        raise ConfigError(
            "a workflow or batch is given with stream=True: leave it out, it is written whole"
        )
    if bulk.skips:
        raise ConfigError(
            "a workflow or batch is given with on_conflict='skip': enqueue it by itself"
        )
    for source in sources:
        if isinstance(source, Workflow):
            check(source)
        elif isinstance(source, Batch):
            source.check()
    return [
        source if isinstance(source, Workflow | Addition | Batch) else list(flatten([source]))
        for source in sources
    ]


def handle_of(flow: Workflow | Addition, inserted: InsertedGraph, flows: Flows) -> WorkflowHandle:
    """Return the handle of a workflow that was written, or of the one that stands for it."""
    if inserted.existing is not None:
        return WorkflowHandle(inserted.existing, flows, conflict=True)
    return WorkflowHandle(flow.id if isinstance(flow, Workflow) else flow.workflow_id, flows)


def on_connection(conn: Any) -> Execute | None:
    """Return what runs statements on a user's connection; None without one."""
    return None if conn is None else partial(load("staffa.drivers.connections:run_on"), conn)
