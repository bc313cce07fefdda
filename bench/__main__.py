"""Measure: ``python -m bench --what process,bulk --peers staffa,oban --rounds 5``."""

from __future__ import annotations

import argparse
import sys

from bench.cases import CASES
from bench.peers import PEERS
from bench.runs import Runner
from bench.servers import running_postgres, running_redis


def main() -> int:
    """Run the cases."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure Staffa and its peers.")
    parser.add_argument("--what", default="", help=", ".join(case.name for case in CASES))
    parser.add_argument("--peers", default="", help="beginnings of their names")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    what = set(filter(None, options.what.split(",")))
    names = tuple(filter(None, options.peers.split(",")))
    peers = [peer for peer in PEERS if not names or peer.name.startswith(names)]
    with running_postgres() as server, running_redis() as redis:
        usable = [peer for peer in peers if redis or not peer.redis]
        for peer in usable:
            peer.environment.make()
        runner = Runner(server, redis)
        for case in CASES:
            if not what or case.name in what:
                entries = [entry for entry in case.entries if entry.peer in usable]
                runner.rounds(case, entries, options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
