"""What is kept of measurements: the last few of each case, in ``bench/results/<case>.json``.

So the cases may be measured at different times, and how a ratio varies from one to another is seen.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.cases import Case, Entry, Outcome, Target
from bench.environments import PROJECT

FOLDER = PROJECT / "bench" / "results"
_KEPT = 5


@dataclass(frozen=True, slots=True)
class Measurement:
    """What came of a case at one time.

    Args:
        at: When, in UTC.
        where: On what machine, and with which versions.
        rounds: How often each entry ran.
        values: The figures of each entry, one for each round.
        costs: The microseconds of CPU time that a job cost its worker and PostgreSQL, by entry.
        ratios: What the targets are judged by, by their texts.
    """

    at: str
    where: str
    rounds: int
    values: Mapping[str, Sequence[float]]
    costs: Mapping[str, Sequence[float]]
    ratios: Mapping[str, float]


def measured(
    case: Case, outcomes: Mapping[str, Sequence[Outcome]], *, at: str, where: str, rounds: int
) -> Measurement:
    """Return what is kept of the outcomes of a case."""
    entries = {entry.label: entry for entry in case.entries if entry.label in outcomes}
    return Measurement(
        at=at,
        where=where,
        rounds=rounds,
        values={
            label: [round(entry.value(outcome), 3) for outcome in outcomes[label]]
            for label, entry in entries.items()
        },
        costs={
            label: [_cost(entry, outcomes[label], what) for what in ("cpu", "server_cpu")]
            for label, entry in entries.items()
            if entry.jobs
        },
        ratios={
            target.text: round(ratio, 3)
            for target in case.targets
            if (ratio := _ratio(entries, target, outcomes)) is not None
        },
    )


def keep(case: Case, measurement: Measurement) -> None:
    """Keep a measurement beside the last ones."""
    FOLDER.mkdir(exist_ok=True)
    kept = [*load(case), measurement][-_KEPT:]
    text = json.dumps([asdict(one) for one in kept], indent=1)
    _file(case).write_text(text + "\n", "utf-8")


def load(case: Case) -> list[Measurement]:
    """Return the last measurements of a case, the oldest first."""
    if not _file(case).is_file():
        return []
    return [Measurement(**one) for one in json.loads(_file(case).read_text("utf-8"))]


def _file(case: Case) -> Path:
    return FOLDER / f"{case.name}.json"


def _cost(entry: Entry, outcomes: Sequence[Outcome], what: str) -> float:
    costs = [float(outcome[what]) * 1e6 / entry.jobs for outcome in outcomes]
    return round(statistics.median(costs), 1)


def _ratio(
    entries: Mapping[str, Entry], target: Target, outcomes: Mapping[str, Sequence[Outcome]]
) -> float | None:
    """Return a target's ratio: the median of those of the rounds."""
    labels = [label for label in (target.entry, target.against) if label is not None]
    if not entries.keys() >= set(labels):
        return None
    figures = [
        [(target.metric or entries[label].value)(outcome) for outcome in outcomes[label]]
        for label in labels
    ]
    if len(figures) == 1:
        return float(statistics.median(figures[0]))
    return float(
        statistics.median(own / other for own, other in zip(figures[0], figures[1], strict=True))
    )
