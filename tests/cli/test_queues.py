"""`staffa queues`."""

from __future__ import annotations

from typing import Any

import pytest

from staffa import Job, Staffa
from tests.conftest import MakeClient
from tests.support.events import eventually
from tests.support.program import Program

NAME = "Oban"


async def _listed(program: Program, *options: str) -> dict[str, dict[str, Any]]:
    finished = await program.run("queues", "list", "--json", *options)
    assert finished.code == 0, finished.err
    return {row["queue"]: row for row in finished.json}


async def _worker(make_client: MakeClient) -> Staffa:
    app = make_client(name=NAME, node="web.1", queues={"mail": 10, "bills": 5})
    await app.start()
    return app


async def test_no_queues_are_an_empty_list(program: Program) -> None:
    assert await _listed(program) == {}


async def test_list_shows_jobs_by_state_also_of_queues_that_nobody_runs(
    program: Program, make_client: MakeClient
) -> None:
    app = make_client()
    await app.enqueue_many(Job(worker="w", queue="mail") for _ in range(3))
    await app.enqueue(Job(worker="w", queue="bills", scheduled_in=60))
    done = await app.enqueue(Job(worker="w", queue="bills"))
    await app.cancel_job(done)
    found = await _listed(program)
    assert found["mail"] == {
        "queue": "mail", "counts": {"available": 3}, "paused": False, "nodes": [], "dynamic": None,
        "limits": None,
    }  # fmt: skip
    assert found["bills"]["counts"] == {"scheduled": 1, "cancelled": 1}
    assert (await _listed(program, "--quick"))["bills"]["counts"] == {"scheduled": 1}
    finished = await program.run("queues", "list")
    assert "mail" in finished.out
    assert "cancelled" in finished.out


async def test_a_pause_of_all_nodes_reaches_a_process_and_is_listed(
    program: Program, make_client: MakeClient
) -> None:
    app = await _worker(make_client)
    finished = await program.run("queues", "pause", "mail", "bills", "--json")
    assert finished.json == {"action": "pause", "queues": ["mail", "bills"], "node": None}
    await eventually(lambda: app.check_queue("mail").paused and app.check_queue("bills").paused)
    found = await _listed(program)
    assert (found["mail"]["paused"], found["bills"]["paused"]) == (True, True)
    finished = await program.run("queues", "resume", "--all")
    assert "all queues: resumed on all nodes" in finished.out
    await eventually(lambda: not app.check_queue("mail").paused)
    assert not (await _listed(program))["mail"]["paused"]


async def test_a_pause_of_a_node_is_listed_with_the_node_until_it_ends(
    program: Program, make_client: MakeClient
) -> None:
    app = await _worker(make_client)
    finished = await program.run("queues", "pause", "mail", "--node", "web.1")
    assert "queue mail: paused on node web.1" in finished.out
    await eventually(lambda: app.check_queue("mail").paused)
    row = (await _listed(program))["mail"]
    assert not row["paused"]
    (node,) = row["nodes"]
    assert node.pop("uuid")
    assert node == {
        "node": "web.1", "running": 0, "paused": True, "limit": None, "stopped": False
    }  # fmt: skip
    assert "on web.1" in (await program.run("queues", "list")).out
    assert list(await _listed(program, "--node", "web.1")) == ["mail"]
    assert await _listed(program, "--node", "web.2") == {}
    await app.stop()
    assert (await _listed(program))["mail"]["nodes"] == []


async def test_queues_are_scaled_started_and_stopped(
    program: Program, make_client: MakeClient
) -> None:
    app = await _worker(make_client)
    assert (await program.run("queues", "scale", "mail", "3")).code == 0
    await eventually(lambda: app.check_queue("mail").limit == 3)
    started = await program.run("queues", "start", "reports", "--limit", "2", "--paused", "--json")
    assert started.json == {"action": "start", "queues": ["reports"], "node": None, "limit": 2}

    def running() -> set[str]:
        return {check.queue for check in app.check_all_queues()}

    await eventually(lambda: "reports" in running())
    assert (app.check_queue("reports").limit, app.check_queue("reports").paused) == (2, True)
    assert (await program.run("queues", "stop", "bills", "--node", "web.1")).code == 0
    await eventually(lambda: "bills" not in running())
    found = await _listed(program)
    assert found["mail"]["nodes"][0]["limit"] == 3
    assert found["bills"]["nodes"][0]["stopped"]
    assert found["reports"]["paused"]
    shown = (await program.run("queues", "list")).out
    assert "web.1 (0 of 3)" in shown
    assert "web.1 (stopped)" in shown


async def test_what_was_set_before_a_process_began_is_not_told_of_it(
    program: Program, make_client: MakeClient
) -> None:
    assert (await program.run("queues", "scale", "mail", "3")).code == 0
    assert (await program.run("queues", "pause", "bills")).code == 0
    await _worker(make_client)
    found = await _listed(program)
    assert found["mail"]["nodes"] == []
    assert found["bills"]["paused"]


@pytest.mark.parametrize(
    "line",
    [
        "pause", "pause mail --all", "resume", "scale mail", "scale mail 0", "scale mail 10001",
        "start", "stop", "pause *", "pause mail --node=",
    ],
)  # fmt: skip
async def test_wrong_usage_is_told(program: Program, line: str) -> None:
    finished = await program.run("queues", *line.split())
    assert finished.code == 2, finished
    assert finished.err


async def test_a_name_that_looks_mistyped_is_doubted(
    program: Program, make_client: MakeClient
) -> None:
    await make_client().enqueue(Job(worker="shop.Mail", queue="mail"))
    finished = await program.run("queues", "pause", "mail", "mial", "reports")
    assert finished.code == 0
    assert finished.err == "no job of queue 'mial' waits or runs: did you mean 'mail'?\n"
