"""`staffa doctor`: each ill that it knows is made, and found."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg

from staffa import Job
from staffa._internal.identifiers import quote_identifier
from tests.conftest import MakeClient
from tests.support.pgbouncer import PgBouncer
from tests.support.program import Program
from tests.support.rows import Rows

_PEERS = "name text, node text, started_at timestamp, elected_at timestamp, expires_at timestamp"


async def _examined(
    program: Program, *options: str, code: int = 0
) -> dict[str, list[dict[str, Any]]]:
    finished = await program.run("doctor", "--json", *options)
    assert finished.code == code, (finished.out, finished.err)
    assert finished.json["ok"] is (code == 0)
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in finished.json["findings"]:
        assert set(finding) == {"check", "level", "what", "remedy"}
        assert (finding["remedy"] is None) is (finding["level"] == "ok")
        found.setdefault(finding["check"], []).append(finding)
    return found


async def _die(rows: Rows, *, ago: float) -> str:
    """Leave a producer that has been silent for so many seconds, with a running job."""
    uuid = str(uuid4())
    await rows.connection.execute(
        f"INSERT INTO {rows.producers} (uuid, name, node, beat_at) VALUES"
        " ($1::text::uuid, 'Oban', 'web.9', timezone('UTC', now()) - make_interval(secs => $2))",
        uuid,
        ago,
    )
    await rows.insert(
        worker="w", state="executing", attempted_by=f"{{web.9,{uuid}}}", attempt=1,
        attempted_at="2026-01-01",
    )  # fmt: skip
    return uuid


async def test_a_healthy_place_has_no_problem(program: Program, make_client: MakeClient) -> None:
    app = make_client(name="Oban", node="web.1", queues={"mail": 1})
    await app.start()
    found = await _examined(program)
    levels = {check: [one["level"] for one in all_] for check, all_ in found.items()}
    warned = levels.pop("reindexer")
    assert warned == ["warning"]
    assert set(map(tuple, levels.values())) == {("ok",)}
    assert levels.keys() == {
        "schema", "server", "pooler", "clock", "connections", "processes", "running jobs",
        "waiting jobs", "failing jobs", "workers", "snapshots", "vacuum", "indexes",
        "notifications",
    }  # fmt: skip
    assert "1 live, on web.1" in found["processes"][0]["what"]
    shown = await program.run("doctor")
    assert shown.code == 0
    assert "what to do" in shown.out


async def test_missing_tables_are_a_problem_and_all_that_can_be_said(
    bare_program: Program,
) -> None:
    found = await _examined(bare_program, code=1)
    assert found["schema"][0]["remedy"] == "run 'staffa migrate up'"
    assert list(found) == ["schema"]


async def test_an_outdated_schema_is_a_problem(program: Program) -> None:
    assert (await program.run("migrate", "down", "--to", "4", "--yes")).code == 0
    found = await _examined(program, code=1)
    assert "version 4 of" in found["schema"][0]["what"]


async def test_nobody_who_works_is_a_warning_and_dead_processes_that_hold_jobs_a_problem(
    program: Program, make_client: MakeClient, rows: Rows
) -> None:
    found = await _examined(program)
    assert found["processes"][0]["level"] == "warning"
    uuid = await _die(rows, ago=3600)
    found = await _examined(program, code=1)
    (dead,) = found["dead processes"]
    assert dead["level"] == "problem"
    assert "web.9" in dead["what"]
    assert "staffa start" in dead["remedy"]
    await rows.connection.execute(
        f"UPDATE {rows.jobs} SET state = 'cancelled' WHERE attempted_by[2] = $1", uuid
    )
    assert "dead processes" not in await _examined(program)


async def test_a_death_that_the_living_are_about_to_notice_is_a_warning(
    program: Program, make_client: MakeClient, rows: Rows
) -> None:
    app = make_client(name="Oban", queues={"mail": 1}, heartbeat=5, dead_after=60)
    await app.start()
    await _die(rows, ago=30)
    found = await _examined(program)
    assert found["dead processes"][0]["level"] == "warning"


async def test_unknown_workers_are_a_problem_where_code_is_given(
    program: Program, make_client: MakeClient
) -> None:
    (program.folder / "shop.py").touch()
    await make_client().enqueue(Job(worker="shop.gone"))
    assert (await _examined(program))["workers"][0]["level"] == "ok"
    found = await _examined(program, "--import", "shop", code=1)
    assert "shop.gone (1 job)" in found["workers"][0]["what"]


async def test_jobs_that_have_waited_for_long_are_a_warning_with_the_remedy_of_their_queue(
    program: Program, rows: Rows
) -> None:
    await rows.insert(worker="w", queue="slow mail", scheduled_at="2026-01-01")
    found = await _examined(program)
    (late,) = found["waiting jobs"]
    assert late["level"] == "warning"
    assert "slow mail" in late["what"]
    assert (await program.run("queues", "pause", "slow mail")).code == 0
    (late,) = (await _examined(program))["waiting jobs"]
    assert late["remedy"] == "run: staffa queues resume 'slow mail'"


async def test_workers_that_fail_often_are_a_warning_with_the_command_that_shows_their_jobs(
    program: Program, rows: Rows
) -> None:
    for number in range(40):
        state = ("completed", "completed", "retryable", "discarded")[number % 4]
        ended = f"{state}_at" if state != "retryable" else "attempted_at"
        moment = datetime.now(UTC).replace(tzinfo=None)
        worker = "shop.it's off" if number >= 4 else "shop.fine"
        await rows.insert(worker=worker, state=state, attempt=1, **{ended: moment})
    found = await _examined(program)
    (failing,) = found["failing jobs"]
    assert failing["level"] == "warning"
    assert failing["what"].startswith("50% of the jobs of shop.it's off that ended lately have")
    command = shlex.split(failing["remedy"].removeprefix("run: staffa "))
    shown = await program.run(*command, "--json")
    assert len(shown.json) == 18


async def test_a_peer_that_leads_makes_a_long_job_a_warning(
    program: Program, rows: Rows, prefix: str
) -> None:
    schema = quote_identifier(prefix)
    for table, peer in (("oban_peers", "Elixir Oban"), ("oban_leaders", "Python oban")):
        await rows.connection.execute(f"CREATE TABLE {schema}.{table} ({_PEERS})")
        await rows.connection.execute(
            f"INSERT INTO {schema}.{table} (name, expires_at) VALUES ('x', '2020-01-01')"
        )
        number = await rows.insert(
            worker="w", state="executing", attempt=1, attempted_at="2026-01-01"
        )
        assert (await _examined(program))["running jobs"][0]["level"] == "ok"
        await rows.connection.execute(f"UPDATE {schema}.{table} SET expires_at = '9000-01-01'")
        (found,) = (await _examined(program))["running jobs"]
        assert found["level"] == "warning"
        assert f"job {number} " in found["what"]
        assert peer in found["remedy"]
        await rows.connection.execute(f"DELETE FROM {schema}.{table}; DELETE FROM {rows.jobs}")


async def test_an_index_that_is_invalid_is_a_problem_and_a_leftover_a_warning(
    program: Program, connection: asyncpg.Connection, prefix: str
) -> None:
    schema = quote_identifier(prefix)
    for name, code, level in (("some_ccnew", 0, "warning"), ("of_a_user", 1, "problem")):
        await connection.execute(f"CREATE INDEX {name} ON {schema}.oban_jobs (queue)")
        await connection.execute(
            f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{schema}.{name}'::regclass"
        )
        (found,) = (await _examined(program, code=code))["indexes"]
        assert (found["level"], name in found["what"]) == (level, True)


async def test_a_pooler_is_seen_and_what_it_swallows_is_a_warning(
    dsn: str, prefix: str, program: Program
) -> None:
    bouncer = PgBouncer(dsn)
    await bouncer.open()
    try:
        behind = Program(program.folder, STAFFA_DSN=bouncer.dsn, STAFFA_PREFIX=prefix)
        found = await _examined(behind)
        assert found["pooler"][0]["level"] == "warning"
        assert "listen_dsn" in found["pooler"][0]["remedy"]
        assert found["notifications"][0]["level"] == "warning"
        polling = Program(
            program.folder, STAFFA_DSN=bouncer.dsn, STAFFA_PREFIX=prefix, STAFFA_NOTIFIER="polling"
        )
        found = await _examined(polling)
        assert (found["pooler"][0]["level"], found["notifications"][0]["level"]) == ("ok", "ok")
    finally:
        await bouncer.close()


async def test_a_password_is_in_none_of_the_findings(
    dsn: str, prefix: str, program: Program
) -> None:
    nowhere = "postgresql://owner:hunter2@127.0.0.1:1/app"
    other = Program(
        program.folder, STAFFA_DSN=dsn, STAFFA_PREFIX=prefix, STAFFA_MAINTENANCE_DSN=nowhere,
        STAFFA_LISTEN_DSN=nowhere,
    )  # fmt: skip
    finished = await other.run("doctor", "--json")
    assert finished.code == 0
    assert "hunter2" not in finished.out + finished.err
    assert "can't be looked at" in finished.out
