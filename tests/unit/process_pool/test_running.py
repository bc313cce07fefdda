"""Running jobs in processes: what goes in, what comes out, and where it happens."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from staffa import Cancel, Discard, Job, Record, Snooze, State
from staffa.queues.outcomes import of_result
from staffa.queues.pools.process import ProcessCall, ProcessPool
from staffa.registry import WorkerDefinition
from tests.support import process_jobs as jobs
from tests.unit.process_pool.calls import begin, call_of, run, told
from tests.unit.process_pool.conftest import MakePool
from tests.unit.programs import run_python, write
from tests.unit.rows import CLAIMED_AT, claimed


async def test_a_job_runs_in_another_process_that_serves_again(pool: ProcessPool) -> None:
    found = {await run(pool, jobs.pid) for _ in range(20)}
    assert len(found) == 1
    assert os.getpid() not in found


@pytest.mark.parametrize(
    "value",
    [
        None, True, 0, -1.5, 2**62, 2**63, 10**100, "", "ä\n€😀", "x" * 3_000_000, [1, [2, []]],
        {"a": {"b": None}}, {"kind": "exit"}, [[[[]]]] * 1000,
    ],
    ids=lambda value: f"{value!r:.20}",
)  # fmt: skip
async def test_arguments_and_values_come_back_as_they_were(pool: ProcessPool, value: Any) -> None:
    assert await run(pool, jobs.echo, value=value) == {"value": value}
    assert await run(pool, jobs.echo_later, value=value) == value


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        ("cancel", Cancel("not needed")), ("discard", Discard("no such page")),
        ("snooze", Snooze(90.0)), ("none", None), ("unknown", None), ("nan", None), ("long", None),
    ],
)  # fmt: skip
async def test_results_come_back_and_values_that_are_no_json_are_dropped(
    pool: ProcessPool, kind: str, result: object
) -> None:
    assert await run(pool, jobs.returns, kind=kind) == result


async def test_a_result_that_is_recorded_is_made_ready_there(pool: ProcessPool) -> None:
    page = jobs.Page(3, datetime(2026, 3, 1, tzinfo=UTC))
    made = [
        (jobs.turn, jobs.turn.new(page), jobs.turn(page)),
        (jobs.record, jobs.record.new("value"), Record((1, b"bytes"))),
        (jobs.record, jobs.record.new("nothing"), Record(jobs)),
        (jobs.ReadPage, Job(worker=_definition(jobs.ReadPage).name, args=_args(page)), 3),
    ]
    for function, new, expected in made:
        job = claimed(worker=new.worker, args=new.args_json)
        definition = _definition(function)
        definition.prepare(job)  # as the executor may have done before
        result = await pool.run(ProcessCall.of(job, definition))
        there, here = of_result(job, result), of_result(job, expected, definition)
        assert (there.meta, there.error is None) == (here.meta, here.error is None)
        assert there.state is State.COMPLETED


def _definition(function: Any) -> WorkerDefinition:
    found = function._definition
    assert isinstance(found, WorkerDefinition)
    return found


def _args(page: jobs.Page) -> dict[str, Any]:
    return {"number": page.number, "read_at": page.read_at.isoformat()}


async def test_args_that_no_client_of_ours_would_have_written_are_taken(pool: ProcessPool) -> None:
    args = '{"a":' + "[" * 150 + "]" * 150 + "}"
    job = claimed(worker=jobs.pid.worker_name, args=args)
    assert isinstance(await pool.run(call_of(jobs.pid, job)), int)


async def test_the_job_knows_itself_there(pool: ProcessPool) -> None:
    errors = [{"attempt": 1, "at": "2026-03-01T11:00:00Z", "error": "ValueError: it failed"}]
    job = claimed(
        id=2**40, worker=jobs.describe.worker_name, attempt=3, max_attempts=7, priority=2,
        tags=["a", "b"], meta={"note": [1], "big": 2**80}, args={"more": "than it takes"},
        errors=json.dumps(errors),
    )  # fmt: skip
    assert await pool.run(call_of(jobs.describe, job)) == {
        "id": 2**40, "worker": jobs.describe.worker_name, "queue": "default", "state": "executing",
        "attempt": 3, "max_attempts": 7, "priority": 2, "tags": ["a", "b"],
        "args": {"more": "than it takes"}, "meta": {"note": [1], "big": 2**80}, "errors": errors,
        "attempted_by": ["node-a", "uuid"], "inserted_at": CLAIMED_AT.isoformat(),
        "attempted_at": CLAIMED_AT.isoformat(), "cancelled": False,
    }  # fmt: skip
    assert await run(pool, jobs.describe_in_a_task) == 1


async def test_the_surroundings_are_those_of_the_parent(
    make_pool: MakePool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("A_VARIABLE_OF_THE_TEST", "its value")
    monkeypatch.syspath_prepend(tmp_path / "a folder: with 'odd' \"characters\"")
    found = await run(make_pool(), jobs.surroundings)
    assert found == {
        "cwd": str(tmp_path), "path": sys.path, "variable": "its value", "input": "",
        "main_thread": True,
    }  # fmt: skip


async def test_what_a_job_prints_goes_where_the_output_goes_and_harms_no_frame(
    pool: ProcessPool, capfd: pytest.CaptureFixture[str]
) -> None:
    await run(pool, jobs.print_a_lot)
    assert await run(pool, jobs.echo, a=1) == {"a": 1}
    await pool.stop()  # it writes what it has buffered
    printed = capfd.readouterr()
    assert printed.out.count("to the output") == 10_000
    assert printed.err.count("to the errors") == 10_000


async def test_as_many_jobs_run_at_once_as_the_pool_has_processes(
    make_pool: MakePool, tmp_path: Path
) -> None:
    pool = make_pool(size=3)
    held = [begin(pool, jobs.hold, folder=str(tmp_path), name=f"begun{n}") for n in range(3)]
    pids = {await told(tmp_path, f"begun{n}") for n in range(3)}
    waiting = begin(pool, jobs.pid)
    assert len(pool._children) == 3
    assert not waiting.done()
    (tmp_path / "released").touch()
    assert set(await asyncio.gather(*held)) == pids
    assert await waiting in pids
    assert len(pids) == 3


async def test_calls_beyond_the_size_wait_in_their_order(
    make_pool: MakePool, tmp_path: Path
) -> None:
    pool = make_pool(size=1)
    ended: list[int] = []
    held = begin(pool, jobs.hold, folder=str(tmp_path))
    await told(tmp_path)

    async def one(number: int) -> None:
        await run(pool, jobs.echo)
        ended.append(number)

    waiting = [asyncio.create_task(one(number)) for number in range(6)]
    await asyncio.sleep(0)
    waiting[2].cancel()
    (tmp_path / "released").touch()
    await asyncio.wait([held, *waiting])
    assert ended == [0, 1, 3, 4, 5]
    assert waiting[2].cancelled()


async def test_no_process_is_started_before_it_is_needed(make_pool: MakePool) -> None:
    pool = make_pool(size=8)
    assert pool._children == set()
    for _ in range(4):
        await run(pool, jobs.echo)
    assert len(pool._children) == 1


async def test_queues_that_a_job_wrote_to_are_told_to_the_job_here(pool: ProcessPool) -> None:
    job = claimed(worker=jobs.note_queue.worker_name, args={"queue": "mail"})
    await pool.run(call_of(jobs.note_queue, job))
    assert job.take_enqueued() == {"mail"}


async def test_a_worker_that_another_module_registers_is_found_by_that_module(
    pool: ProcessPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "plain_functions.py", "def double(n): return 2 * n")
    write(
        tmp_path / "registers_others.py",
        """
        import plain_functions
        from staffa import job
        job(name="doubler")(plain_functions.double)
        """,
    )
    monkeypatch.syspath_prepend(tmp_path)
    call = ProcessCall(
        job=claimed(worker="doubler", args={"n": 4}), worker="doubler",
        source="plain_functions.double", modules=("nothing_of_this_name", "registers_others"),
    )  # fmt: skip
    assert await pool.run(call) == 8


def test_functions_and_errors_of_the_program_that_runs_are_found(tmp_path: Path) -> None:
    write(
        tmp_path / "program.py",
        """
        import asyncio
        from datetime import UTC, datetime
        from staffa import Job, job
        from staffa.errors import ProcessJobError
        from staffa.queues.pools.process import ProcessCall, ProcessPool, ProcessPoolSettings

        class Busy(Exception):
            pass

        @job
        def double(n: int) -> int:
            if n < 0:
                raise Busy(n)
            return 2 * n

        async def main() -> None:
            pool = ProcessPool(ProcessPoolSettings(size=1))
            definition = double._definition
            for n in (4, -1):
                job = double.new(n)
                job.attempted_by = ("node", "uuid")
                try:
                    print(await pool.run(ProcessCall.of(job, definition)))
                except ProcessJobError as error:
                    print(error.original_type is Busy, error.type_name)
            await pool.stop()

        if __name__ == "__main__":
            asyncio.run(main())
        """,
    )
    printed = run_python("-W", "error", "program.py", folder=tmp_path)
    assert printed == "8\nTrue program.Busy"
