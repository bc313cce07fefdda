"""Workflows and batches: how they are built, and what is made of them."""

from staffa.flows.batch import Batch
from staffa.flows.callbacks import Callbacks
from staffa.flows.workflow import Addition, Workflow

__all__ = ["Addition", "Batch", "Callbacks", "Workflow"]
