"""The results of workflows, nested as the workflows are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from staffa.errors import ResultUnavailable
from staffa.jobs import Job
from staffa.memberships import GRAFT_KEY, GRAFTED_KEY, STEP_KEY
from staffa.recorded import FlowResults, recorded_result
from staffa.types import State


class Results:
    """What was read of the results of flows, by flow.

    Args:
        read: What the engine has read.
    """

    def __init__(self, read: FlowResults) -> None:
        self._flows = read.flows
        self._inner: defaultdict[str, list[str]] = defaultdict(list)
        for number, flow in read.flows.items():
            if flow.parent is not None:
                self._inner[flow.parent].append(number)
        self._jobs: dict[str, list[Job]] = {}
        for number, job in read.jobs:
            self._jobs.setdefault(number, []).append(job)

    def of_flow(self, flow: str, *, with_subs: bool = True) -> Any:
        """Return what the jobs of a flow have recorded: by name, or as a list of it is one.

        What has no result is left out; in a list, it is None.

        Raises:
            ResultUnavailable: If a recorded result can't be read.
        """
        order, waiting = [], [flow]  # no recursion: grafts may go deep
        while waiting:
            order.append(waiting.pop())
            waiting += self._inner.get(order[-1], ()) if with_subs else ()
        values: dict[str, Any] = {}
        for number in reversed(order):
            values[number] = self._value_of(number, values)
        return values[flow]

    def _value_of(self, flow: str, inner: Mapping[str, Any]) -> Any:
        """Return the results of a flow, those of what is inside of it being there."""
        found = dict(self._named(flow, inner))
        form = self._form_of(flow)
        if form == "list":
            return self._list_of(flow, found)
        values = {name: value for name, (value, there) in found.items() if there}
        if form == "workflow":  # what was grafted, and what came to it later
            places = [self._flows[one].place for one in self._inner[flow]]
            values = (values.pop(str(places[0]), None) or {} if places else {}) | values
        return values

    def _list_of(self, flow: str, found: Mapping[str, tuple[Any, bool]]) -> list[Any]:
        """Return the results of a list, in which each has its place, and what came to it later."""
        known, places = self._flows[flow], {self._flows[one].place for one in self._inner[flow]}
        numbered = {int(name): name for name in found if str(_number(name)) == name}
        named = set(numbered.values())
        later = [name for name in found if name not in named]
        jobs_later = sum(name not in places for name in later)
        length = known.total - (known.form == "graft") - jobs_later + len(places & named)
        order: list[str | None] = [numbered.get(number) for number in range(length)]
        order += [numbered[number] for number in sorted(numbered) if number >= length]
        return [None if name is None else found[name][0] for name in (*order, *later)]

    def job(self, flow: str, name: str) -> Job | None:
        """Return the job of a name, if there is one."""
        return next(
            (job for job in self._jobs.get(flow, ()) if job.meta.get(STEP_KEY) == name), None
        )

    def why_none(self, flow: str) -> str | None:
        """Return why there is no result of a flow at all; None if that is as it should be."""
        form = self._form_of(flow)
        if form == "graft":
            return "nothing was grafted"
        if form is None or self._inner.get(flow):
            return None
        members = [job for job in self._jobs.get(flow, ()) if GRAFT_KEY not in job.meta]
        done = [job for job in members if job.state is State.COMPLETED]
        if not done or any(job.meta.get("recorded") is True for job in done):
            return None
        return f"its jobs recorded no results: give {done[0].worker} recorded=True"

    def _form_of(self, flow: str) -> str | None:
        """Return how the results of a flow are told: a graft's as what was grafted."""
        known = self._flows.get(flow)
        form = None if known is None else known.form
        if form == "graft":
            notes = [job.meta.get(GRAFTED_KEY) for job in self._jobs.get(flow, ())]
            return next((note for note in notes if isinstance(note, str)), form)
        return form

    def _named(self, flow: str, inner: Mapping[str, Any]) -> Iterator[tuple[str, tuple[Any, bool]]]:
        """Yield the names in a flow, each with its result and whether it has one."""
        for job in self._jobs.get(flow, ()):
            name = job.meta.get(STEP_KEY)
            if isinstance(name, str) and GRAFT_KEY not in job.meta:
                there = has_result(job)
                yield name, (recorded_result(job) if there else None, there)
        for number in self._inner.get(flow, ()):
            place = self._flows[number].place
            if place is not None and number in inner:
                yield place, (inner[number], True)


def _number(name: str) -> int | None:
    return int(name) if name.isdecimal() and name.isascii() else None


def has_result(job: Job) -> bool:
    """Tell whether a job has recorded a result."""
    return (
        job.state is State.COMPLETED
        and job.meta.get("recorded") is True
        and isinstance(job.meta.get("return"), str)
    )


def explain(job: Job | None) -> str:
    """Return why a job has no result."""
    if job is None:
        return "there is no such job any more"
    try:
        recorded_result(job)
    except ResultUnavailable as error:
        return str(error)
    return "it has one"


def merge_contexts(contexts: Mapping[str, Any], order: list[str]) -> dict[str, Any]:
    """Return the values of several contexts, those of inner ones instead of outer ones."""
    merged: dict[str, Any] = {}
    for flow in order:
        found = contexts.get(flow)
        if isinstance(found, Mapping):
            merged.update(found)
    return merged
