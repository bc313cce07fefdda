"""`staffa start` and `staffa init`: from an empty folder to a job that ran."""

from __future__ import annotations

import signal
from pathlib import Path

from staffa import Job, State
from tests.conftest import MakeClient
from tests.support.events import eventually
from tests.support.program import Program, read_until

_WORKERS = """
from staffa import job

@job(queue="mail", name="shop.send")
async def send(to: str) -> None:
    print("sent to", to, flush=True)
"""


async def test_the_files_of_init_run_as_they_are(program: Program) -> None:
    written = await program.run("init", "--json")
    assert written.code == 0
    assert written.json == {"written": ["staffa.toml", "staffa_jobs.py"]}
    worker = await program.start("start")
    await read_until(worker.stderr, "running default:10")
    finished = await program.run("init")
    assert finished.code == 2
    assert "staffa.toml exists" in finished.err
    assert "next: cd shop, staffa migrate up" in (await program.run("init", "shop")).out
    enqueuer = await program.start_python("staffa_jobs.py")
    out, err = await enqueuer.communicate()
    assert enqueuer.returncode == 0, err
    assert b"enqueued job" in out
    assert "Hello, world!" in await read_until(worker.stdout, "Hello")
    worker.send_signal(signal.SIGTERM)
    await worker.communicate()
    assert worker.returncode == 0


async def test_start_finds_workers_of_named_packages(
    program: Program, make_client: MakeClient
) -> None:
    package = program.folder / "shop"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "inner" / "__init__.py").touch()
    (package / "inner" / "workers.py").write_text(_WORKERS)
    app = make_client()
    stored = await app.enqueue(Job(worker="shop.send", queue="mail", args={"to": "ada"}))
    worker = await program.start("start", "--import", "shop", "--queues", "mail:2", "--json")
    assert "sent to ada" in await read_until(worker.stdout, "sent")

    async def completed() -> bool:
        row = await app.get_job(stored)
        return row is not None and row.state is State.COMPLETED

    await eventually(completed)
    worker.send_signal(signal.SIGINT)
    await worker.communicate()
    assert worker.returncode == 0


async def test_a_client_that_the_module_makes_is_the_one_that_runs_and_its_limits_are_told(
    program: Program, make_client: MakeClient
) -> None:
    (program.folder / "shop.py").write_text(
        "from staffa import Queue, RateLimit, Staffa\n"
        "mail = Queue(limit=3, rate_limit=RateLimit(60, period=60))\n"
        "app = Staffa(queues={'mail': mail})\n" + _WORKERS
    )
    worker = await program.start("start", "--import", "shop")
    await read_until(worker.stderr, "running mail:3 (on all nodes 60 in 60 s)")
    await make_client().enqueue(Job(worker="shop.send", queue="mail", args={"to": "bob"}))
    await read_until(worker.stdout, "sent to bob")
    worker.send_signal(signal.SIGTERM)
    await worker.communicate()
    assert worker.returncode == 0


async def test_no_queues_is_an_error_that_says_how_to_name_them(program: Program) -> None:
    finished = await program.run("start")
    assert finished.code == 2
    assert "--queues default:10" in finished.err


async def test_a_queue_without_a_limit_is_an_error(program: Program) -> None:
    finished = await program.run("start", "--queues", "mail")
    assert finished.code == 2
    assert "mail:10" in finished.err


async def test_a_module_that_is_not_there_is_an_error(program: Program) -> None:
    finished = await program.run("start", "--import", "no_such_module", "--queues", "mail:1")
    assert finished.code == 2
    assert "no_such_module" in finished.err


async def test_start_makes_no_tables(bare_program: Program, tmp_path: Path) -> None:
    finished = await bare_program.run("start", "--queues", "mail:1")
    assert finished.code == 1
    assert "staffa migrate up" in finished.err
    assert (await bare_program.run("migrate", "status")).code == 1


async def test_a_module_whose_imports_are_missing_is_told_apart(program: Program) -> None:
    (program.folder / "shop.py").write_text("import no_such_library\n")
    finished = await program.run("start", "--import", "shop", "--queues", "mail:1")
    assert finished.code == 2
    assert "No module named 'no_such_library'; what it imports is not installed" in finished.err


async def test_start_tells_of_a_queue_that_looks_mistyped(program: Program) -> None:
    (program.folder / "shop.py").write_text(_WORKERS)
    worker = await program.start("start", "--import", "shop", "--queues", "mial:1,other:1")
    log = await read_until(worker.stderr, "did you mean")
    assert "no worker here has the queue 'mial': did you mean 'mail'?" in log
    worker.send_signal(signal.SIGTERM)
    _, rest = await worker.communicate()
    assert b"other" not in rest


async def test_start_tells_that_it_knows_no_worker(program: Program) -> None:
    worker = await program.start("start", "--queues", "mail:1")
    assert "or with --import" in await read_until(worker.stderr, "no worker is known here")
    worker.send_signal(signal.SIGTERM)
    await worker.communicate()


async def test_a_signal_while_modules_are_imported_ends_the_process_in_order(
    program: Program,
) -> None:
    (program.folder / "slow.py").write_text(
        "import threading\nprint('importing', flush=True)\nthreading.Event().wait()\n"
    )
    worker = await program.start("start", "--import", "slow", "--queues", "mail:1")
    await read_until(worker.stdout, "importing")
    worker.send_signal(signal.SIGTERM)
    _, told = await worker.communicate()
    assert worker.returncode == 0, told
    assert b"stopped before it had started" in told
    assert b"Traceback" not in told
