"""Writes what was measured: ``bench/RESULTS.md``, and a picture of each case.

The ratios of each run are kept in ``bench/results/runs.json``, so that the page shows how they vary
from one time to another.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.cases import CASES, Case, Entry, Outcome, Target
from bench.environments import PROJECT, newest_interpreter
from bench.peers import PEERS
from bench.pictures import draw

Measured = Mapping[str, Mapping[str, Sequence[Outcome]]]
"""The outcomes of each entry of each case."""

_PAGE = PROJECT / "bench" / "RESULTS.md"
_FOLDER = PROJECT / "bench" / "results"
_RUNS = _FOLDER / "runs.json"
_SHOWN = 5


def write_report(measured: Measured, rounds: int, server: str) -> None:
    """Write the page and the pictures of a run.

    Args:
        measured: What came of it.
        rounds: How often each entry ran.
        server: The version of PostgreSQL.
    """
    _FOLDER.mkdir(exist_ok=True)
    runs = _add_run(measured)
    lines = [
        "# Results",
        "",
        "Written by `make bench`. Absolute figures belong to the machine and the hour; what counts",
        "are the ratios within one run, in which all ran in turn.",
        "",
        f"- {datetime.now(UTC):%Y-%m-%d %H:%M} UTC; medians of {rounds} rounds",
        f"- {_processor()}, {os.cpu_count()} cores; {server}, durable, its settings as they come",
        f"- Python {'.'.join(map(str, newest_interpreter().version))}, uvloop where it is used",
        "",
        "## Targets",
        "",
        *_target_table(measured, runs),
    ]
    for case in CASES:
        if measured.get(case.name):
            lines += ["", f"## {case.title}", "", *_case_table(case, measured[case.name])]
            lines += ["", f"![{case.title}](results/{case.name}.svg)"]
            figures = {
                label: _median([_entry(case, label).value(one) for one in outcomes])
                for label, outcomes in measured[case.name].items()
            }
            picture = draw(case.title, case.unit, figures)
            (_FOLDER / f"{case.name}.svg").write_text(picture, "utf-8")
    lines += ["", "## Settings", "", "| who | at its best with |", "|---|---|"]
    lines += [f"| {peer.name} | {peer.settings} |" for peer in PEERS]
    _PAGE.write_text("\n".join(lines) + "\n", "utf-8")


def _target_table(measured: Measured, runs: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        f"| what | must | stretch | this run | the last {_SHOWN} runs |",
        "|---|---|---|---|---|",
    ]
    for case in CASES:
        for target in case.targets:
            ratio = _ratio(case, target, measured.get(case.name, {}))
            if ratio is None:
                continue
            sign = "≥" if target.at_least else "≤"
            stretch = "" if target.stretch is None else f"{sign} {target.stretch:g}"
            verdict = _judge(target, ratio)
            before = [run["ratios"].get(_key(case, target)) for run in runs[-_SHOWN:]]
            told = ", ".join(f"{one:.2f}" for one in before if one is not None)
            lines.append(
                f"| {case.title}: {target.text} | {sign} {target.must:g} | {stretch} "
                f"| {ratio:.2f} {verdict} | {told} |"
            )
    return lines


def _judge(target: Target, ratio: float) -> str:
    if target.stretch is not None and target.met(ratio, target.stretch):
        return "**stretch**"
    return "met" if target.met(ratio, target.must) else "**missed**"


def _case_table(case: Case, outcomes: Mapping[str, Sequence[Outcome]]) -> list[str]:
    counted = any(_entry(case, label).jobs for label in outcomes)
    costs = " µs of the worker a job | µs of PostgreSQL a job |" if counted else ""
    lines = [f"| who | {case.unit} | from | to |{costs}"]
    lines.append("|---" * (4 + 2 * counted) + "|")
    for label, found in outcomes.items():
        entry = _entry(case, label)
        values = [entry.value(outcome) for outcome in found]
        row = [label, _tell(_median(values)), _tell(min(values)), _tell(max(values))]
        if counted:
            row += [_cost(entry, found, "cpu"), _cost(entry, found, "server_cpu")]
        lines.append(f"| {' | '.join(row)} |")
    return lines


def _cost(entry: Entry, outcomes: Sequence[Outcome], what: str) -> str:
    if not entry.jobs:
        return ""
    return f"{_median([outcome[what] * 1e6 / entry.jobs for outcome in outcomes]):.0f}"


def _ratio(case: Case, target: Target, outcomes: Mapping[str, Sequence[Outcome]]) -> float | None:
    if target.entry not in outcomes or (target.against and target.against not in outcomes):
        return None
    figures = [
        [(target.metric or _entry(case, label).value)(one) for one in outcomes[label]]
        for label in (target.entry, target.against)
        if label is not None
    ]
    if len(figures) == 1:
        return _median(figures[0])
    return _median([own / other for own, other in zip(*figures, strict=True)])  # of one round each


def _add_run(measured: Measured) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = json.loads(_RUNS.read_text("utf-8")) if _RUNS.is_file() else []
    ratios = {
        _key(case, target): round(ratio, 3)
        for case in CASES
        for target in case.targets
        if (ratio := _ratio(case, target, measured.get(case.name, {}))) is not None
    }
    runs.append({"at": f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}", "ratios": ratios})
    _RUNS.write_text(json.dumps(runs, indent=1) + "\n", "utf-8")
    return runs


def _key(case: Case, target: Target) -> str:
    return f"{case.name}: {target.text}"


def _entry(case: Case, label: str) -> Entry:
    return next(entry for entry in case.entries if entry.label == label)


def _median(values: Sequence[float]) -> float:
    return float(statistics.median(values))


def _tell(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "an unnamed processor"
