"""`staffa cron`."""

from __future__ import annotations

from datetime import datetime

import pytest

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
        " timezone = $2, last_job_id = 1, last_run = last_tick WHERE name = 'nightly'",
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


async def test_an_entry_is_added_shown_changed_paused_run_and_deleted(
    program: Program, make_client: MakeClient
) -> None:
    added = await program.run(
        "cron", "add", "mondays", "0 9 * * MON", "shop.greet", "--timezone", "Europe/Berlin",
        "--dst", "skip", "--guaranteed", "--arg", "name=Ada", "--arg", "n=1", "--queue", "mail",
        "--priority", "3", "--max-attempts", "5", "--tag", "a", "--tag", "b", "--meta", "m=1",
        "--option", "timeout=30", "--option", 'unique={"period": 60}', "--json",
    )  # fmt: skip
    assert added.code == 0, added.err
    entry = added.json
    assert (entry["name"], entry["expression"], entry["dst"]) == ("mondays", "0 9 * * MON", "skip")
    assert (entry["guaranteed"], entry["dynamic"], entry["paused"]) == (True, True, False)
    assert (entry["active"], entry["args"]) == (True, {"name": "Ada", "n": 1})
    assert entry["options"]["unique"]["period"] == 60
    assert entry["options"]["meta"] == {"m": 1, "staffa_timeout": 30.0}

    shown = await program.run("cron", "show", "mondays")
    assert shown.code == 0, shown.err
    assert '"name": "Ada"' in shown.out
    assert "09:00:00" in shown.out, "the next run, by the entry's own clock"

    changed = await program.run(
        "cron", "set", "mondays", "--expression", "@daily", "--no-guaranteed", "--priority", "0"
    )
    assert "cron entry mondays: changed: At 00:00 every day, Europe/Berlin" in changed.out
    assert "paused" in (await program.run("cron", "pause", "mondays")).out
    (listed,) = (await program.run("cron", "list", "--json")).json
    assert (listed["paused"], listed["next_run"], listed["guaranteed"]) == (True, None, False)
    assert "paused" in (await program.run("cron", "list")).out
    ran = (await program.run("cron", "run", "mondays", "--json")).json
    stored = await make_client().get_job(ran["id"])
    assert stored is not None
    assert (stored.queue, stored.priority, stored.args) == ("mail", 0, {"name": "Ada", "n": 1})
    resumed = await program.run("cron", "resume", "mondays", "--json")
    assert resumed.json == {"action": "resume", "cron": "mondays"}

    refused = await program.run("cron", "delete", "mondays")
    assert (refused.code, "--yes" in refused.out) == (1, True)
    assert (await program.run("cron", "delete", "mondays", "--yes")).code == 0
    assert (await program.run("cron", "list", "--json")).json == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "nightly", "@daily", "shop.tidy"), "there is a cron entry 'nightly' already"),
        (("add", "x", "0 24 * * *", "shop.tidy"), "hour '24'"),
        (("add", "x", "@daily", "shop.tidy", "--arg", "x"), "is no KEY=VALUE"),
        (("set", "nightly"), "nothing to change"),
        (("set", "nigthly", "--queue", "x"), "did you mean 'nightly'"),
        (("show", "nigthly"), "did you mean 'nightly'"),
        (("delete", "nightly", "--yes"), "pause it"),
        (("delete", "nigthly"), "did you mean 'nightly'"),
    ],
)
async def test_what_can_not_be_done_ends_with_2(
    program: Program, make_client: MakeClient, arguments: tuple[str, ...], words: str
) -> None:
    await _registered(make_client)
    finished = await program.run("cron", *arguments)
    assert finished.code == 2
    assert words in finished.err.replace("\n", " ")


async def test_an_import_checks_the_args_and_takes_over_the_workers_options(
    program: Program,
) -> None:
    (program.folder / "greetings.py").write_text(
        "from staffa import job\n\n"
        "@job(name='shop.greet', queue='greetings')\n"
        "def greet(name: str) -> None: ...\n"
    )
    add = ("cron", "add", "mondays", "@daily", "shop.greet")
    wrong = await program.run(*add, "--import", "greetings", "--arg", "nam=Ada")
    assert wrong.code == 1
    assert "name" in wrong.err
    right = await program.run(*add, "--import", "greetings", "--arg", "name=Ada", "--json")
    assert right.json["queue"] == "greetings"
    told = await program.run("cron", "add", "other", "@daily", "shop.unknown")
    assert "worker 'shop.unknown' is not known here" in told.err
