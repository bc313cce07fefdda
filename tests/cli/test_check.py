"""`staffa check`."""

from __future__ import annotations

from staffa import Cron, Job
from tests.conftest import MakeClient
from tests.support.events import eventually
from tests.support.program import Program

_WORKERS = """
from staffa import job

@job(name="shop.send", aliases=["shop.old_send"])
async def send(to: str = "") -> None: ...
"""


def _write(program: Program, more: str = "") -> None:
    (program.folder / "shop.py").write_text(_WORKERS + more)


async def test_all_is_well_where_nothing_waits(program: Program) -> None:
    finished = await program.run("check", "--json")
    assert finished.code == 0, finished.err
    assert finished.json == {"workers": 0, "crons": 0, "crons_left_out": 0, "unknown": []}


async def test_known_names_and_aliases_are_no_failure_and_unknown_ones_are(
    program: Program, make_client: MakeClient
) -> None:
    _write(program)
    app = make_client()
    await app.enqueue_many(Job(worker="shop.send"), Job(worker="shop.old_send", scheduled_in=60))
    assert (await program.run("check", "--import", "shop")).code == 0
    gone = await app.enqueue_many(Job(worker="shop.gone") for _ in range(2))
    finished = await program.run("check", "--import", "shop", "--json")
    assert finished.code == 1
    assert finished.json["unknown"] == [{"worker": "shop.gone", "jobs": 2, "crons": []}]
    assert finished.json["workers"] == 2
    assert "shop.gone" in (await program.run("check", "--import", "shop")).out
    await app.cancel_many_jobs(gone)
    assert (await program.run("check", "--import", "shop")).code == 0


async def test_names_under_imported_packages_are_looked_up_as_workers_do(
    program: Program, make_client: MakeClient
) -> None:
    (program.folder / "staffa.toml").write_text('imports = ["shop"]\n')
    (program.folder / "shop").mkdir()
    (program.folder / "shop" / "__init__.py").touch()
    (program.folder / "shop" / "late.py").write_text(
        "from staffa import job\n@job\nasync def late() -> None: ...\n"
    )
    await make_client().enqueue(Job(worker="shop.late.late"))
    finished = await program.run("check", "--json")
    assert finished.code == 0, finished.json


async def test_an_active_entry_of_cron_without_code_is_a_failure(
    program: Program, make_client: MakeClient
) -> None:
    app = make_client(
        name="Oban", queues={"q": 1}, cron=[Cron("@daily", worker="shop.gone", name="n")]
    )
    await app.start()

    async def listed() -> bool:
        return bool(await app.list_crons())

    await eventually(listed, "the entry")
    finished = await program.run("check", "--json")
    assert finished.code == 1
    assert finished.json["unknown"] == [{"worker": "shop.gone", "jobs": 0, "crons": ["n"]}]
    await app.stop()
    assert (await program.run("check")).code == 0


async def test_entries_of_cron_that_can_not_be_used_are_a_failure(program: Program) -> None:
    _write(program)
    (program.folder / "staffa.toml").write_text(
        'imports = ["shop"]\n[cron.bad]\nexpression = "@daily"\nworker = "shop.send"\n'
        'args = { wrong = "x", to = 1 }\n'
    )
    finished = await program.run("check", "--json")
    assert finished.code == 1, finished
    assert finished.json["crons_left_out"] == 1
    assert "left out" in finished.err


async def test_settings_and_modules_that_can_not_be_used_are_wrong_usage(program: Program) -> None:
    finished = await program.run("check", "--import", "nowhere", "--json")
    assert finished.code == 2
    assert "nowhere" in finished.err
    (program.folder / "staffa.toml").write_text("poll = 0\n")
    finished = await program.run("check")
    assert finished.code == 2
    assert "poll" in finished.err
