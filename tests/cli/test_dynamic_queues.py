"""`staffa queues add`, `set` and `delete`, and what `list` tells of dynamic queues."""

from __future__ import annotations

from typing import Any

from staffa import Only, Queue
from tests.conftest import MakeClient
from tests.support.events import eventually
from tests.support.program import Program
from tests.support.rows import Rows

NAME = "Oban"


async def _listed(program: Program) -> dict[str, dict[str, Any]]:
    finished = await program.run("queues", "list", "--json")
    assert finished.code == 0, finished.err
    return {row["queue"]: row for row in finished.json}


async def test_a_queue_is_added_changed_and_deleted_and_a_process_obeys(
    program: Program, make_client: MakeClient
) -> None:
    app = make_client(name=NAME, node="web.1", dynamic_queues="manual")
    async with app:
        added = await program.run(
            "queues", "add", "reports", "--limit", "2", "--only", "node-matches=^web", "--json"
        )
        options = {"limit": 2, "only": {"node_matches": "^web"}}
        assert added.json == {"action": "add", "queues": ["reports"], "options": options}
        await eventually(lambda: [one.limit for one in app.check_all_queues()] == [2])
        changed = await program.run("queues", "set", "reports", "--option", "limit=4", "--paused")
        assert (changed.code, changed.out.strip()) == (0, "queue reports: changed")
        await eventually(lambda: [one.limit for one in app.check_all_queues()] == [4])
        row = (await _listed(program))["reports"]
        (node,) = row["nodes"]
        assert (node["node"], node["limit"], node["paused"]) == ("web.1", 4, True)
        assert row["paused"]
        assert row["dynamic"] == {
            "options": {**options, "limit": 4, "paused": True}, "configured": None, "error": None,
        }  # fmt: skip
        everywhere = await program.run("queues", "set", "reports", "--everywhere", "--no-paused")
        assert everywhere.code == 0
        await eventually(lambda: not app.check_queue("reports").paused)
        deleted = await program.run("queues", "delete", "reports", "--yes", "--json")
        assert deleted.json == {"action": "delete", "queues": ["reports"]}
        await eventually(lambda: app.check_all_queues() == [])
    assert "reports" not in await _listed(program)


async def test_a_queue_is_deleted_with_yes_alone_where_nobody_can_be_asked(
    program: Program, make_client: MakeClient
) -> None:
    app = make_client(name=NAME)
    await app.insert_queue("reports", 1)
    refused = await program.run("queues", "delete", "reports")
    told = "would delete dynamic queue reports: give --yes to do so"
    assert (refused.code, refused.out.strip()) == (1, told)
    refused = await program.run("queues", "delete", "reports", "--json")
    assert (refused.code, refused.json) == (1, {"would_delete": "reports"})
    assert [queue.queue for queue in await app.list_queues()] == ["reports"]
    deleted = await program.run("queues", "delete", "reports", "--yes")
    assert (deleted.code, deleted.out.strip()) == (0, "queue reports: deleted")
    assert await app.list_queues() == []


async def test_list_tells_rules_and_where_queues_run_and_what_can_not_be_read(
    program: Program, make_client: MakeClient, rows: Rows
) -> None:
    app = make_client(
        name=NAME,
        node="web.1",
        queues={"here": 1, "there": Queue(limit=1, only=Only(node="x")), "broken": 1},
        dynamic_queues="manual",
    )
    async with app:
        table = rows.queues.replace("staffa_queues", "staffa_dynamic_queues")
        await rows.connection.execute(
            f"UPDATE {table} SET options = '{{\"newer\": true}}' WHERE queue = 'broken'"
        )
        found = await _listed(program)
        assert {queue: [node["node"] for node in row["nodes"]] for queue, row in found.items()} == {
            "here": ["web.1"], "there": [], "broken": [],
        }  # fmt: skip
        assert found["here"]["dynamic"]["configured"] == {"limit": 1}
        assert "newer" in found["broken"]["dynamic"]["error"]
        finished = await program.run("queues", "list")
        assert "only where node is x" in finished.out
        assert "can't be read here" in finished.out


async def test_what_can_not_be_done_ends_with_the_code_of_its_kind(program: Program) -> None:
    for code, message, *arguments in (
        (1, "there is no dynamic queue 'reports'", "delete", "reports"),
        (1, "there is no dynamic queue 'reports'", "delete", "reports", "--yes"),
        (2, "dynamic queue 'reports'", "set", "reports", "--limit", "1"),
        (2, "give options to change", "set", "reports"),
        (2, "is no KEY=VALUE", "add", "reports", "--only", "web.1"),
        (2, "is no JSON", "add", "reports", "--option", "limit=a"),
        (2, "limmit", "add", "reports", "--option", "limmit=1"),
        (2, "option of only: 'zone'", "add", "reports", "--only", "zone=a"),
        (2, "--only or --everywhere", "set", "reports", "--only", "node=a", "--everywhere"),
    ):
        finished = await program.run("queues", *arguments)
        assert (finished.code, message in finished.err) == (code, True), finished.err


async def test_the_commands_run_no_queues_though_the_settings_have_dynamic_ones(
    program: Program, make_client: MakeClient
) -> None:
    app = make_client(name=NAME)
    await app.insert_queue("kept", 1)
    (program.folder / "staffa.toml").write_text('dynamic_queues = "automatic"\nqueues = { a = 1 }')
    assert list(await _listed(program)) == ["kept"]
    assert (await program.run("queues", "set", "kept", "--limit", "2")).code == 0
    assert [queue.queue for queue in await app.list_queues()] == ["kept"]


async def test_top_shows_a_dynamic_queue_without_jobs_and_that_it_is_paused(
    program: Program, make_client: MakeClient
) -> None:
    await make_client(name=NAME).insert_queue("reports", {"limit": 2, "paused": True})
    finished = await program.run("top", "--once", "--json")
    (line,) = finished.json["queues"]
    assert (line["queue"], line["paused"], line["available"]) == ("reports", True, 0)
