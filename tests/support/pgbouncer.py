"""PgBouncer between clients and the tests' server, sharing few connections among many clients.

It refuses to run as root, and the embedded server's socket is closed to all accounts but its own,
so it runs as the account that runs that server.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, quote, urlsplit

from staffa.embedded.account import Account
from tests.support.events import eventually
from tests.support.ports import free_port
from tests.support.services import require_program

_SETTINGS = """
[databases]
* = {upstream}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {size}
max_client_conn = 1000
server_login_retry = 0
server_idle_timeout = 1
{more}
"""


class PgBouncer:
    """A PgBouncer on a port of this machine.

    Args:
        dsn: The server's.
        mode: "transaction" or "session".
        size: How many connections to the server it shares among its clients.
        more: Further lines of its settings.
    """

    def __init__(
        self, dsn: str, *, mode: str = "transaction", size: int = 3, more: str = ""
    ) -> None:
        self._program = require_program("pgbouncer")
        parts = urlsplit(dsn)
        given = parse_qs(parts.query)
        upstream = {
            "host": given.get("host", [parts.hostname or "127.0.0.1"])[0],
            "port": given.get("port", [str(parts.port or 5432)])[0],
            "user": given.get("user", [parts.username or "postgres"])[0],
        }
        if parts.password:
            upstream["password"] = parts.password
        self._upstream = " ".join(f"{key}={value}" for key, value in upstream.items())
        self._user = upstream["user"]
        self._database = parts.path
        self._mode, self._size, self._more = mode, size, more
        self._port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="staffa-pgbouncer-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def dsn(self) -> str:
        """How to connect through it."""
        return f"postgresql://{quote(self._user)}@127.0.0.1:{self._port}{self._database}"

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Write its settings, and run it."""
        Account.current().give(self._folder)
        settings = self._folder / "pgbouncer.ini"
        settings.write_text(
            _SETTINGS.format(
                upstream=self._upstream,
                port=self._port,
                mode=self._mode,
                size=self._size,
                more=self._more,
            )
        )
        settings.chmod(0o644)
        await self.start()

    async def close(self) -> None:
        """End it, and remove what it left."""
        await self.stop()
        shutil.rmtree(self._folder)

    async def start(self) -> None:
        """Run it, and wait until it accepts connections."""
        account = Account.current()
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220  # it goes on beside the test
                [self._program, "-q", str(self._folder / "pgbouncer.ini")],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={"PATH": os.defpath},
                user=account.user if account.differs else None,
                group=account.group if account.differs else None,
                extra_groups=[] if account.differs else None,
            )
        await eventually(self._accepts, "PgBouncer to accept connections")

    async def stop(self) -> None:
        """End it at once; its clients lose their connections."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            await asyncio.to_thread(process.wait)

    def _accepts(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0
