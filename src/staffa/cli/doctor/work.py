"""Looks at the work: processes, jobs that are stuck, late, too old, or known to nobody."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from datetime import datetime

from staffa.cli.code import UnknownName
from staffa.cli.doctor.findings import Finding, ok, problem, warning
from staffa.cli.output import count_of, tell_seconds
from staffa.cli.queue_status import QueueStatus
from staffa.jobs import Job
from staffa.survey import ELIXIR, PYTHON, Outcomes, ProducerStatus, Running, Waiting
from staffa.types import State

_RESCUE_SECONDS = 60.0  # after a death is certain, living processes have had their time
_LATE_SECONDS = 300.0
LATELY_SECONDS = 3600.0
_HIGH_SHARE = 0.2
_LEAST_FAILED = 10  # fewer may be chance
_MOST_NAMED = 5
_PEER_SECONDS = {ELIXIR: 3600.0, PYTHON: 300.0}
"""The ages after which the lifelines of other implementations take running jobs away."""


def judge_producers(
    producers: Sequence[ProducerStatus],
    running: Sequence[Running],
    name: str,
    dead_after: float,
) -> Iterator[Finding]:
    """Judge the worker processes of an instance, and what dead ones hold."""
    check = "processes"
    own = [one for one in producers if one.name == name]
    living = [one for one in own if one.silent < dead_after]
    leader = next((one.node for one in living if one.leads), None)
    if living:
        leads = f"{leader} leads" if leader else "nobody leads at the moment"
        yield ok(check, f"{len(living)} live, on {_nodes(living)}; {leads}")
    else:
        yield warning(check, f"no worker process of {name!r} lives", "run 'staffa start'")
    held = {one.producer: 0 for one in running}
    for one in running:
        held[one.producer] += one.count
    for dead in own:
        count = held.get(str(dead.uuid), 0)
        if dead.silent < dead_after or not count:
            continue
        what = (
            f"a process on {dead.node} has been silent for {tell_seconds(dead.silent)} and holds "
            f"{count_of(count, 'running job')}"
        )
        if living and dead.silent < dead_after + _RESCUE_SECONDS:
            yield warning("dead processes", what, "wait: the living ones are about to rescue them")
        elif living:
            yield problem(
                "dead processes",
                what,
                "see the logs of the living processes: their lifelines should have rescued them",
            )
        else:
            yield problem(
                "dead processes", what, "run 'staffa start': a living process rescues them"
            )


def judge_age(longest: Job | None, leading_peers: Sequence[str], now: datetime) -> Finding:
    """Judge the longest running job: other implementations rescue by age alone."""
    check = "running jobs"
    if longest is None or longest.attempted_at is None:
        return ok(check, "none runs")
    age = (now - longest.attempted_at).total_seconds()
    what = f"job {longest.id} of {longest.worker} has run longest, for {tell_seconds(age)}"
    for peer in leading_peers:
        if age > _PEER_SECONDS[peer]:
            return warning(
                check,
                f"{what}; {peer} leads as well, and takes jobs away after "
                f"{tell_seconds(_PEER_SECONDS[peer])} unless told otherwise",
                f"set the rescue age of the lifeline of {peer} above your longest job",
            )
    return ok(check, what)


def judge_waiting(
    waiting: Sequence[Waiting], queues: Sequence[QueueStatus], now: datetime
) -> Iterator[Finding]:
    """Judge for how long the oldest available job of each queue has waited."""
    check = "waiting jobs"
    paused = {status.queue for status in queues if status.paused}
    late, told = False, []
    for one in waiting:
        if one.state is not State.AVAILABLE:
            continue
        age = (now - one.due_at).total_seconds()
        told.append(f"{one.queue} {tell_seconds(max(age, 0.0))}")
        if age < _LATE_SECONDS:
            continue
        late = True
        what = f"the oldest job of queue {one.queue} has waited for {tell_seconds(age)}"
        if one.queue in paused:
            yield warning(
                check,
                f"{what}; it is paused",
                f"run: staffa queues resume {shlex.quote(one.queue)}",
            )
        else:
            yield warning(
                check, what, "see that a process runs this queue, or raise its limit, or run more"
            )
    if not late:
        yield ok(check, f"the oldest by queue: {', '.join(told)}" if told else "none waits")


def judge_outcomes(outcomes: Sequence[Outcomes]) -> Iterator[Finding]:
    """Judge how large a part of each worker's jobs has failed lately."""
    check = "failing jobs"
    failing = [one for one in outcomes if one.failed >= _LEAST_FAILED and _share(one) > _HIGH_SHARE]
    failing.sort(key=_share, reverse=True)
    for one in failing[:_MOST_NAMED]:
        worker = shlex.quote(one.worker)
        yield warning(
            check,
            f"{_share(one):.0%} of the jobs of {one.worker} that ended lately have failed "
            f"({one.failed} of {one.failed + one.completed})",
            f"run: staffa jobs list --worker {worker} --state retryable --state discarded",
        )
    if len(failing) > _MOST_NAMED:
        left = len(failing) - _MOST_NAMED
        yield warning(
            check, f"so have those of {count_of(left, 'more worker')}", "look at the first ones"
        )
    if not failing:
        failed = sum(one.failed for one in outcomes)
        ended = failed + sum(one.completed for one in outcomes)
        told = f"{failed} of {count_of(ended, 'job')} that ended lately have failed"
        yield ok(check, told if ended else "none has ended in the last hour")


def judge_workers(unknown: Sequence[UnknownName] | None) -> Finding:
    """Judge whether the code knows the workers of jobs that wait.

    Args:
        unknown: Those that it does not know; None if no code was given.
    """
    check = "workers"
    if unknown is None:
        return ok(check, "not compared with code: give --import to do so")
    if not unknown:
        return ok(check, "the code knows all workers of jobs that wait")
    named = ", ".join(f"{one.worker} ({count_of(one.jobs, 'job')})" for one in unknown[:10])
    more = f" and {len(unknown) - 10} more" if len(unknown) > 10 else ""
    return problem(
        check,
        f"unknown here: {named}{more}",
        "see 'staffa check': give the code these names as aliases, or import what defines them",
    )


def _nodes(producers: Sequence[ProducerStatus]) -> str:
    return ", ".join(sorted({one.node for one in producers}))


def _share(one: Outcomes) -> float:
    return one.failed / (one.failed + one.completed)
