"""What a client does that works inline: jobs run where they are enqueued, without a database."""

from __future__ import annotations

from collections.abc import Sequence

from staffa._internal.clock import Clock
from staffa.config import Config
from staffa.jobs import Job
from staffa.queues.inline import InlineRunner, raise_failure


async def run_inline(jobs: Sequence[Job], config: Config, clock: Clock) -> list[Job]:
    """Run new jobs once, one after the other, and return them as they have ended.

    Raises:
        Exception: What made an attempt fail; the jobs after it do not run.
    """
    ended = []
    async with InlineRunner(config, clock) as runner:
        for job in jobs:
            outcome, row = await runner.perform(job)
            raise_failure(outcome)
            ended.append(row)
    return ended
