"""Measure: ``python -m bench --what process,bulk --peers staffa,oban --rounds 5``."""

from __future__ import annotations

import argparse
import sys

from bench.cases import CASES
from bench.peers import PEERS, Peer
from bench.report import write_report
from bench.runs import Runner
from bench.servers import running_postgres, running_redis


def main() -> int:
    """Run the cases, and write the report unless it would be a part of one."""
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
        measured = {
            case.name: runner.rounds(
                case, [entry for entry in case.entries if entry.peer in usable], options.rounds
            )
            for case in CASES
            if case.name in what
        }
        if not options.what and not options.peers:
            write_report(measured, options.rounds, server.version)
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
