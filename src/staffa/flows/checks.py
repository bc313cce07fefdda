"""Whether the steps of a workflow fit together: before anything is written, in linear time."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping, Sequence

from staffa._internal.nearest import nearest
from staffa.errors import InvalidWorkflow
from staffa.flows.builder import Builder
from staffa.flows.parts import CONTEXT_PARAMETER, CascadePart, FlowPart, GroupPart, Part
from staffa.flows.workflow import Workflow
from staffa.functions import JobCall

_MOST_LISTED = 20


def check(builder: Builder, stored: Collection[str] = (), context: Collection[str] = ()) -> None:
    """Refuse a workflow whose steps, at any depth, don't fit together.

    Args:
        builder: The workflow, or what is added to one.
        stored: The names of steps that there are already.
        context: The names of the context around it.

    Raises:
        InvalidWorkflow: If a step depends on one that there is not, or on itself by way of others,
            or if a function needs an argument that nobody gives it.
    """
    waiting = [(builder, frozenset(stored), frozenset(context))]
    while waiting:
        around, known, outer = waiting.pop()
        in_order(around, known)
        names = outer | around.context.keys() if isinstance(around, Workflow) else outer
        for part in around.parts.values():
            _check_arguments(part, names)
            if isinstance(part, FlowPart):
                waiting.append((part.workflow, frozenset(), names))


def in_order(builder: Builder, stored: Collection[str] = ()) -> list[Part]:
    """Return the parts of a workflow, each after those that it depends on, else as they were added.

    Raises:
        InvalidWorkflow: If one depends on one that there is not, or they go round in a circle.
    """
    parts = builder.parts
    places = {name: place for place, name in enumerate(parts)}
    open_deps: dict[str, int] = {}
    waiting: dict[str, list[str]] = {}
    for part in parts.values():
        own = [dep for dep in part.deps if dep in parts]
        if len(own) < len(part.deps):
            _refuse_unknown(builder, part, stored)
        open_deps[part.name] = len(own)
        for dep in own:
            waiting.setdefault(dep, []).append(part.name)
    ready = [places[name] for name, count in open_deps.items() if not count]
    in_turn = list(parts.values())
    found: list[Part] = []
    while ready:
        part = in_turn[heapq.heappop(ready)]
        found.append(part)
        for name in waiting.get(part.name, ()):
            open_deps[name] -= 1
            if not open_deps[name]:
                heapq.heappush(ready, places[name])
    if len(found) < len(parts):
        circle = _find_circle(parts, {name for name, count in open_deps.items() if count})
        raise InvalidWorkflow(
            f"steps of {builder.title} wait for each other in a circle, so none of them could "
            f"run: {' -> '.join(circle)} (an arrow leads to what a step depends on)"
        )
    return found


def _refuse_unknown(builder: Builder, part: Part, stored: Collection[str]) -> None:
    for dep in part.deps:
        if dep in builder.parts or dep in stored:
            continue
        known = [name for name in (*builder.parts, *stored) if name != part.name]
        near = nearest(dep, known)
        remedy = f"did you mean {near!r}?" if near else f"its other steps are {listed(known)}"
        raise InvalidWorkflow(
            f"step {part.name!r} depends on {dep!r}, which is no step of {builder.title}: {remedy}"
        )


def _find_circle(parts: Mapping[str, Part], left: Collection[str]) -> Sequence[str]:
    """Return the names along one circle, the first once more at the end; all that is left waits."""
    seen: dict[str, int] = {}
    name = next(iter(sorted(left)))
    while name not in seen:
        seen[name] = len(seen)
        name = next(dep for dep in parts[name].deps if dep in left)
    path = list(seen)[seen[name] :]
    return [*path, name]


def _check_arguments(part: Part, context: frozenset[str]) -> None:
    """Refuse a function that needs an argument which neither its deps nor the context have."""
    call, filled = _call_of(part)
    if call is None or call.definition.parameters is None:
        return
    parameters = call.definition.parameters
    given = {CONTEXT_PARAMETER, *parameters.names[:filled], *part.deps, *context}
    missing = [name for name in parameters.names if name in parameters.required - given]
    if missing:
        raise InvalidWorkflow(
            f"step {part.name!r} calls {call.definition.name}, which needs "
            f"{', '.join(map(repr, missing))}: it depends on {listed(part.deps)}, and the context "
            f"has {listed(sorted(context))}"
        )


def _call_of(part: Part) -> tuple[JobCall[...] | None, int]:
    """Return the function of a part whose arguments are filled, and how many it has already."""
    if isinstance(part, CascadePart):
        return part.call, 0
    if isinstance(part, GroupPart):
        return part.call, 1
    return None, 0


def listed(names: Collection[str]) -> str:
    """Return names for a message, not too many of them."""
    shown = [repr(name) for name, _ in zip(names, range(_MOST_LISTED), strict=False)]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "") if shown else "nothing"
