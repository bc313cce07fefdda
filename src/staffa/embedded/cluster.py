"""One data directory and the server that runs on it.

Invariants:

- All methods are called by whoever holds the turn lock: one process at a time.
- The server holds `server.lock` (inherited on purpose), and so do all its processes and `initdb`:
  the lock is free exactly if none is left. The kernel tells it at once, where a process id is
  only a hint, which may be reused or come from another container on the same directory.
- The server is nobody's child: a shell starts it and ends, so whoever stops it needs no `wait`,
  no zombie remains, and starter and later users are equal. (`pg_ctl` does the same, but pastes
  the paths into a shell command, so a `$` in the project's path breaks it.)
"""

from __future__ import annotations

from pathlib import Path

from staffa.embedded.account import Account
from staffa.embedded.binaries import Binaries
from staffa.embedded.data import DataDirectory
from staffa.embedded.locks import FileLock
from staffa.embedded.places import Places
from staffa.embedded.postmaster import PORT, Postmaster, socket_files
from staffa.embedded.waiting import attempts
from staffa.errors import EmbeddedUnavailable

START_SECONDS = 60
STOP_SECONDS = 30
LARGEST_LOG_BYTES = 10_000_000
_TAIL_BYTES = 2_000
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Cluster:
    """A data directory with its server.

    Args:
        places: Where its files lie.
        account: Who runs the server.
    """

    def __init__(self, places: Places, account: Account) -> None:
        self._places = places
        self._account = account

    def running(self) -> Postmaster | None:
        """The server that is ready; waits for one that starts or stops. None if there is none.

        Raises:
            EmbeddedUnavailable: A server is there, and has not become ready or ended in time.
        """
        for _ in attempts(START_SECONDS):
            if not self._is_alive():
                return None
            postmaster = Postmaster.read(self._places.process_file)
            if postmaster is not None and postmaster.is_ready:
                return postmaster
        raise EmbeddedUnavailable(
            f"a server on {self._places.data} neither became ready nor ended within "
            f"{START_SECONDS} seconds; is it run by another container or machine? "
            f"Stop it there. The end of {self._places.log}:\n{self._tail(0)}"
        )

    def flaw(self, server: Postmaster, *, durable: bool) -> str | None:
        """Why a running server won't do; None if it will."""
        if not server.is_reachable:
            return f"has lost its socket in {server.socket}"
        if durable and self._places.not_durable.exists():
            return "was started with durable=False"
        return None

    def launch(self, *, durable: bool) -> Postmaster:
        """Start a server, where none runs, and wait until it is ready.

        Args:
            durable: Whether what is committed survives a crash of the machine.

        Raises:
            EmbeddedUnavailable: There are no binaries for it, or it did not start.
        """
        lock = FileLock.try_acquire(self._places.server_lock)
        if lock is None:
            raise EmbeddedUnavailable(f"a server already runs on {self._places.data}: stop it")
        try:
            self._end_orphan()
            self._remove_stale_files()
            binaries = DataDirectory(self._places, self._account, lock).prepare(durable=durable)
            beginning = self._spawn(binaries, lock, durable=durable)
        finally:
            lock.close()
        return self._await_ready(beginning)

    def shut_down(self) -> None:
        """Stop the server, if one runs, and wait until all its processes have ended.

        Raises:
            EmbeddedUnavailable: It did not end.
        """
        for signal, seconds in (("INT", STOP_SECONDS), ("QUIT", STOP_SECONDS / 3)):
            if self._end(signal, seconds):
                self._end_orphan()
                return
        raise EmbeddedUnavailable(
            f"the server on {self._places.data} did not stop; is it run by another container "
            f"or machine? The end of {self._places.log}:\n{self._tail(0)}"
        )

    def _is_alive(self) -> bool:
        lock = FileLock.try_acquire(self._places.server_lock)
        if lock is None:
            return True
        lock.release()
        return False

    def _end(self, signal: str, seconds: float) -> bool:
        """Signal the server as soon as its process is known; answers whether it ended in time."""
        signalled = False
        for _ in attempts(seconds):
            if not self._is_alive():
                return True
            postmaster = Postmaster.read(self._places.process_file)
            if not signalled and postmaster is not None and postmaster.is_alive:
                self._account.signal(postmaster.process, signal)
                signalled = True
        return False

    def _end_orphan(self) -> None:
        """End a server of this project whose data directory was deleted beneath it.

        Its lock file went with the data. It would notice within a minute, and delete its socket
        as it ends: by then that could be the socket of its successor.
        """
        _, socket_lock = socket_files(self._places.socket)
        orphan = Postmaster.read(socket_lock)
        if orphan is None or not orphan.is_started_for(self._places.socket):
            return
        self._account.signal(orphan.process, "QUIT")
        if all(orphan.is_alive for _ in attempts(STOP_SECONDS)):
            raise EmbeddedUnavailable(
                f"an earlier server of this project, process {orphan.process}, does not stop: "
                "end it"
            )

    def _remove_stale_files(self) -> None:
        """Remove what a crash left: the server would believe a process id that has been reused.

        A live PostgreSQL of that id is left to the server's own checks: someone may have
        started one by hand.
        """
        postmaster = Postmaster.read(self._places.process_file)
        if postmaster is None or not postmaster.is_alive:
            for path in (self._places.process_file, *socket_files(self._places.socket)):
                path.unlink(missing_ok=True)

    def _spawn(self, binaries: Binaries, lock: FileLock, *, durable: bool) -> int:
        """Start the server's process; answers where in the log its words begin."""
        settings = {
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": str(self._places.socket),
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            **({} if durable else _FAST),
        }
        server: list[str | Path] = [binaries.directory / "postgres", "-D", self._places.data]
        server += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self._places.log.open("ab") as log:
            if log.tell() > LARGEST_LOG_BYTES:
                log.truncate(0)
                log.seek(0)
            beginning = log.tell()
            self._account.run(
                ["/bin/sh", "-c", '"$@" &', "sh", *server],
                timeout=START_SECONDS,
                output=log,
                inherited=[lock.lend()],
            )
        return beginning

    def _await_ready(self, beginning: int) -> Postmaster:
        for _ in attempts(START_SECONDS):
            alive = self._is_alive()
            postmaster = Postmaster.read(self._places.process_file)
            if alive and postmaster is not None and postmaster.is_ready:
                return postmaster
            if not alive:
                break
        raise EmbeddedUnavailable(
            f"the server on {self._places.data} did not start. It says ({self._places.log}):\n"
            f"{self._tail(beginning)}"
        )

    def _tail(self, beginning: int) -> str:
        try:
            words = self._places.log.read_bytes()[beginning:]
        except FileNotFoundError:
            return "(nothing)"
        return words[-_TAIL_BYTES:].decode(errors="replace").strip() or "(nothing)"
