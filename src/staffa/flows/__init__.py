"""Workflows: how they are built, and what is made of them."""

from staffa.flows.workflow import Addition, Workflow

__all__ = ["Addition", "Workflow"]
