"""`staffa start --health-port`: asked over HTTP, as an orchestrator does it."""

from __future__ import annotations

import asyncio
import re
import signal
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.events import eventually
from tests.support.http import ask
from tests.support.program import Program, read_until

SECRET = "hunter2"


def with_password(dsn: str) -> tuple[str, str]:
    """Return a DSN that has a password, and the password."""
    parts = urlsplit(dsn)
    if parts.password:
        return dsn, parts.password
    user, _, place = dsn.removeprefix("postgresql://").partition("@")
    return f"postgresql://{user.rstrip(':')}:{SECRET}@{place}", SECRET


async def test_a_worker_tells_that_it_is_well_and_never_its_password(
    dsn: str, prefix: str, tmp_path: Path
) -> None:
    known, password = with_password(dsn)
    program = Program(tmp_path, STAFFA_DSN=known, STAFFA_PREFIX=prefix)
    worker = await program.start("start", "--queues", "default:2", "--health-port", "0")
    line = await read_until(worker.stderr, "health is told")
    found = re.search(r"at 127\.0\.0\.1 port (\d+)", line)
    assert found
    url = f"http://127.0.0.1:{found[1]}"

    async def ready() -> bool:
        return (await ask(url, "/readyz")).status == 200

    await eventually(ready)
    for path in ("/healthz", "/readyz"):
        assert password not in (await ask(url, path)).text
    second = await program.run("start", "--queues", "default:2", "--health-port", found[1])
    assert second.code == 2
    assert f"health_port {found[1]} of 127.0.0.1 is in use" in second.err
    assert "--health-port" in second.err
    assert "Traceback" not in second.err
    worker.send_signal(signal.SIGTERM)
    await worker.communicate()
    assert worker.returncode == 0


async def test_settings_of_the_environment_open_the_port_of_a_client_that_a_module_makes(
    dsn: str, prefix: str, tmp_path: Path
) -> None:
    (tmp_path / "shop.py").write_text(
        "from staffa import Staffa\n"
        "app = Staffa(queues={'mail': 3})\n"
        "other = Staffa(name='other', queues={'mail': 3})\n"
    )
    variables = {"STAFFA_HEALTH_PORT": "0", "STAFFA_HEALTH_HOST": "::1"}
    program = Program(tmp_path, STAFFA_DSN=dsn, STAFFA_PREFIX=prefix, **variables)
    arguments = ("start", "--import", "shop", "--health-host", "127.0.0.1")
    worker = await program.start(*arguments)
    line = await read_until(worker.stderr, "health is told")
    found = re.search(r"at 127\.0\.0\.1 port (\d+)", line)  # the option goes before the variable
    assert found
    reply = await ask(f"http://127.0.0.1:{found[1]}", "/healthz")
    assert (reply.status, set(reply.body["clients"])) == (200, {"Oban"})
    worker.send_signal(signal.SIGTERM)
    await worker.communicate()
    assert worker.returncode == 0


async def test_a_port_that_is_none_is_refused(tmp_path: Path) -> None:
    finished = await Program(tmp_path).run("start", "--health-port", "70000")
    assert finished.code == 2
    assert "70000" in finished.err


async def test_a_signal_while_the_database_does_not_answer_ends_the_start_and_tells_no_death(
    tmp_path: Path,
) -> None:
    asked = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    number = server.sockets[0].getsockname()[1]
    program = Program(tmp_path, STAFFA_DSN=f"postgresql://ada:{SECRET}@127.0.0.1:{number}/app")
    worker = await program.start("start", "--queues", "default:2", "--health-port", "0")
    line = await read_until(worker.stderr, "health is told")
    found = re.search(r"at 127\.0\.0\.1 port (\d+)", line)
    assert found
    await asked.wait()
    starting = await ask(f"http://127.0.0.1:{found[1]}", "/readyz")
    assert (starting.status, starting.body["reasons"]) == (503, ["Oban: it is starting"])
    assert (await ask(f"http://127.0.0.1:{found[1]}", "/healthz")).status == 200
    worker.send_signal(signal.SIGTERM)
    _, told = await worker.communicate()
    assert b"stopped before it had started" in told
    assert SECRET.encode() not in told
    assert worker.returncode == 0
    server.close()
    await server.wait_closed()
