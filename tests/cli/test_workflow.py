"""`staffa workflow`, on both databases."""

from __future__ import annotations

import re

import pytest

from staffa import Job, Staffa, Workflow, job
from staffa.config import Config
from staffa.testing import run_workflow
from tests.support.program import Place

EVIL = "\x1b[31m\x1b]0;hacked\x07\u202e\r\nfake row"


@job(name="cli.step", queue="work", max_attempts=1)
async def step(fails: bool = False) -> None:
    if fails:
        raise LookupError("no")


def order() -> Workflow:
    made = Workflow("order", id="order-7").add("publish", step.new(), deps="refund", hold=True)
    made.add("charge", step.new()).add_many("mails", [step.new(), step.new(True)], deps="charge")
    inner = Workflow().add("money", step.new()).add("note", step.new(), deps="money")
    return made.add_workflow("refund", inner, deps="charge")


async def enqueue(config: Config, *flows: Workflow) -> None:
    async with Staffa(config.dsn, prefix=config.prefix, name="Oban") as app:
        for flow in flows:
            await app.enqueue(flow)


async def run(config: Config, *flows: Workflow) -> None:
    async with Staffa(config.dsn, prefix=config.prefix, name="Oban") as app:
        for flow in flows:
            await run_workflow(flow, with_safety=True, app=app)


async def test_workflows_are_listed_the_newest_first(place: Place) -> None:
    program, config = place
    assert (await program.run("workflow", "list")).out == "there are no workflows\n"
    await enqueue(config, order(), Workflow("second", id="second"))
    listed = await program.run("workflow", "list", "--json")
    assert [found["id"] for found in listed.json] == ["second", "order-7"]
    assert listed.json[1]["counts"]["suspended"] == 5  # with what is inside
    older = await program.run("workflow", "list", "--before", "second")
    assert "order-7" in older.out
    assert "second" not in older.out


async def test_a_workflow_is_drawn_with_states(place: Place) -> None:
    program, config = place
    await run(config, order())
    shown = await program.run("workflow", "show", "order-7")
    lines = shown.out.splitlines()
    assert lines[0] == "order  order-7"
    assert re.fullmatch(r"executing, 5 of 6 jobs have ended, [\d.]+ s", lines[1])
    assert lines[2:] == [
        "├─ charge     completed",
        "├─ mails (2)  discarded (1 completed, 1 discarded)  after charge",
        "├─ refund     completed  after charge",
        "│  ├─ money   completed",
        "│  └─ note    completed  after money",
        "└─ publish    suspended  after refund",
    ]
    told = (await program.run("workflow", "show", "order-7", "--json")).json
    assert told["subs"]["mails"]["counts"]["discarded"] == 1
    assert {"from": "charge", "to": "mails"} in told["edges"]


async def test_a_workflow_is_cancelled_with_consent_and_runs_again(place: Place) -> None:
    program, config = place
    await enqueue(config, order())
    asked = await program.run("workflow", "cancel", "order-7")
    assert (asked.code, asked.out) == (
        1,
        "would cancel 6 jobs of workflow order-7: give --yes to do so\n",
    )
    done = await program.run("workflow", "cancel", "order-7", "--yes")
    assert (done.code, done.out) == (0, "workflow order-7: cancelled\n")
    state = (await program.run("workflow", "show", "order-7", "--json")).json["state"]
    assert state == "cancelled"
    done = await program.run("workflow", "retry", "order-7")
    assert (done.code, done.out) == (0, "workflow order-7: 6 jobs run again\n")
    done = await program.run("workflow", "retry", "order-7", "--json")
    assert done.json == {"action": "retry", "workflow": "order-7", "jobs": 0}
    state = (await program.run("workflow", "show", "order-7", "--json")).json["state"]
    assert state == "executing"


async def test_a_step_is_released(place: Place) -> None:
    program, config = place
    await enqueue(config, Workflow(id="w").add("publish", Job(worker="w"), hold=True))
    done = await program.run("workflow", "release", "w", "publish", "--json")
    told = {"action": "release", "workflow": "w", "step": "publish"}
    assert done.json == {**told, "released": True}
    again = await program.run("workflow", "release", "w", "publish", "--json")
    assert (again.code, again.json) == (0, {**told, "released": False})
    again = await program.run("workflow", "release", "w", "publish")
    assert again.out == "step publish of workflow w: it was not held\n"
    nodes = (await program.run("workflow", "show", "w", "--json")).json["nodes"]
    assert nodes[0]["state"] == "available"
    refused = await program.run("workflow", "release", "w", "nothing")
    assert (refused.code, "has no step 'nothing'" in refused.err) == (1, True)


@pytest.mark.parametrize("line", ["show", "cancel --yes", "retry"])
async def test_a_workflow_that_is_not_there_is_refused(place: Place, line: str) -> None:
    verb, *rest = line.split()
    finished = await place[0].run("workflow", verb, "nowhere", *rest)
    assert finished.code == 1
    assert "there is no workflow 'nowhere'" in finished.err


async def test_no_control_character_is_printed(place: Place) -> None:
    program, config = place
    name = f"a{EVIL}"
    flow = Workflow(name, id=f"id{EVIL}").add(name, Job(worker="w"))
    await enqueue(config, flow.add_workflow(f"b{EVIL}", Workflow(name).add(name, Job(worker="w"))))
    for arguments in (["list"], ["show", f"id{EVIL}"]):
        shown = await program.run("workflow", *arguments)
        assert "\x1b" not in shown.out
        assert "\u202e" not in shown.out
        assert "\nfake row" not in shown.out
