"""The data directory: made once, and brought to disk where a durable server follows a fast one.

Invariants:

- `data` appears by a rename, so it is never half-initialised. Nothing in it is ever deleted here.
- `initdb` holds `server.lock` like a server, so one whose parent was killed is awaited.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from staffa.embedded.account import Account
from staffa.embedded.binaries import Binaries, locate_binaries
from staffa.embedded.locks import FileLock
from staffa.embedded.places import Places
from staffa.errors import EmbeddedUnavailable

INITIALISE_SECONDS = 120
_TAIL_CHARACTERS = 2_000


class DataDirectory:
    """The data of a server that does not run.

    Args:
        places: Where it lies.
        account: Who runs the server.
        lock: `server.lock`, held by the caller.
    """

    def __init__(self, places: Places, account: Account, lock: FileLock) -> None:
        self._places = places
        self._account = account
        self._lock = lock

    def prepare(self, *, durable: bool) -> Binaries:
        """Bring the data to where a server can start on it, and answer with what binaries.

        Args:
            durable: Whether the server is to run durably: then what an earlier one left in the
                system's cache is brought to disk first.

        Raises:
            EmbeddedUnavailable: No binaries fit the data, or it can't be made.
        """
        data, marker = self._places.data, self._places.not_durable
        if not durable:
            marker.touch()
        if (data / "PG_VERSION").exists():
            binaries = locate_binaries(data)
            if durable and marker.exists():
                self._initdb(binaries, "--sync-only", "-D", data)
        elif data.exists():
            raise EmbeddedUnavailable(f"{data} is no data directory of PostgreSQL: move it away")
        else:
            binaries = locate_binaries()
            self._initialise(binaries, durable=durable)
        if durable:
            marker.unlink(missing_ok=True)
        return binaries

    def _initialise(self, binaries: Binaries, *, durable: bool) -> None:
        unfinished = self._places.home / "initialising"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        try:
            unfinished.mkdir(mode=0o700)
            self._account.give(unfinished)
            options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"]
            options += [] if durable else ["--no-sync"]
            self._initdb(binaries, *options, "-D", unfinished)
            unfinished.rename(self._places.data)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _initdb(self, binaries: Binaries, *arguments: str | Path) -> None:
        command = [binaries.directory / "initdb", *arguments]
        result = self._account.run(
            command, timeout=INITIALISE_SECONDS, inherited=[self._lock.lend()]
        )
        if result.returncode != 0:
            raise EmbeddedUnavailable(
                f"initdb of {binaries.directory} failed on {self._places.data} "
                f"(exit status {result.returncode}):\n{result.stdout[-_TAIL_CHARACTERS:]}"
            )
