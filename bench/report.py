"""Writes what was measured last of each case: ``bench/RESULTS.md``, and a picture of each."""

from __future__ import annotations

import os
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.cases import CASES, Case, Target
from bench.environments import PROJECT, newest_interpreter
from bench.measurements import FOLDER, Measurement, load
from bench.peers import PEERS
from bench.pictures import draw

_PAGE = PROJECT / "bench" / "RESULTS.md"


def describe_machine(server: str) -> str:
    """Return on what was measured, with the version of PostgreSQL."""
    python = ".".join(map(str, newest_interpreter().version))
    return f"{_processor()}, {os.cpu_count()} cores; {server}; Python {python}"


def write_report() -> None:
    """Write the page and the pictures."""
    kept = {case.name: load(case) for case in CASES}
    lines = [
        "# Results",
        "",
        "Written by `make bench`. Absolute figures belong to a machine and an hour; what counts",
        "are the ratios within a run, in which all ran in turn, each on a fresh database.",
        "PostgreSQL is durable, with its settings as they come; uvloop is used where it can be.",
        "",
        "## Targets",
        "",
        *_target_table(kept),
    ]
    for case in CASES:
        if kept[case.name]:
            lines += ["", *_case_part(case, kept[case.name][-1])]
    lines += ["", "## Settings", "", "| who | at its best with |", "|---|---|"]
    lines += [f"| {peer.name} | {peer.settings} |" for peer in PEERS]
    _PAGE.write_text("\n".join(lines) + "\n", "utf-8")


def _target_table(kept: Mapping[str, Sequence[Measurement]]) -> list[str]:
    lines = ["| what | must | stretch | last run | runs before |", "|---|---|---|---|---|"]
    for case in CASES:
        for target in case.targets:
            ratios = [
                one.ratios[target.text] for one in kept[case.name] if target.text in one.ratios
            ]
            if not ratios:
                continue
            sign = "≥" if target.at_least else "≤"
            stretch = "" if target.stretch is None else f"{sign} {target.stretch:g}"
            before = ", ".join(f"{one:.2f}" for one in ratios[:-1])
            lines.append(
                f"| {case.title}: {target.text} | {sign} {target.must:g} | {stretch} "
                f"| {ratios[-1]:.2f} {_judge(target, ratios[-1])} | {before} |"
            )
    return lines


def _judge(target: Target, ratio: float) -> str:
    if target.stretch is not None and target.met(ratio, target.stretch):
        return "**stretch**"
    return "met" if target.met(ratio, target.must) else "**missed**"


def _case_part(case: Case, last: Measurement) -> list[str]:
    costs = " µs of the worker a job | µs of PostgreSQL a job |" if last.costs else ""
    lines = [
        f"## {case.title}",
        "",
        f"{last.at} UTC, medians of {last.rounds} rounds; {last.where}.",
        "",
        f"| who | {case.unit} | from | to |{costs}",
        "|---" * (4 + 2 * bool(last.costs)) + "|",
    ]
    medians = {label: float(statistics.median(values)) for label, values in last.values.items()}
    for label, values in last.values.items():
        row = [label, _tell(medians[label]), _tell(min(values)), _tell(max(values))]
        if last.costs:
            row += [f"{cost:.0f}" for cost in last.costs.get(label, ())] or ["", ""]
        lines.append(f"| {' | '.join(row)} |")
    picture = draw(case.title, case.unit, medians)
    (FOLDER / f"{case.name}.svg").write_text(picture, "utf-8")
    return [*lines, "", f"![{case.title}](results/{case.name}.svg)"]


def _tell(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "an unnamed processor"
