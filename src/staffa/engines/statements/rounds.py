"""In which order the unique jobs of one call are written.

A statement can judge each key once. Jobs of one call that share a key are therefore written in
rounds: the first of each key, then, seeing what became of those, the second, and so on. Most of
them need no round of their own, since it is certain what would become of them (`_is_sure`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from staffa.jobs import Job
from staffa.types import State

_NEW_STATES = frozenset({State.AVAILABLE, State.SCHEDULED})


class Entry(NamedTuple):
    """A job that is to be written, with the key of a unique one."""

    job: Job
    key: bytes | None


@dataclass(frozen=True, slots=True)
class Rounds:
    """How the jobs of one call are written, by their places in it.

    Args:
        rounds: Those that one statement takes, in turn.
        sure: Those that are sure to be in conflict with whatever becomes of an earlier one.
    """

    rounds: Sequence[Mapping[int, Entry]]
    sure: Mapping[int, int]

    @classmethod
    def plan(cls, entries: Sequence[Entry]) -> Rounds:
        """Return the rounds of jobs."""
        if len({entry.key for entry in entries}) == len(entries):  # as of most calls
            return cls([dict(enumerate(entries))], {})
        rounds: list[dict[int, Entry]] = [{}]
        sure: dict[int, int] = {}
        last: dict[bytes, tuple[int, int]] = {}
        for place, entry in enumerate(entries):
            turn = 0
            if entry.key is not None:
                before, turns = last.get(entry.key, (place, 0))
                if turns and _is_sure(entries[before].job, entry.job):
                    sure[place] = before
                    continue
                turn = turns
                last[entry.key] = (place, turns + 1)
            if turn == len(rounds):
                rounds.append({})
            rounds[turn][place] = entry
        return cls(rounds, sure)

    def combine(self, results: Sequence[Mapping[int, Job]]) -> list[Job]:
        """Return all jobs in the order given, from the results of the rounds."""
        stored: dict[int, Job] = {}
        for result in results:
            stored.update(result)
        for place, before in self.sure.items():
            stored[place] = stored[before].as_conflict()
        return [stored[place] for place in sorted(stored)]


def _is_sure(before: Job, job: Job) -> bool:
    """Tell whether a job conflicts with what becomes of another, the last one of its key.

    If that is in conflict, so is this one, with the same job, as long as nothing is overwritten and
    both look at the same. If it is written, it counts at once, in whichever state it begins.
    """
    unique = job.unique
    if unique is None or unique != before.unique or job.replace or before.replace:
        return False
    counts_at_once = unique.timestamp == "inserted_at" or before.scheduled_at is None
    return unique.watched >= _NEW_STATES and (unique.period is None or counts_at_once)
