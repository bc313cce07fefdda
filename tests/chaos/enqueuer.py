"""A process that enqueues: ``python -m tests.chaos.enqueuer``, until SIGTERM.

What goes wrong is expected here, and noted by the scenario; the next job follows.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path
from random import Random

import click

from staffa import Staffa
from tests.chaos.notes import Notebook
from tests.chaos.scenario import Scene
from tests.chaos.scenarios import SCENARIOS

_FAILURE_SECONDS = 0.1


async def enqueue_all(arguments: argparse.Namespace) -> None:
    """Enqueue until told to stop."""
    random = Random(f"{arguments.seed} {arguments.name}")
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    client = Staffa(arguments.dsn, prefix=arguments.prefix)
    notebook = Notebook(Path(arguments.notes))
    scene = Scene(client, arguments.dsn, arguments.prefix, notebook, random, arguments.name)
    click.echo("enqueueing")
    number = 0
    while not stopped.is_set():
        number += 1
        try:
            await random.choice(SCENARIOS).enqueue(scene, number)
        except Exception as error:  # noqa: BLE001  # an outage, in whatever shape it comes
            click.echo(f"{number}: {error!r}")
            await asyncio.sleep(_FAILURE_SECONDS)
        await asyncio.sleep(random.expovariate(arguments.rate))
    await client.stop()


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dsn", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--notes", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--seed", required=True)
    parser.add_argument("--rate", type=float, required=True)
    asyncio.run(enqueue_all(parser.parse_args()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
