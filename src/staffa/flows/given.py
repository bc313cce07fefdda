"""Checks what is given to the methods of builders, before a step is made of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from staffa._internal.identifiers import is_storable_name
from staffa._internal.shown import shown
from staffa.errors import InvalidWorkflow
from staffa.flows.parts import Ignoring
from staffa.functions import JobCall, JobFunction
from staffa.options import check_flag


def check_text(value: object, what: str) -> str:
    """Return a text that identifies or names a workflow, or refuse it."""
    if not is_storable_name(value):
        raise InvalidWorkflow(
            f"{what} of a workflow is {shown(value)}: give 1 to 127 characters of text"
        )
    return str(value)


def dep_names(deps: object, step: str) -> tuple[str, ...]:
    """Return the names that a step depends on, each once."""
    if deps is None:
        return ()
    given = (deps,) if isinstance(deps, str) else deps
    if not isinstance(given, Iterable):
        raise InvalidWorkflow(f"deps of step {step!r} is {shown(deps)}: give names of steps")
    names = tuple(dict.fromkeys(given))
    for name in names:
        if not isinstance(name, str):
            raise InvalidWorkflow(
                f"step {step!r} depends on {shown(name)}: give the name of a step, a text"
            )
    return names


def ignoring_of(cancelled: bool | None, discarded: bool | None, deleted: bool | None) -> Ignoring:
    """Return which ends are ignored, or refuse what is no truth value."""
    for name, value in (
        ("ignore_cancelled", cancelled),
        ("ignore_discarded", discarded),
        ("ignore_deleted", deleted),
    ):
        if value is not None:
            check_flag(name, value)
    return Ignoring(cancelled, discarded, deleted)


def call_of(function: object, step: str) -> JobCall[...]:
    """Return a function of a cascade or a graft, or say that it is none."""
    if isinstance(function, JobFunction | JobCall):
        call = function.options() if isinstance(function, JobFunction) else function
        if call.definition.chunk is not None:
            raise InvalidWorkflow(
                f"{call.definition.name} of step {step!r} runs in chunks, whose jobs get a list in "
                "place of arguments: add its jobs with add or add_many"
            )
        return call
    named = getattr(function, "__qualname__", None)
    if callable(function) and isinstance(named, str) and not isinstance(function, type):
        raise InvalidWorkflow(
            f"the function {named} of step {step!r} is no job: decorate it with @job"
        )
    raise InvalidWorkflow(
        f"step {step!r} has {shown(function)} for its function: give one that @job decorated"
    )


def pair_of(given: tuple[Any, ...], step: str) -> tuple[Any, Any]:
    """Return elements and the function that takes them."""
    if len(given) != 2:
        raise InvalidWorkflow(
            f"step {step!r} has a tuple of {len(given)}: give (elements, function)"
        )
    return given[0], given[1]


def fan_out_call(function: object, step: str) -> JobCall[...]:
    """Return a function that takes an element."""
    call = call_of(function, step).recording()
    parameters = call.definition.parameters
    if parameters is None or not parameters.names:
        raise InvalidWorkflow(
            f"{call.definition.name} takes no element: the first parameter of the function of "
            f"{step!r} gets it"
        )
    return call
