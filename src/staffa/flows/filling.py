"""Fills the arguments of a job that was claimed: from the context, and from results before it.

At most two reads: the contexts, and the results.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from staffa._internal.shown import shown
from staffa.errors import InvalidArgs, ResultUnavailable
from staffa.flows.inner import CONTEXT_OPTION
from staffa.flows.parts import CONTEXT_PARAMETER
from staffa.flows.results import Results, explain, has_result, merge_contexts
from staffa.jobs import Job
from staffa.linking import Linking
from staffa.memberships import CASCADE_KEY
from staffa.recorded import recorded_result
from staffa.registry import WorkerDefinition


@dataclass(frozen=True, slots=True)
class Wanted:
    """Where the arguments of a job are, as its meta tells.

    Args:
        flow: The flow whose steps it depends on.
        contexts: The flows whose contexts hold, outer ones first.
        jobs: The names of jobs that it depends on.
        flows: The ids of flows that it depends on, by their names.
    """

    flow: str
    contexts: list[str]
    jobs: list[str]
    flows: Mapping[str, str]

    @classmethod
    def of(cls, job: Job) -> Wanted:
        """Return it of a job; any client may have written its meta.

        Raises:
            InvalidArgs: If it is something else.
        """
        given = job.meta.get(CASCADE_KEY)
        try:
            flows = dict(given["flows"])  # type: ignore[index]  # what it is is looked at here
            lists = [list(given[key]) for key in ("contexts", "jobs")]  # type: ignore[index]
            names = [given["flow"], *lists[0], *lists[1], *flows, *flows.values()]  # type: ignore[index]
        except (KeyError, TypeError, ValueError):
            names = [None]
        if not all(isinstance(name, str) for name in names):
            raise InvalidArgs(
                f"meta.{CASCADE_KEY} of job {job.id} is {shown(given)}: it was changed"
            )
        return cls(names[0], lists[0], lists[1], flows)


async def fill(job: Job, definition: WorkerDefinition, engine: Linking) -> None:
    """Give a claimed job the arguments that it lacks.

    Raises:
        InvalidArgs: If one that is required can't be found; the message says why.
        DatabaseError: If the database can't be reached.
    """
    wanted = Wanted.of(job)
    context = await read_context(wanted.contexts, engine)
    results: dict[str, Any] = {}
    missing: dict[str, str] = {}
    if wanted.jobs or wanted.flows:
        read = Results(
            await engine.read_results(
                list(wanted.flows.values()), flow=wanted.flow, names=wanted.jobs
            )
        )
        results, missing = _results_of(wanted, read)
    job.fill_args(_arguments(job, definition, {**context, **results}, missing))


async def read_context(contexts: list[str], engine: Linking) -> dict[str, Any]:
    """Return the values of contexts, those of inner ones instead of outer ones."""
    if not contexts:
        return {}
    rows = await engine.read_flows(contexts)
    return merge_contexts({row.id: row.options.get(CONTEXT_OPTION) for row in rows}, contexts)


def _results_of(wanted: Wanted, read: Results) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the results of what a job depends on, and of others why there is none."""
    results: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for name in wanted.jobs:
        found = read.job(wanted.flow, name)
        if found is not None and has_result(found):
            try:
                results[name] = recorded_result(found)
            except ResultUnavailable as error:
                missing[name] = str(error)
        else:
            missing[name] = explain(found)
    for name, flow in wanted.flows.items():
        reason = read.why_none(flow)
        if reason is not None:
            missing[name] = reason
            continue
        try:
            results[name] = read.of_flow(flow)
        except ResultUnavailable as error:
            missing[name] = str(error)
    return results, missing


def _arguments(
    job: Job, definition: WorkerDefinition, values: dict[str, Any], missing: Mapping[str, str]
) -> dict[str, Any]:
    """Return the arguments of a call; those that the job has go first."""
    given = dict(job.args)
    parameters = definition.parameters
    if parameters is None:
        raise InvalidArgs(f"{definition.name} is no function: nothing can be filled in")
    names = values if parameters.takes_more else parameters.names
    filled = {name: values[name] for name in names if name in values}
    if CONTEXT_PARAMETER in parameters.names:
        filled[CONTEXT_PARAMETER] = values
    filled |= given
    for name in parameters.names:
        if name in parameters.required and name not in filled:
            why = missing.get(name) or f"there are {', '.join(sorted(values)) or 'none'}"
            raise InvalidArgs(f"{definition.name} needs {name!r}, which can't be filled in: {why}")
    return filled
