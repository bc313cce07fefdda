"""A program that writes a workflow unless it is there, cancels it, and has it go on."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import replace

from staffa.client.backend import make_backend
from staffa.config import Config
from staffa.errors import FlowExists
from staffa.jobs import Job
from staffa.linking import FlowKind, Graph, NeedsFlow, NeedsStep, NewFlow, NewStep

DSN = "STAFFA_DSN"


def _job(flow: str, name: str) -> Job:
    return Job(worker="tests.chaos.kill_jobs.note", meta={"workflow_id": flow, "name": name})


def make_graph() -> Graph:
    """Return a workflow with another one inside of it: a step, three behind it, and a last one."""
    flows = [
        NewFlow("order", FlowKind.WORKFLOW, "order"),
        NewFlow("inner", FlowKind.WORKFLOW, "order", "order"),
    ]
    steps = [
        NewStep(_job("order", "first"), held=True),
        *(NewStep(_job("inner", str(number)), [NeedsStep(0)]) for number in range(3)),
        NewStep(_job("order", "last"), [NeedsFlow("inner")]),
    ]
    return Graph(flows, steps)


async def main() -> None:
    config = replace(Config.load(), dsn=os.environ[DSN])
    engine = make_backend(config, os.environ[DSN], lambda: None).engine
    with suppress(FlowExists):
        await engine.insert_graph(make_graph())
    await engine.cancel_flow("order")
    await engine.retry_flow("order")
    first = (await engine.find_steps("order", ["first"]))["first"]
    await engine.release_step(first)
    with suppress(FlowExists):
        await engine.insert_graph(Graph([NewFlow("empty", FlowKind.WORKFLOW, "empty")], []))
    await engine.forget_flows(age=0, limit=10)
    await engine.close()


asyncio.run(main())
