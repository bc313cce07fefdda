"""`staffa cron`."""

from __future__ import annotations

from datetime import datetime

from staffa import Cron
from tests.conftest import MakeClient
from tests.support.events import eventually
from tests.support.program import Program
from tests.support.rows import Rows


async def _registered(make_client: MakeClient) -> None:
    app = make_client(
        name="Oban",
        queues={"idle": 1},
        cron=[
            Cron("0 3 * * *", worker="shop.tidy", timezone="Europe/Berlin", name="nightly"),
            Cron("@reboot", worker="shop.boot", name="boot", queue="idle2"),
        ],
    )
    await app.start()

    async def listed() -> bool:
        return len(await app.list_crons()) == 2

    await eventually(listed, "the entries")


async def test_no_entries_are_an_empty_list(program: Program) -> None:
    assert (await program.run("cron", "list", "--json")).json == []
    assert (await program.run("cron", "list")).code == 0


async def test_list_shows_entries_in_words_with_their_next_runs(
    program: Program, make_client: MakeClient
) -> None:
    await _registered(make_client)
    finished = await program.run("cron", "list", "--json")
    boot, nightly = finished.json
    assert (boot["name"], boot["next_run"], boot["queue"]) == ("boot", None, "idle2")
    assert nightly["in_words"] == "At 03:00 every day"
    assert nightly["timezone"] == "Europe/Berlin"
    assert nightly["active"]
    assert nightly["last_run"] is None
    assert datetime.fromisoformat(nightly["next_run"]).utcoffset() is not None
    shown = (await program.run("cron", "list")).out
    assert "03:00:00" in shown
    assert "When the first process starts" in shown


async def test_rows_that_can_not_be_understood_are_listed_all_the_same(
    program: Program, make_client: MakeClient, rows: Rows
) -> None:
    await _registered(make_client)
    await rows.connection.execute(
        f"UPDATE {rows.jobs.replace('oban_jobs', 'staffa_crons')} SET expression = $1,"
        " timezone = $2, last_job_id = 1 WHERE name = 'nightly'",
        "never \x1b[31m", "Nowhere/\x1b[31m",
    )  # fmt: skip
    finished = await program.run("cron", "list")
    assert finished.code == 0, finished.err
    assert "can't be read here" in finished.out
    assert "\x1b" not in finished.out


async def test_run_enqueues_the_job_of_an_entry(program: Program, make_client: MakeClient) -> None:
    await _registered(make_client)
    finished = await program.run("cron", "run", "nightly", "--json")
    assert finished.code == 0, finished.err
    stored = await make_client().get_job(finished.json["id"])
    assert stored is not None
    assert (stored.worker, stored.meta["cron_name"]) == ("shop.tidy", "nightly")
    assert "is available" in (await program.run("cron", "run", "nightly")).out


async def test_an_unknown_entry_names_the_nearest(
    program: Program, make_client: MakeClient
) -> None:
    finished = await program.run("cron", "run", "nightly")
    assert "unknown cron entry 'nightly': there are none" in finished.err
    await _registered(make_client)
    finished = await program.run("cron", "run", "nigthly")
    assert finished.code == 2
    assert "did you mean 'nightly'?" in finished.err
    assert (await program.run("cron", "run")).code == 2
