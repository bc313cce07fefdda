"""`staffa jobs retry`, `cancel` and `delete`, by ids and by filters."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from staffa import Job, State
from staffa.cli.options import fail
from staffa.errors import DatabaseError, DatabaseUnavailable, OperationInterrupted
from tests.conftest import MakeClient
from tests.support.program import Program
from tests.support.rows import Rows
from tests.support.terminal import Terminal

VERBS = {"retry": "scheduled", "cancel": "scheduled", "delete": "scheduled"}


async def _states(make_client: MakeClient) -> dict[tuple[str, str], int]:
    counts = await make_client().count_jobs()
    return {(queue, state.value): count for (queue, state), count in counts.items()}


async def _enqueue(make_client: MakeClient) -> list[int]:
    jobs = [Job(worker="w", queue="mail", args={"n": n}, scheduled_in=600) for n in range(3)]
    stored = await make_client().enqueue_many(*jobs, Job(worker="w", queue="bills"))
    return [job.id for job in stored if job.id is not None]


@pytest.mark.parametrize("verb", VERBS)
async def test_a_dry_run_counts_and_changes_nothing(
    program: Program, make_client: MakeClient, verb: str
) -> None:
    await _enqueue(make_client)
    before = await _states(make_client)
    finished = await program.run("jobs", verb, "--queue", "mail", "--dry-run", "--json")
    assert finished.code == 0
    assert finished.json == {
        f"would_{verb}": 3,
        "found": [{"queue": "mail", "state": "scheduled", "jobs": 3}],
    }
    finished = await program.run("jobs", verb, "--queue", "mail", "--dry-run")
    assert f"would {verb} 3 jobs\n" in finished.out
    assert await _states(make_client) == before


@pytest.mark.parametrize("verb", VERBS)
async def test_without_a_terminal_a_filter_needs_yes(
    program: Program, make_client: MakeClient, verb: str
) -> None:
    await _enqueue(make_client)
    before = await _states(make_client)
    finished = await program.run("jobs", verb, "--queue", "mail")
    assert finished.code == 1
    assert f"would {verb} 3 jobs: give --yes to do so" in finished.out
    assert await _states(make_client) == before
    finished = await program.run("jobs", verb, "--queue", "mail", "--yes", "--json")
    assert finished.code == 0, finished.err
    assert finished.json == {"count": 3}
    after = await _states(make_client)
    became = {"retry": {("mail", "available"): 3}, "cancel": {("mail", "cancelled"): 3}}
    assert after == {("bills", "available"): 1, **became.get(verb, {})}


async def test_a_limit_changes_the_oldest_of_them(
    program: Program, make_client: MakeClient
) -> None:
    ids = await _enqueue(make_client)
    finished = await program.run(
        "jobs", "cancel", "--queue", "mail", "--limit", "2", "--yes", "--json"
    )
    assert finished.json == {"count": 2}
    app = make_client()
    rows = [await app.get_job(number) for number in ids]
    assert [row.state for row in rows if row] == [
        State.CANCELLED, State.CANCELLED, State.SCHEDULED, State.AVAILABLE,
    ]  # fmt: skip


async def test_times_meta_and_nodes_choose_jobs(program: Program, make_client: MakeClient) -> None:
    app = make_client()
    now = datetime.now(UTC)
    await app.enqueue_many(
        Job(worker="w", args={"n": 1}, scheduled_at=now + timedelta(hours=1), priority=3),
        Job(worker="w", args={"n": 2}, scheduled_at=now + timedelta(days=9), meta={"shop": 7}),
        Job(worker="w", args={"n": 3}, tags=["a", "b"]),
    )
    for options, expected in [
        (["--scheduled-after", (now + timedelta(days=1)).isoformat()], [2]),
        (["--scheduled-before", "0s"], [3]),
        (["--inserted-after", "1h"], [3, 2, 1]),
        (["--inserted-before", "1w"], []),
        (["--attempted-after", "1h"], []),
        (["--finished-before", "0s"], []),
        (["--meta", "shop=7"], [2]),
        (["--priority", "3"], [1]),
        (["--all-tags", "a", "--all-tags", "b"], [3]),
        (["--node", "web.1"], []),
    ]:
        finished = await program.run("jobs", "list", *options, "--json")
        assert finished.code == 0, finished.err
        assert [job["args"]["n"] for job in finished.json] == expected, options


async def test_nothing_that_fits_exits_with_1(program: Program) -> None:
    for verb in VERBS:
        finished = await program.run("jobs", verb, "--queue", "nowhere", "--yes")
        assert finished.code == 1
        assert f"there are no jobs to {verb}" in finished.out
        finished = await program.run("jobs", verb, "--queue", "nowhere", "--dry-run", "--json")
        assert finished.code == 1
        assert finished.json == {f"would_{verb}": 0, "found": []}


async def test_ids_are_deleted_with_yes_and_running_ones_are_left_alone(
    program: Program, make_client: MakeClient
) -> None:
    first, *_ = await _enqueue(make_client)
    finished = await program.run("jobs", "delete", str(first))
    assert finished.code == 1
    assert "would delete 1 job: give --yes" in finished.out
    finished = await program.run("jobs", "delete", str(first), "4711", "--yes", "--json")
    assert finished.code == 0
    assert finished.json == {"deleted": [first], "left_alone": [4711]}
    assert await make_client().get_job(first) is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "no jobs are chosen"),
        (["--limit", "3"], "no jobs are chosen"),
        (["1", "--queue", "mail"], "give only one of"),
        (["1", "--all"], "give only one of"),
        (["--all", "--queue", "mail"], "give only one of"),
        (["1", "--limit", "1"], "--limit goes with"),
        (["--inserted-after", "yesterday"], "is no time"),
        (["--inserted-after", "2026-03-29T01:00:00"], "with its time zone"),
        (["--inserted-after", "999999999w"], "is no time"),
        (["--priority", "99999"], "priorities"),
        (["--queue", ""], "1 to 255 characters"),
        (["--meta", "x"], "KEY=VALUE"),
        (["abc"], "abc"),
    ],
)
async def test_what_chooses_no_jobs_or_too_many_ways_is_a_usage_error(
    program: Program, options: list[str], said: str
) -> None:
    finished = await program.run("jobs", "delete", "--yes", *options)
    assert finished.code == 2
    assert said in finished.err


async def test_all_jobs_are_meant_only_if_all_is_said(
    program: Program, make_client: MakeClient
) -> None:
    await _enqueue(make_client)
    finished = await program.run("jobs", "delete", "--all", "--yes", "--json")
    assert finished.json == {"count": 4}
    assert await _states(make_client) == {}


async def test_hooks_and_handlers_of_the_code_that_is_loaded_hear_of_a_cancel(
    program: Program, make_client: MakeClient
) -> None:
    (program.folder / "shop.py").write_text(
        "from staffa import Worker, telemetry, worker\n"
        "@worker(name='shop.Mail')\n"
        "class Mail(Worker):\n"
        "    async def process(self, job): ...\n"
        "    async def on_cancelled(self, reason, job):\n"
        "        print('hook', reason.value, job.id, flush=True)\n"
        "def tell(event):\n"
        "    print('audit', event.action, event.count, event.target, event.error, flush=True)\n"
        "telemetry.attach(tell, events='staffa.audit')\n"
    )
    stored = await make_client().enqueue(Job(worker="shop.Mail", args={"to": "secret"}))
    finished = await program.run("jobs", "cancel", str(stored.id), "--import", "shop")
    assert f"hook manual {stored.id}" in finished.out
    assert f"audit jobs.cancel 1 {{'ids': [{stored.id}]}} None" in finished.out
    finished = await program.run(
        "jobs", "delete", "--arg", "to=secret", "--yes", "--import", "shop"
    )
    assert "audit jobs.delete 1 {'args': ['to']} None" in finished.out
    finished = await program.run("queues", "pause", "*", "--import", "shop")
    assert finished.code == 2
    assert "audit queues.pause None" in finished.out
    assert "names all queues" in finished.err


async def test_at_a_terminal_somebody_is_asked_and_may_say_no(
    program: Program, make_client: MakeClient, terminal: Terminal
) -> None:
    await _enqueue(make_client)
    asking = await program.start_on(terminal, "jobs", "cancel", "--queue", "mail")
    shown = await terminal.until("Cancel 3 jobs? [y/N]")
    assert "scheduled" in shown
    terminal.press("n\n")
    assert await asking.wait() == 1
    assert ("mail", "scheduled") in await _states(make_client)
    asking = await program.start_on(terminal, "jobs", "cancel", "--queue", "mail")
    terminal.forget()
    await terminal.until("Cancel 3 jobs? [y/N]")
    terminal.press("y\n")
    await terminal.until("cancelled: 3 jobs")
    assert await asking.wait() == 0


async def test_many_jobs_show_a_bar_on_a_terminal(
    program: Program, make_client: MakeClient, terminal: Terminal
) -> None:
    await make_client().enqueue_many(Job(worker="w", queue="mail") for _ in range(3000))
    process = await program.start_on(terminal, "jobs", "cancel", "--queue", "mail", "--yes")
    await terminal.until("cancelled: 3000 jobs")
    assert "cancelling" in terminal.shown
    assert await process.wait() == 0


async def test_an_end_in_the_middle_tells_how_many_were_done(
    program: Program, make_client: MakeClient, rows: Rows
) -> None:
    await make_client().enqueue_many(Job(worker="w", queue="mail") for _ in range(3000))
    await rows.connection.execute(
        f"CREATE FUNCTION {_schema(rows)}.refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'no more'; END $$"
    )
    await rows.connection.execute(
        f"CREATE TRIGGER refuse BEFORE UPDATE ON {rows.jobs} FOR EACH ROW WHEN (OLD.id > 1500)"
        f" EXECUTE FUNCTION {_schema(rows)}.refuse()"
    )
    finished = await program.run("jobs", "cancel", "--queue", "mail", "--yes", "--json")
    assert finished.code == 1
    error = json.loads(finished.err)["error"]
    assert error["type"] == "OperationInterrupted"
    assert "interrupted after 1000 jobs" in error["message"]


def test_an_end_by_an_outage_has_the_code_of_an_outage() -> None:
    with pytest.raises(SystemExit) as caught:
        fail(interrupted(DatabaseUnavailable("gone")))
    assert caught.value.code == 3


def interrupted(cause: DatabaseError) -> OperationInterrupted:
    error = OperationInterrupted(7, cause)
    error.__cause__ = cause
    return error


def _schema(rows: Rows) -> str:
    return rows.jobs.removesuffix(".oban_jobs")
