"""`staffa start --processes`: what is refused, and by whom.

What running ones do is in tests/integration/test_worker_processes.py.
"""

from __future__ import annotations

import re
import signal
import socket

from tests.support.http import ask
from tests.support.program import Program, read_until


async def test_more_processes_than_any_limit_are_refused(program: Program) -> None:
    finished = await program.run("start", "--queues", "mail:2,slow:3", "--processes", "4")
    assert finished.code == 2
    assert "4 processes share the limits of the queues" in finished.err
    assert "of 'slow', is 3" in finished.err
    assert "give --processes 3 or less" in finished.err
    assert "Traceback" not in finished.err


async def test_an_error_that_all_would_end_with_is_told_once_and_ends_all(program: Program) -> None:
    arguments = ("start", "--import", "nowhere", "--queues", "mail:4", "--processes", "3")
    finished = await program.run(*arguments)
    assert finished.code == 2
    assert finished.err.count("module 'nowhere' can't be imported") == 1
    assert "worker process 1 of 3" in finished.err
    (program.folder / "broken.py").write_text("1 / 0\n")
    finished = await program.run("start", "--import", "broken", *arguments[3:])
    assert finished.code == 1
    assert finished.err.count("ZeroDivisionError") == 1


async def test_missing_tables_end_all_with_the_code_of_one_process(bare_program: Program) -> None:
    finished = await bare_program.run("start", "--queues", "mail:4", "--processes", "2")
    assert finished.code == 1
    assert finished.err.count("staffa migrate up") == 1


async def test_the_setting_of_the_file_goes_with_a_client_that_a_module_makes(
    program: Program,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        (program.folder / "staffa.toml").write_text("worker_processes = 2\nnode_limit = 9\n")
        (program.folder / "shop.py").write_text(
            f"from staffa import Staffa\napp = Staffa(queues={{'mail': 3}}, health_port={number})\n"
        )
        finished = await program.run("start", "--import", "shop")
    assert finished.code == 2
    assert finished.err.count(f"health_port {number} of 127.0.0.1 is in use") == 1

    (program.folder / "queue.py").write_text("1 / 0  # no module of the standard library\n")
    worker = await program.start_python("-P", "-m", "staffa", "start", "--import", "shop")
    told = await read_until(worker.stderr, "all 2 worker processes run")
    assert "[1] running mail:2 (node limit 5)" in told
    assert "[2] running mail:1 (node limit 4)" in told
    reply = await ask(f"http://127.0.0.1:{number}", "/healthz")
    assert [one["process"] for one in reply.body["processes"]] == [1, 2]
    worker.send_signal(signal.SIGTERM)
    await worker.communicate()
    assert worker.returncode == 0


async def test_all_processes_have_the_code_anew_when_it_changes(program: Program) -> None:
    (program.folder / "shop.py").write_text("")
    arguments = ("--import", "shop", "--queues", "mail:2", "--processes", "2", "--reload")
    worker = await program.start("start", *arguments)
    await read_until(worker.stderr, "all 2 worker processes run")
    (program.folder / "shop.py").write_text("print('the second version', flush=True)\n")
    told = await read_until(worker.stderr, "all 2 worker processes run")
    assert "shop.py has changed" in told
    assert len(re.findall(r"\[[12]\] stopped", told)) == 2
    worker.send_signal(signal.SIGTERM)
    out, _ = await worker.communicate()
    assert worker.returncode == 0
    assert out.count(b"the second version") == 2


async def test_a_signal_while_modules_are_imported_ends_all_in_order(program: Program) -> None:
    (program.folder / "slow.py").write_text(
        "import threading\nprint('importing', flush=True)\nthreading.Event().wait()\n"
    )
    arguments = ("--import", "slow", "--queues", "mail:2", "--processes", "2")
    worker = await program.start("start", *arguments)
    await read_until(worker.stdout, "importing")
    worker.send_signal(signal.SIGTERM)
    _, told = await worker.communicate()
    assert worker.returncode == 0, told
    assert told.count(b"stopped before it had started") == 1
    assert b"Traceback" not in told


async def test_more_processes_than_node_limit_are_refused(program: Program) -> None:
    (program.folder / "staffa.toml").write_text("node_limit = 2\n")
    finished = await program.run("start", "--queues", "mail:5", "--processes", "3")
    assert finished.code == 2
    assert "3 processes share node_limit, which is 2" in finished.err
    assert "give --processes 2 or less" in finished.err
