"""``python -m tests.chaos --minutes 2 --seed 7``: a chaos run, see `make chaos`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import sys
import time
from pathlib import Path

import click

from tests.chaos.faults import FAULTS
from tests.chaos.report import report
from tests.chaos.run import ChaosRun
from tests.chaos.server import ChaosServer
from tests.chaos.settings import RunSettings
from tests.support.database import PROJECT


def main() -> int:
    """Run once for each seed; what is found is kept where it failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0, help="how long, all seeds together")
    parser.add_argument("--seed", type=int, default=None, help="the first seed; a new one if none")
    parser.add_argument("--runs", type=int, default=1, help="how many seeds, one after the other")
    parser.add_argument("--keep", action="store_true", help="keep the history of what passed, too")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        choices=sorted(fault.name for fault in FAULTS),
        help="inject this fault alone; may be repeated",
    )
    arguments = parser.parse_args()
    first = int(time.time()) % 1_000_000 if arguments.seed is None else arguments.seed
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # the proxies cut what is being written
    failed = 0
    for seed in range(first, first + arguments.runs):
        folder = PROJECT / ".staffa" / "chaos" / f"seed-{seed}"
        settings = RunSettings(
            seed=seed,
            seconds=60 * arguments.minutes / arguments.runs,
            folder=folder / "run",
            only=frozenset(arguments.only),
        )
        failed += not run_once(settings, folder, keep=arguments.keep)
    return 1 if failed else 0


def run_once(settings: RunSettings, folder: Path, *, keep: bool) -> bool:
    """Run one seed, print what came of it, and tell whether it passed."""
    ChaosServer(folder).remove()  # what a run of this seed has kept
    shutil.rmtree(folder)
    click.echo(f"seed {settings.seed}: begins; logs are in {settings.folder}")
    server = ChaosServer(folder)
    passed = False
    try:
        verdict = asyncio.run(ChaosRun(settings, server).run())
        for line in report(settings, verdict):
            click.echo(line)
        passed = verdict.passed
    finally:
        if passed and not keep:
            server.remove()
            shutil.rmtree(folder)
        else:
            server.stop()
            click.echo(
                f"the history is kept: EmbeddedPostgres({str(folder)!r}), notes and logs beside"
            )
    return passed


if __name__ == "__main__":
    sys.exit(main())
