"""`staffa jobs`."""

from __future__ import annotations

import json

from staffa import Job, State
from tests.conftest import MakeClient
from tests.support.program import Program
from tests.support.rows import Rows


async def test_list_shows_the_newest_first_and_filters(
    program: Program, make_client: MakeClient
) -> None:
    app = make_client()
    await app.enqueue_many(
        Job(worker="shop.Mail", queue="mail", args={"n": 1}),
        Job(worker="shop.Bill", queue="bills", scheduled_in=60),
        Job(worker="shop.Mail", queue="mail", args={"n": 2}),
    )
    finished = await program.run("jobs", "list", "--queue", "mail", "--json")
    assert [job["args"] for job in finished.json] == [{"n": 2}, {"n": 1}]
    finished = await program.run("jobs", "list", "--state", "scheduled")
    assert "shop.Bill" in finished.out
    assert "shop.Mail" not in finished.out
    finished = await program.run("jobs", "list", "--state", "discarded")
    assert (finished.code, finished.out) == (0, "there are no such jobs\n")
    finished = await program.run("jobs", "list", "--limit", "1", "--json")
    newest = finished.json[0]["id"]
    finished = await program.run("jobs", "list", "--before", str(newest), "--json")
    assert [job["worker"] for job in finished.json] == ["shop.Bill", "shop.Mail"]


async def test_list_filters_by_tags_and_arguments(
    program: Program, make_client: MakeClient
) -> None:
    await make_client().enqueue_many(
        Job(worker="w", args={"n": 1, "to": "ada"}, tags=["vip"]),
        Job(worker="w", args={"n": 2, "to": "bob"}),
        Job(worker="w", args={"n": 2, "to": "ada", "deep": {"a": [1, 2]}}),
    )
    for options, expected in [
        (["--tag", "vip"], [1]),
        (["--tag", "none"], []),
        (["--arg", "to=ada"], [2, 1]),
        (["--arg", "to=ada", "--arg", "n=2"], [2]),
        (["--arg", 'deep={"a": [2]}'], [2]),
        (["--arg", 'n="2"'], []),
    ]:
        finished = await program.run("jobs", "list", *options, "--json")
        assert [job["args"]["n"] for job in finished.json] == expected, options


async def test_an_argument_without_a_value_is_a_usage_error(program: Program) -> None:
    for text in ("to", "=ada"):
        finished = await program.run("jobs", "list", "--arg", text)
        assert finished.code == 2
        assert "KEY=VALUE" in finished.err


async def test_a_wrong_state_names_the_known_ones(program: Program) -> None:
    finished = await program.run("jobs", "list", "--state", "finished")
    assert finished.code == 2
    assert "completed" in finished.err


async def test_show_prints_every_column_and_no_control_characters(
    program: Program, make_client: MakeClient
) -> None:
    stored = await make_client().enqueue(
        Job(worker="shop.\x1b[31mMail", args={"subject": "\x1b]0;hacked\x07"}, tags=["a"])
    )
    finished = await program.run("jobs", "show", str(stored.id))
    assert finished.code == 0
    assert "\x1b" not in finished.out
    assert "\x07" not in finished.out
    assert "shop.\\x1b[31mMail" in finished.out
    finished = await program.run("jobs", "show", str(stored.id), "--json")
    assert finished.json[0]["args"] == {"subject": "\x1b]0;hacked\x07"}
    assert finished.json[0]["tags"] == ["a"]
    assert finished.json[0]["completed_at"] is None


async def test_show_of_a_missing_job_exits_with_1(program: Program) -> None:
    finished = await program.run("jobs", "show", "4711")
    assert finished.code == 1
    assert "4711" in finished.err


async def test_cancel_and_retry_change_the_rows_and_tell_what_they_left_alone(
    program: Program, make_client: MakeClient
) -> None:
    app = make_client()
    stored = await app.enqueue(Job(worker="shop.Mail"))
    finished = await program.run("jobs", "cancel", str(stored.id), "4711", "--json")
    assert finished.json == {"cancelled": [stored.id], "left_alone": [4711]}
    row = await app.get_job(stored)
    assert row is not None
    assert row.state is State.CANCELLED
    assert (await program.run("jobs", "cancel", str(stored.id))).code == 1
    finished = await program.run("jobs", "retry", str(stored.id))
    assert finished.code == 0
    assert f"available: {stored.id}" in finished.out
    row = await app.get_job(stored)
    assert row is not None
    assert row.state is State.AVAILABLE


async def test_an_id_that_is_no_number_is_a_usage_error(program: Program) -> None:
    assert (await program.run("jobs", "retry", "abc")).code == 2


async def test_show_prints_tracebacks_as_they_were(
    program: Program, make_client: MakeClient, rows: Rows
) -> None:
    error = 'Traceback:\n  File "shop.py", line 3\nValueError: no such address'
    job = await rows.insert(state="retryable", worker="shop.Mail", attempt=1)
    await rows.connection.execute(
        f"UPDATE {rows.jobs} SET errors = ARRAY['\"no object\"', $2::text::jsonb] WHERE id = $1",
        job,
        json.dumps({"attempt": 1, "at": "2026-11-26T10:29:26.658057Z", "error": error}),
    )
    finished = await program.run("jobs", "show", str(job))
    assert [line.strip() for line in finished.out.splitlines()[-6:]] == [
        "errors        no object",
        "",
        "attempt 1, 2026-11-26T10:29:26.658057Z",
        "Traceback:",
        'File "shop.py", line 3',
        "ValueError: no such address",
    ]
    finished = await program.run("jobs", "show", str(job), "--json")
    assert finished.json[0]["errors"][1]["error"] == error
