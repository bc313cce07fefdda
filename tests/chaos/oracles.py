"""Oracles: what must be true of every history, whatever went wrong meanwhile.

Each is a pure function of a `History` that returns what contradicts it, in sentences; none judges
how fast something went. `judge` asks all of them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf

from tests.chaos.history import FINAL, Beat, Change, History, Lease, Mark, Step

Oracle = Callable[[History], list[str]]

_AGAIN = frozenset({Step.FAIL, Step.SNOOZE, Step.PUT_BACK, Step.RESCUE, Step.RETRY})
_ENDINGS: Mapping[Step, frozenset[str]] = {
    Step.COMPLETE: frozenset({"completing"}),
    Step.SNOOZE: frozenset({"snoozing"}),
}


def lost(history: History) -> list[str]:
    """Every id whose commit somebody saw is there, and is deleted by nobody."""
    wrong = []
    for note in history.noted("committed"):
        for job in note.data["ids"]:
            changes = history.of_job.get(job, [])
            if not changes or changes[0].step is not Step.INSERT:
                wrong.append(f"job {job} was committed, and was never there")
            elif changes[-1].step is Step.DELETE:
                wrong.append(f"job {job} was committed, and is gone")
    return wrong


def doubled(history: History) -> list[str]:
    """What was enqueued once is there at most once, also if its reply was lost."""
    tokens = Counter(
        change.args["token"]
        for change in history.changes
        if change.step is Step.INSERT and "token" in change.args
    )
    return [f"{token} is there {count} times" for token, count in tokens.items() if count > 1]


def torn(history: History) -> list[str]:
    """A job that was enqueued in a user's transaction is there if and only if the rest of it is."""
    jobs = {
        str(change.args["token"])
        for change in history.changes
        if change.step is Step.INSERT and change.args.get("beside")
    }
    return [f"{token} has no row beside its job" for token in sorted(jobs - history.effects)] + [
        f"{token} has no job beside its row" for token in sorted(history.effects - jobs)
    ]


def stuck(history: History) -> list[str]:
    """At the end of a run that was given time to settle, every job has ended."""
    return [
        f"job {job} is {changes[-1].after.state} in the end"
        for job, changes in history.of_job.items()
        if changes[-1].after is not None and changes[-1].after.state not in FINAL
    ]


def overlapping_leases(history: History) -> list[str]:
    """A job has one lease at a time, no lease comes twice, and each is run by one body."""
    wrong = []
    seen: set[Lease] = set()
    for change in history.changes:
        lease = change.begun_lease
        if lease is None:
            continue
        if change.before is not None and change.before.state == "executing":
            wrong.append(f"job {lease.job} was leased while it was leased: {change}")
        if lease in seen:
            wrong.append(f"{lease} was given twice")
        seen.add(lease)
    for lease, marks in history.marks_of.items():
        bodies = sum(mark.kind == "begun" for mark in marks)
        if bodies > 1:
            wrong.append(f"{lease} was run {bodies} times")
    return wrong


def runs_without_lease(history: History) -> list[str]:
    """What runs was claimed, and the claim was committed before."""
    claims = {tenure.lease: tenure.claim for tenure in history.tenures}
    wrong = []
    for lease, marks in history.marks_of.items():
        if lease not in claims:
            wrong.append(f"{lease} was run, and never given")
        elif marks[0].at < claims[lease].at:
            wrong.append(f"{lease} was run before it was given")
    return wrong


def too_many_runs(history: History) -> list[str]:
    """A job runs once, and once more for each retry, snooze, rescue and put-back."""
    runs: Counter[int] = Counter()
    for lease, marks in history.marks_of.items():
        runs[lease.job] += any(mark.kind == "begun" for mark in marks)
    wrong = []
    for job, changes in history.of_job.items():
        allowed = 1 + sum(change.step in _AGAIN for change in changes)
        claims = sum(change.begun_lease is not None for change in changes)
        if runs[job] > allowed or claims > allowed:
            wrong.append(f"job {job} ran {runs[job]} times in {claims} leases, allowed {allowed}")
    return wrong


def unknown_changes(history: History) -> list[str]:
    """The state machine is kept to: nothing changes a job that has ended, but a retry."""
    return [f"{change}" for change in history.changes if change.step is Step.UNKNOWN]


def unfenced(history: History) -> list[str]:
    """An outcome is only written for the lease whose body came to just that end."""
    wrong = []
    for change in history.changes:
        kinds = _ENDINGS.get(change.step)
        lease = change.ended_lease
        if kinds is None or lease is None:
            continue
        marks = history.marks_of.get(lease, [])
        if not marks and change.step is Step.SNOOZE and _awaits_args(history, change.job):
            continue  # it is put back until what fills them can be read
        if not any(mark.kind in kinds and mark.at <= change.at for mark in marks):
            told = ", ".join(mark.kind for mark in marks) or "nothing"
            wrong.append(f"{lease} ended by {change.step} at {change.at}; its body told {told}")
    return wrong


def _awaits_args(history: History, job: int) -> bool:
    """Tell whether the args of a job are filled in when it runs."""
    return "cascade" in history.of_job[job][0].meta


def unexplained_ends(history: History) -> list[str]:
    """A job is cancelled by itself or by somebody, and discarded for one of the reasons known.

    One that waits for others is cancelled with them as well: oracles of flows judge that.
    """
    asked = {note.data["job"] for note in history.noted("cancelling")}
    wrong = []
    for change in history.changes:
        after, lease = change.after, change.ended_lease
        if after is None or change.before is None or change.before.state == after.state:
            continue
        kinds = {mark.kind for mark in history.marks_of.get(lease, [])} if lease else set()
        waited = change.before.state == "suspended"
        known = waited or change.job in asked or "cancelling" in kinds
        if after.state == "cancelled" and not known:
            wrong.append(f"job {change.job} was cancelled by nobody")
        if after.state == "discarded" and not ("discarding" in kinds or _is_spent(change)):
            wrong.append(f"job {change.job} was discarded without a reason")
    return wrong


def unexplained_failures(history: History) -> list[str]:
    """An attempt fails because its body does, or because the process that it ran in alone died."""
    nodes = {beat.producer: beat.node for beat in history.beats}
    killed = [(note.data["node"], note.at) for note in history.noted("child killed")]
    wrong = []
    for tenure in history.tenures:
        lease, change = tenure.lease, tenure.end
        if change is None or change.before is None or change.after is None:
            continue
        spent = change.after.state == "discarded" and change.after.rescued == change.before.rescued
        if change.step is not Step.FAIL and not spent:
            continue
        kinds = {mark.kind for mark in history.marks_of.get(lease, [])}
        orphaned = any(
            node == nodes.get(lease.producer) and tenure.claim.at <= at <= change.at
            for node, at in killed
        )
        if not orphaned and not kinds & {"failing", "discarding", "dying"}:
            wrong.append(f"{lease} failed; its body told {', '.join(sorted(kinds)) or 'nothing'}")
    return wrong


def used_attempts(history: History) -> list[str]:
    """A claim takes one attempt; snoozes, put-backs and rescues give it back, nothing else does."""
    given_back = {Step.SNOOZE, Step.PUT_BACK, Step.RESCUE}
    wrong = []
    for change in history.changes:
        if change.before is None or change.after is None or change.step is Step.UNKNOWN:
            continue
        wanted = (change.step is Step.CLAIM) - (change.step in given_back)
        used = change.after.attempt - change.before.attempt
        if used != wanted:
            wrong.append(f"job {change.job}: {change.step} changed its attempt by {used:+}")
    return wrong


def forgotten_checkpoints(history: History) -> list[str]:
    """What a job has stored while it ran is found by all runs that are claimed afterwards."""
    stored: dict[int, list[Mark]] = {}
    for mark in history.marks:
        if mark.kind == "stored":
            stored.setdefault(mark.lease.job, []).append(mark)
    wrong = []
    for tenure in history.tenures:
        earlier = [
            mark.detail["checkpoint"]
            for mark in stored.get(tenure.lease.job, [])
            if mark.at < tenure.claim.at
        ]
        for mark in history.marks_of.get(tenure.lease, []):
            found = mark.detail.get("checkpoint")
            if mark.kind == "begun" and found is not None and found < max(earlier, default=0):
                wrong.append(f"{tenure.lease} found checkpoint {found}, {earlier} were stored")
    return wrong


@dataclass(frozen=True, slots=True)
class UniqueKeys:
    """No two jobs with the same value of an arg live at once.

    Args:
        key: The name of the arg; jobs that don't have it are not judged.
    """

    key: str = "key"

    def __call__(self, history: History) -> list[str]:
        """Judge."""
        living: dict[str, int] = {}
        wrong = []
        for change in history.changes:
            value = change.args.get(self.key)
            if value is None:
                continue
            if change.after is None or change.after.state in FINAL:
                if living.get(value) == change.job:
                    del living[value]
            elif living.setdefault(value, change.job) != change.job:
                wrong.append(f"jobs {living[value]} and {change.job} of {value!r} live at once")
        return list(dict.fromkeys(wrong))


@dataclass(frozen=True, slots=True)
class CappedRescues:
    """A job loses its process so often and no oftener, then it is discarded.

    Args:
        max_rescues: How often.
    """

    max_rescues: int = 3

    def __call__(self, history: History) -> list[str]:
        """Judge."""
        return [
            f"job {change.job} was rescued {change.after.rescued} times"
            for change in history.changes
            if change.step is Step.RESCUE
            and change.after is not None
            and change.after.rescued > self.max_rescues
        ]


@dataclass(frozen=True, slots=True)
class SilentProducers:
    """A job is only rescued from a producer that had been silent for so long.

    Args:
        dead_after: Seconds.
    """

    dead_after: float

    def __call__(self, history: History) -> list[str]:
        """Judge."""
        beats = {
            producer: sorted(beat.at for beat in found)
            for producer, found in _beats_of(history).items()
        }
        wrong = []
        for change in history.changes:
            lease, before, after = change.ended_lease, change.before, change.after
            if lease is None or before is None or after is None or after.rescued <= before.rescued:
                continue
            earlier = bisect_right(times := beats.get(lease.producer, []), change.at)
            silent = (change.at - times[earlier - 1]).total_seconds() if earlier else inf
            if silent < self.dead_after:
                wrong.append(f"{lease} was rescued {silent:.3f} s after a heartbeat")
        return wrong


@dataclass(frozen=True, slots=True)
class AbandonedLeases:
    """No lease goes on for longer than so after its producer died.

    Args:
        bound: Seconds; time in which nobody could have rescued is added.
    """

    bound: float

    def __call__(self, history: History) -> list[str]:
        """Judge."""
        nodes = {beat.producer: beat.node for beat in history.beats}
        deaths = {note.data["node"]: note.at for note in history.noted("died")}
        latest = max((change.at for change in history.changes), default=None)
        wrong = []
        for tenure in history.tenures:
            died = deaths.get(nodes.get(tenure.lease.producer, ""))
            end = latest if tenure.end is None else tenure.end.at
            if died is None or end is None:
                continue
            since = max(died, tenure.claim.at)  # a claim may commit after who sent it has died
            late = (end - since).total_seconds()
            if late > self.bound and (late := late - _excused(history, since, end)) > self.bound:
                wrong.append(f"{tenure.lease} went on for {late:.1f} s after its producer died")
        return wrong


@dataclass(frozen=True, slots=True)
class CronTicks:
    """An entry has made one job for each tick that was expected of it, and no other.

    Args:
        name: The entry.
        expected: Its ticks, as `meta.cron_time` tells them.
        excused: Ticks that may be missing, as nobody could take them within the grace.
    """

    name: str
    expected: frozenset[str]
    excused: frozenset[str] = frozenset()

    def __call__(self, history: History) -> list[str]:
        """Judge."""
        made = Counter(
            str(change.meta["cron_time"])
            for change in history.changes
            if change.step is Step.INSERT and change.meta.get("cron_name") == self.name
        )
        missing = self.expected - made.keys() - self.excused
        return [
            *(f"{self.name}: the tick {tick} made no job" for tick in sorted(missing)),
            *(
                f"{self.name}: the tick {tick} made {count} jobs"
                for tick, count in sorted(made.items())
                if count > 1
            ),
            *(
                f"{self.name}: {tick} is no tick"
                for tick in sorted(made.keys() - self.expected - self.excused)
            ),
        ]


GENERAL: Mapping[str, Oracle] = {
    "lost": lost,
    "doubled": doubled,
    "torn": torn,
    "stuck": stuck,
    "overlapping leases": overlapping_leases,
    "runs without lease": runs_without_lease,
    "too many runs": too_many_runs,
    "unknown changes": unknown_changes,
    "unfenced": unfenced,
    "unexplained ends": unexplained_ends,
    "unexplained failures": unexplained_failures,
    "used attempts": used_attempts,
    "forgotten checkpoints": forgotten_checkpoints,
    "unique keys": UniqueKeys(),
    "capped rescues": CappedRescues(),
}
"""What holds in every scenario, whatever its settings are."""


def judge(history: History, oracles: Mapping[str, Oracle] = GENERAL) -> Mapping[str, list[str]]:
    """Return what contradicts each oracle."""
    return {name: oracle(history) for name, oracle in oracles.items()}


def _is_spent(change: Change) -> bool:
    """Whether a job that was discarded had no attempts or rescues left."""
    before, after = change.before, change.after
    assert before is not None
    assert after is not None
    return after.attempt >= after.max_attempts or after.rescued > before.rescued


def _excused(history: History, since: datetime, until: datetime) -> float:
    """Return the seconds of an interval in which the database was away or nobody was there."""
    away = 0.0
    for note in history.noted("outage"):
        end = note.at
        begin = end - timedelta(seconds=note.data["seconds"])
        away += max((min(end, until) - max(begin, since)).total_seconds(), 0.0)
    return away


def _beats_of(history: History) -> Mapping[str, list[Beat]]:
    """Return the signs of life of each producer."""
    found: dict[str, list[Beat]] = {}
    for beat in history.beats:
        if beat.beats is not None:
            found.setdefault(beat.producer, []).append(beat)
    return found
