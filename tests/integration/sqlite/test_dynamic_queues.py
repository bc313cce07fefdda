"""Dynamic queues of several processes on one SQLite file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from staffa import Only, Queue
from staffa.errors import SchemaMissing
from tests.conftest import MakeClient
from tests.support.app import note
from tests.support.files import JobsFile
from tests.support.processes import Spawn


async def test_real_processes_run_what_is_inserted_where_its_rule_says(
    file: JobsFile, spawn: Spawn, make_client: MakeClient, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"queues": "", "dynamic_queues": "manual"}
    for process in [spawn(node=f"web.{number}", **options) for number in (1, 2)]:
        await process.running()
    operator = make_client(name="Oban")
    await operator.insert_queues({"late": 2, "bound": Queue(limit=1, only=Only(node="web.2"))})
    late = await operator.enqueue(note.options(queue="late").new(str(tmp_path)))
    bound = await operator.enqueue_many(
        note.options(queue="bound").new(str(tmp_path)) for _ in range(5)
    )
    await file.until(late.id, "completed")
    for entry in bound:
        assert (await file.until(entry.id, "completed"))["attempted_by"][0] == "web.2"
    assert await operator.delete_queue("late")
    assert [queue.queue for queue in await operator.list_queues()] == ["bound"]


async def test_a_file_that_is_not_migrated_yet_has_none_and_queues_are_controlled_all_the_same(
    file: JobsFile, make_client: MakeClient
) -> None:
    file.query("DROP TABLE staffa_dynamic_queues")
    async with make_client(queues={"a": 5}) as app:
        await app.scale_queue("a", limit=7)
        await app.pause_queue("a")
        (check,) = app.check_all_queues()
        assert (check.limit, check.paused) == (7, True)
        with pytest.raises(SchemaMissing, match="staffa migrate up"):
            await app.insert_queue("b", 1)


async def test_what_was_changed_survives_a_restart(make_client: MakeClient) -> None:
    options: dict[str, Any] = {"queues": {"a": 5, "b": 1}, "dynamic_queues": "manual"}
    app = make_client(name="shop", **options)
    async with app:
        await app.scale_queue("a", limit=7)
        await app.pause_queue("a")
        await app.delete_queue("b")
    async with make_client(name="shop", **options) as again:
        (check,) = again.check_all_queues()
        assert (check.queue, check.limit, check.paused) == ("a", 7, True)
