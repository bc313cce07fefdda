"""Jobs in every executor on uvloop, whose transports are not those of `asyncio`."""

from __future__ import annotations

import asyncio

import uvloop

from staffa import Staffa, State, job


@job(name="tests.uvloop.loop")
async def on_the_loop() -> None:
    assert type(asyncio.get_running_loop()).__module__ == "uvloop"


@job(name="tests.uvloop.thread")
def in_a_thread() -> None: ...


@job(name="tests.uvloop.process", executor="process")
def in_a_process() -> None: ...


def test_jobs_complete_in_every_executor(dsn: str, prefix: str) -> None:
    async def run() -> None:
        made = [work.new() for work in (on_the_loop, in_a_thread, in_a_process) for _ in range(5)]
        async with Staffa(dsn, prefix=prefix, queues={"default": 4}) as app, asyncio.timeout(60):
            for stored in await app.enqueue_many(made):
                while (found := await app.get_job(stored)) and found.state != State.COMPLETED:  # noqa: ASYNC110  # the database changes
                    await asyncio.sleep(0.02)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
