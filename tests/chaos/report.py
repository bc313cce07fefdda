"""What a chaos run prints."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos.history import Step
from tests.chaos.run import Verdict
from tests.chaos.settings import RunSettings

_SHOWN = 10


def report(settings: RunSettings, verdict: Verdict) -> Iterator[str]:
    """Yield the lines of a report.

    Args:
        settings: How the run was made.
        verdict: What came of it.
    """
    history = verdict.history
    runs = sum(mark.kind == "begun" for mark in history.marks)
    yield f"seed {settings.seed}, {settings.seconds:g} s of faults"
    yield from _table(
        {
            **{f"fault: {name}": count for name, count in sorted(verdict.faults.items())},
            "faults injected": sum(verdict.faults.values()),
            "faults that met nothing": verdict.skipped,
            "jobs": history.steps(Step.INSERT),
            "runs": runs,
            **{
                f"step: {step}": history.steps(step)
                for step in Step
                if step not in {Step.INSERT, Step.CLAIM, Step.EDIT, Step.UNKNOWN}
            },
        }
    )
    yield from _table({name: len(found) for name, found in verdict.violations.items()})
    for name, found in verdict.violations.items():
        for sentence in found[:_SHOWN]:
            yield f"{name}: {sentence}"
        if len(found) > _SHOWN:
            yield f"{name}: and {len(found) - _SHOWN} more"
    yield "passed" if verdict.passed else f"FAILED; replay with SEED={settings.seed}"


def _table(numbers: dict[str, int]) -> Iterator[str]:
    yield "-" * 36
    for name, number in numbers.items():
        yield f"{name:<28}{number:>8}"
