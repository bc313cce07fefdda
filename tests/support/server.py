"""A PostgreSQL of a test's own, which it may stop, crash, promote and restart.

What is committed survives an immediate stop; only a crash of the machine would lose something.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import asyncpg

from staffa.embedded import locate_binaries
from staffa.embedded.account import Account
from tests.support.events import eventually
from tests.support.ports import free_port

_SETTINGS = {
    "unix_socket_directories": "",
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "max_connections": "60",
    "wal_level": "replica",
    "max_wal_senders": "4",
}


class Server:
    """A cluster in a folder of its own.

    Args:
        primary: Which one it follows, as its standby, until it is promoted.
        **settings: Of its configuration, besides those that tests need.
    """

    def __init__(self, primary: Server | None = None, **settings: str) -> None:
        self._primary = primary
        self._account = Account.current()
        self._binaries = locate_binaries().directory
        self._folder = Path(tempfile.mkdtemp(prefix="staffa-server-"))
        self._data = self._folder / "data"
        self._settings = {**_SETTINGS, **settings}
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def replicates(self) -> bool:
        """Whether it can have a standby."""
        return (self._binaries / "pg_basebackup").exists()

    @property
    def dsn(self) -> str:
        """How to connect to it."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres?sslmode=disable"

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Make its data, and run it."""
        self._account.give(self._folder)
        if self._primary is None:
            options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
            await self._run("initdb", *options, "-D", str(self._data))
        else:
            source = f"host=127.0.0.1 port={self._primary.port} user=postgres"
            options = ["-d", source, "-R", "-c", "fast", "--no-sync"]
            await self._run("pg_basebackup", *options, "-D", str(self._data))
        await self.start()

    async def close(self) -> None:
        """End it, and remove what it left."""
        await self.stop()
        shutil.rmtree(self._folder)

    async def start(self) -> None:
        """Run it, and wait until it accepts connections."""
        settings = {**self._settings, "port": str(self.port)}
        command = [str(self._binaries / "postgres"), "-D", str(self._data)]
        command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        account = self._account
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220  # it goes on beside the test
                command,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={"LC_ALL": "C", "TZ": "UTC"},
                user=account.user if account.differs else None,
                group=account.group if account.differs else None,
                extra_groups=[] if account.differs else None,
            )
        await eventually(self._accepts, "the server to accept connections")

    async def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop it, immediately if nothing else is said: it ends as in a crash, and recovers."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            # not in a thread of the loop's: these may all wait for the server to come back
            await eventually(lambda: process.poll() is not None, "the server's end", 60)

    @asynccontextmanager
    async def stopped(self) -> AsyncIterator[None]:
        """Have it stopped for a while, immediately; it comes back whatever happens meanwhile."""
        await self.stop()
        try:
            yield
        finally:
            await self.start()

    async def execute(self, *statements: str) -> None:
        """Run statements one by one."""
        connection = await asyncpg.connect(self.dsn)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def promote(self) -> None:
        """Make a primary of a standby."""
        await self.execute("SELECT pg_promote()")

    async def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), *arguments]
        done = await asyncio.to_thread(self._account.run, command, timeout=60)
        assert done.returncode == 0, done.stdout

    async def _accepts(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "log").read_text()
        try:
            connection = await asyncpg.connect(self.dsn, timeout=5)
        except (OSError, asyncpg.PostgresError):
            return False
        await connection.close()
        return True
