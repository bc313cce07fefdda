"""Synchronous calls of whole programs: across forks, under Ctrl-C, and at their exit."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from textwrap import dedent

import pytest

from staffa.client.backend import make_migrator
from tests.support.events import TIMEOUT_SECONDS
from tests.support.program import Program, read_until
from tests.support.rows import Rows

BEGINNING = """
    import asyncio
    import multiprocessing
    import os
    import sys
    import threading
    import traceback

    os.setpgid(0, 0)

    from staffa import Staffa, job

    app = Staffa(pool_size=2)

    @job
    def noted(number: int) -> None: ...

    def fork(work, *given):
        # A child that runs a function, and ends as a server's worker does: by sys.exit.
        child = os.fork()
        if child:
            return child
        try:
            work(*given)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        sys.exit(0)

    def wait(*children):
        for child in children:
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    def send(number):
        assert noted.enqueue_sync(number).id
"""


@pytest.fixture
def program(tmp_path: Path, dsn: str, prefix: str) -> Program:
    """Runs scripts on the test's schema."""
    return Program(tmp_path, STAFFA_DSN=dsn, STAFFA_PREFIX=prefix)


async def run(program: Program, script: str, *options: str) -> str:
    """Run a script after the common beginning, and return what it printed."""
    path = program.folder / "script.py"
    path.write_text(dedent(BEGINNING) + dedent(script))
    process = await program.start_python(*options, str(path))
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            out, err = await process.communicate()
    except TimeoutError:
        os.killpg(process.pid, signal.SIGKILL)  # its children, too
        raise
    assert (process.returncode, err.decode()) == (0, "")
    return out.decode()


async def numbers(rows: Rows) -> list[int]:
    """Return the args of the jobs."""
    found = await rows.connection.fetch(f"SELECT (args->>'number')::int AS n FROM {rows.jobs}")
    return sorted(row["n"] for row in found)


# From 3.12 on, Python warns of forks beside threads, which is what these are about.
FORKING = ("-W", "ignore::DeprecationWarning")


async def test_a_client_made_before_the_fork_is_used_in_several_children(
    program: Program, rows: Rows
) -> None:
    await run(program, "wait(*(fork(send, number) for number in range(4)))", *FORKING)
    assert await numbers(rows) == [0, 1, 2, 3]


async def test_children_have_connections_of_their_own_and_the_parents_go_on(
    program: Program, rows: Rows
) -> None:
    script = """
        from staffa._internal.loop_thread import loop_thread

        def pids(client):
            async def ask():
                backend = await client._open()
                async with backend.engine.pool.connection() as connection:
                    return await connection.fetchval("SELECT pg_backend_pid()")
            return client.sync._call(ask)

        send(0)
        before = pids(app)

        def child(number):
            inherited = list(app._homes._homes)
            assert inherited == []
            send(number)
            assert pids(app) != before
            asyncio.run(twice(number))
            app.sync.stop()

        async def twice(number):
            await noted.enqueue(10 * number)
            await app.stop()

        wait(fork(child, 1), fork(child, 2))
        send(3)
        assert pids(app) == before
        wait(fork(send, 4))
        for number in range(5, 10):
            send(number)
        assert pids(app) == before
    """
    await run(program, script, *FORKING)
    assert await numbers(rows) == sorted([*range(10), 10, 20])


async def test_forks_while_other_threads_are_in_the_middle_of_calls(
    program: Program, rows: Rows
) -> None:
    script = """
        done = threading.Event()

        def busy():
            while not done.is_set():
                app.sync.count_jobs()

        threads = [threading.Thread(target=busy) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in range(10):
            wait(fork(send, number))
            send(100 + number)
        done.set()
        for thread in threads:
            thread.join()
    """
    await run(program, script, *FORKING)
    assert len(await numbers(rows)) == 20


async def test_processes_of_multiprocessing_enqueue_by_fork_also_beside_a_running_loop(
    program: Program, rows: Rows
) -> None:
    script = """
        async def main():
            await noted.enqueue(0)
            with multiprocessing.get_context("fork").Pool(2) as pool:
                pool.map(send, range(1, 5))
            await noted.enqueue(5)
            await app.stop()

        send(9)
        asyncio.run(main())
        send(10)
    """
    script = script.replace("send(10)", "app.sync.enqueue(noted.new(10))")
    await run(program, script, *FORKING)
    assert await numbers(rows) == [0, 1, 2, 3, 4, 5, 9, 10]


async def test_a_child_does_not_run_the_queues_of_its_parent(program: Program, rows: Rows) -> None:
    script = """
        app.sync.start(queues={"default": 2})

        def child():
            assert not app.started and app.check_all_queues() == []
            send(1)
            app.sync.pause_queue("default")
            app.sync.stop()

        wait(fork(child))
        assert app.started
        app.sync.stop()
    """
    await run(program, script, *FORKING)
    assert await numbers(rows) == [1]


async def test_a_program_ends_cleanly_without_a_stop(program: Program, rows: Rows) -> None:
    script = """
        send(1)
        stream = app.sync.stream_jobs()
        print(next(stream).args["number"])
    """
    assert await run(program, script, "-W", "error") == "1\n"
    assert await rows.connection_count() == 0


async def test_a_program_that_ends_without_a_stop_puts_its_running_jobs_back(
    program: Program, rows: Rows
) -> None:
    script = """
        began = threading.Event()

        @job
        async def hang() -> None:
            began.set()
            await asyncio.Event().wait()

        app.sync.start(queues={"default": 2})
        hang.enqueue_sync()
        assert began.wait(20)
    """
    await run(program, script)
    states = await rows.connection.fetch(f"SELECT state::text FROM {rows.jobs}")
    assert [row["state"] for row in states] == ["available"]
    assert await rows.connection.fetchval(f"SELECT count(*) FROM {rows.producers}") == 0


async def test_ctrl_c_cancels_the_call_that_waits(program: Program, rows: Rows) -> None:
    script = """
        from staffa import MaxDepth, telemetry

        telemetry.attach(lambda event: print("waiting", flush=True), events="staffa.queue.full")
        full = Staffa(name="full", max_depth={"default": MaxDepth(1, on_full="delay")})
        first = full.sync.enqueue(noted.new(0))
        try:
            full.sync.enqueue(noted.new(1))
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        full.sync.delete_job(first)
        full.sync.enqueue(noted.new(2))
    """
    path = program.folder / "script.py"
    path.write_text(dedent(BEGINNING) + dedent(script))
    process = await program.start_python(str(path))
    try:
        await read_until(process.stdout, "waiting")
        process.send_signal(signal.SIGINT)
        await read_until(process.stdout, "interrupted")
        assert await process.wait() == 0
    finally:
        if process.returncode is None:  # else it would go on in the next test's schema
            process.kill()
            await process.wait()
    assert await numbers(rows) == [2]


async def test_gunicorn_like_workers_end_while_their_siblings_go_on(
    program: Program, rows: Rows
) -> None:
    script = """
        send(0)
        readers, children = [], []
        for number in (1, 2, 3):
            ours, theirs = os.pipe()

            def serve(number=number, theirs=ours, parents=theirs):
                os.close(parents)
                send(number)
                while request := os.read(theirs, 1):
                    send(10 * number + int(request))

            children.append(fork(serve))
            os.close(ours)
            readers.append(theirs)
        for round in (1, 2):
            for writer in readers:
                os.write(writer, str(round).encode())
        send(4)
        for writer, child in zip(readers, children):
            os.close(writer)
        wait(*children)
        send(5)
    """
    await run(program, script, *FORKING)
    assert await numbers(rows) == sorted([0, 1, 2, 3, 4, 5, 11, 12, 21, 22, 31, 32])


async def test_children_share_the_sqlite_file_of_their_parent(tmp_path: Path) -> None:
    dsn = f"sqlite:///{tmp_path}/jobs.db"
    await make_migrator(dsn, "public").up()
    script = """
        send(0)
        wait(*(fork(send, number) for number in range(1, 5)))
        send(5)
        print(sorted(found.args["number"] for found in app.sync.stream_jobs()))
    """
    assert await run(Program(tmp_path, STAFFA_DSN=dsn), script, *FORKING) == "[0, 1, 2, 3, 4, 5]\n"


async def test_a_temporary_database_outlives_the_children_of_its_program(tmp_path: Path) -> None:
    script = """
        before = app.sync.enqueue(noted.new(1)).id

        async def count():
            return len(await app.list_jobs())

        wait(fork(lambda: None))
        assert asyncio.run(count()) == 1
        send(2)
        assert asyncio.run(count()) == 2
        print(len(app.sync.list_jobs()))
    """
    assert await run(Program(tmp_path, STAFFA_DSN="sqlite://"), script, *FORKING) == "2\n"
