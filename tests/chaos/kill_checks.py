"""What must hold wherever a process has died: every job completes once, as the contract says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.chaos.history import FINAL, History, Step
from tests.chaos.kill_settings import SETTINGS
from tests.chaos.oracles import GENERAL, Oracle, SilentProducers, judge

Snapshot = dict[int, dict[str, Any]]
"""Rows by id."""


def check(history: History, left: Snapshot, ended: Snapshot) -> None:
    """Check all that must hold of jobs that have completed.

    Args:
        history: What happened.
        left: The rows after the death.
        ended: The rows in the end.
    """
    check_general(history)
    for number, after in ended.items():
        steps = [change.step for change in history.of_job[number]]
        told = f"job {number}: {', '.join(steps)}; it was {left.get(number)} and became {after}"
        assert steps.count(Step.COMPLETE) == 1, told
        assert (after["attempt"], after["errors"]) == (1, []), told
        assert steps.count(Step.RESCUE) == after["meta"].get("rescued", 0), told
        if number not in left:
            continue
        before = left[number]
        if before["state"] in FINAL:
            assert after == before, told
        rescued = before["meta"].get("rescued", 0) + (before["state"] == "executing")
        assert after["meta"].get("rescued", 0) == rescued, told


def check_general(history: History) -> None:
    """Ask all oracles."""
    oracles: Mapping[str, Oracle] = {
        **GENERAL,
        "silent producers": SilentProducers(SETTINGS["dead_after"]),
    }
    wrong = {name: found for name, found in judge(history, oracles).items() if found}
    assert not wrong, wrong
