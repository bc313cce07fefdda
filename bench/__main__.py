"""Measure: ``python -m bench --what process,bulk --peers staffa,oban --rounds 5``.

What was measured of all peers is kept, and written into the report.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

from bench.cases import CASES
from bench.measurements import keep, measured
from bench.peers import PEERS, Peer
from bench.report import describe_machine, write_report
from bench.runs import Runner
from bench.servers import running_postgres, running_redis


def main() -> int:
    """Run the cases, and write the report."""
    options = _options()
    what = _names(options.what) or [case.name for case in CASES]
    unknown = set(what) - {case.name for case in CASES}
    if unknown:
        names = ", ".join(case.name for case in CASES)
        print(f"there is no case {', '.join(sorted(unknown))}: there are {names}", file=sys.stderr)
        return 2
    peers = _choose(_names(options.peers))
    with running_postgres() as server, running_redis() as redis:
        usable = [peer for peer in peers if redis or not peer.redis]
        for peer in peers:
            if peer not in usable:
                print(f"{peer.name} is left out: redis-server is not installed")
        for peer in usable:
            peer.environment.make()
        runner = Runner(server, redis)
        for case in CASES:
            if case.name not in what:
                continue
            entries = [entry for entry in case.entries if entry.peer in usable]
            outcomes = runner.rounds(case, entries, options.rounds)
            if not options.peers:
                at, where = f"{datetime.now(UTC):%Y-%m-%d %H:%M}", describe_machine(server.version)
                kept = measured(case, outcomes, at=at, where=where, rounds=options.rounds)
                keep(case, kept)
                write_report()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Measure Staffa and its peers.")
    parser.add_argument("--what", default="", help=", ".join(case.name for case in CASES))
    parser.add_argument("--peers", default="", help="beginnings of their names")
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _choose(names: list[str]) -> list[Peer]:
    return [peer for peer in PEERS if not names or peer.name.startswith(tuple(names))]


if __name__ == "__main__":
    sys.exit(main())
