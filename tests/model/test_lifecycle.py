"""The life of jobs on each engine, compared with a model of a few lines; see `machine`.

Each run takes other ways. ``STAFFA_MODEL_EXAMPLES=5000`` makes a long one, of some half an hour;
what fails is printed as the steps that lead there, and is tried first by the next run.
"""

from __future__ import annotations

import asyncio
import os

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import Machine
from tests.model.worlds import World

EXAMPLES = int(os.environ.get("STAFFA_MODEL_EXAMPLES", "30"))


def test_whatever_happens_to_jobs_the_engine_does_what_the_model_says(
    runner: asyncio.Runner, world: World
) -> None:
    made = world

    class OnThisEngine(Machine):
        run = runner.run
        world = made

    run_state_machine_as_test(
        OnThisEngine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
