"""The flows that are written of a workflow: itself, and those inside of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from staffa.flows.builder import Builder
from staffa.flows.parts import UNSAID, FlowPart, GraftPart, GroupPart, Ignoring, Part
from staffa.flows.workflow import Workflow
from staffa.linking import FlowKind, NewFlow

CONTEXT_OPTION = "context"
"""Where the options of a flow hold what was put into its context."""
AROUND_OPTION = "contexts"
"""Where they hold the ids of the flows whose contexts hold in it, outer ones first."""
IGNORE_OPTION = "ignore"
"""Where they hold which ends its steps ignore."""
ENTRY_OPTION = "entry"
"""Where they hold which ends its first steps ignore of what it waits for as a whole."""
FORM_OPTION = "form"
"""Where they tell what it is if it is no workflow of its own: ``list``, ``mapping``, ``graft``."""
META_OPTION = "meta"
"""Where they hold what the user noted about it."""


@dataclass(frozen=True, slots=True)
class Inner:
    """A flow that is to be written, and the workflow in it, if it is one."""

    flow: NewFlow
    workflow: Workflow | None = None
    contexts: tuple[str, ...] = ()
    ignoring: Ignoring = UNSAID


def outermost_flow(workflow: Workflow) -> Inner:
    """Return the flow of a workflow that stands alone."""
    return _inner_of(workflow, None, workflow.id, None, (), UNSAID)


def _inner_of(
    workflow: Workflow,
    parent: str | None,
    root: str,
    part: FlowPart | None,
    contexts: tuple[str, ...],
    ignoring: Ignoring,
) -> Inner:
    around = contexts_of(workflow, contexts)
    ignored = workflow.ignoring.over(ignoring)
    options: dict[str, Any] = {}
    if workflow.context:
        options[CONTEXT_OPTION] = workflow.context
    if around:
        options[AROUND_OPTION] = list(around)
    if ignored.names:
        options[IGNORE_OPTION] = ignored.names
    if workflow.meta:
        options[META_OPTION] = workflow.meta
    if part is not None:
        options |= _entry_option(part, ignoring)
    flow = NewFlow(
        id=workflow.id,
        kind=FlowKind.WORKFLOW,
        root=root,
        parent=parent,
        name=workflow.name,
        place=None if part is None else part.name,
        options=options,
        needs=() if part is None else part.deps,
    )
    return Inner(flow, workflow, around, ignored)


def make_flows(inner: Sequence[Inner]) -> list[NewFlow]:
    """Return flows with those inside of them, outer ones before inner ones."""
    found: list[NewFlow] = []
    waiting = list(reversed(inner))
    while waiting:
        one = waiting.pop()
        found.append(one.flow)
        if one.workflow is not None:
            within = flows_within(
                one.workflow, one.flow.id, one.flow.root, one.contexts, one.ignoring
            )
            waiting += reversed(within)
    return found


def flows_within(
    builder: Builder, flow: str, root: str, contexts: tuple[str, ...], ignoring: Ignoring
) -> list[Inner]:
    """Return the flows that are steps of a workflow."""
    found = []
    for part in builder.parts.values():
        if isinstance(part, FlowPart):
            found.append(_inner_of(part.workflow, flow, root, part, contexts, ignoring))
        elif isinstance(part, GroupPart | GraftPart):
            found.append(Inner(_flow_of_part(part, flow, root, contexts, ignoring)))
    return found


def _flow_of_part(
    part: GroupPart | GraftPart,
    parent: str,
    root: str,
    contexts: tuple[str, ...],
    ignoring: Ignoring,
) -> NewFlow:
    form = "graft"
    if isinstance(part, GroupPart):
        form = "mapping" if part.elements.keyed else "list"
    options: dict[str, Any] = {FORM_OPTION: form}
    if isinstance(part, GraftPart):
        options |= {AROUND_OPTION: list(contexts)} if contexts else {}
        options |= {IGNORE_OPTION: ignoring.names} if ignoring.names else {}
    options |= _entry_option(part, ignoring)
    return NewFlow(
        id=part.flow,
        kind=FlowKind.WORKFLOW,
        root=root,
        parent=parent,
        place=part.name,
        options=options,
        needs=part.deps,
    )


def _entry_option(part: Part, ignoring: Ignoring) -> dict[str, list[str]]:
    names = part.ignoring.over(ignoring).names if part.deps else []
    return {ENTRY_OPTION: names} if names else {}


def contexts_of(workflow: Workflow, around: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ids of the flows whose contexts hold in a workflow, outer ones first."""
    return (*around, workflow.id) if workflow.context else around
