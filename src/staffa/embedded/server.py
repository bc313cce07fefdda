"""The public class: start, share and stop a project's server.

Invariants:

- Each user holds a shared lock on `users.lock`; the kernel drops it when the user dies, so a
  killed process never counts. Whoever leaves and finds no other holder stops the server.
- Entering and leaving happen under `turn.lock`: between "am I the last?" and the server's end
  nobody can come.
- A server without users (they were all killed) keeps running, and the next start takes it over.
- A forked child is no user: it holds no lock, and its `stop` does nothing. It becomes one by
  its own `start`.
"""

from __future__ import annotations

import atexit
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from staffa.embedded.account import Account
from staffa.embedded.cluster import Cluster
from staffa.embedded.locks import FileLock
from staffa.embedded.places import Places
from staffa.embedded.postmaster import PORT, Postmaster
from staffa.errors import ConfigError, EmbeddedUnavailable, InstanceError

TURN_SECONDS = 120
_TRIES = 5


class EmbeddedPostgres:
    """A PostgreSQL server for one project, shared by all its processes.

    It has no TCP port; its socket can be reached by the project's user only. It outlives a user
    that is killed; the last one to stop it, or to exit, ends it.

    Args:
        project: The directory of the user's project.
        durable: Whether what is committed survives a crash of the machine. `False` is faster,
            for tests. A server that is already running is shared as it is, unless durability is
            asked for and it has none.

    Raises:
        ConfigError: The project is no directory.

    Example:
        >>> from pathlib import Path
        >>> with EmbeddedPostgres(Path.cwd()) as dsn:  # doctest: +SKIP
        ...     connection = await asyncpg.connect(dsn)
    """

    def __init__(self, project: Path, *, durable: bool = True) -> None:
        self._project = Path(project).resolve()
        if not self._project.is_dir():
            raise ConfigError(f"the project {str(project)!r} is no directory")
        self._durable = durable
        self._membership: FileLock | None = None

    def start(self) -> str:
        """Start the server, or join the one that runs, and wait until it is ready.

        Calling it again is harmless, and brings a server back that has crashed.

        Returns:
            A DSN for asyncpg, psycopg and psql.

        Raises:
            EmbeddedUnavailable: No PostgreSQL can be run here; the message says what to do.
            UnknownOption: `STAFFA_EMBEDDED_BINARIES` has a wrong value.
        """
        with self._turn() as (places, cluster):
            membership = self._join(places)
            try:
                server = self._running(cluster, membership) or cluster.launch(durable=self._durable)
            except BaseException:
                # Also on Ctrl-C: a server that was just spawned must not stay.
                with suppress(EmbeddedUnavailable):
                    self._leave(places, cluster, membership)
                raise
        return f"postgresql://postgres@/postgres?host={quote(str(server.socket))}&port={PORT}"

    def stop(self) -> None:
        """Leave the server, and stop it if no other process uses it.

        Calling it again is harmless, and so is calling it in a forked child of the process that
        started it. It runs by itself when the process exits.

        Raises:
            EmbeddedUnavailable: The server did not stop.
        """
        membership = self._membership
        if membership is None or not membership.is_held:
            return
        with self._turn() as (places, cluster):
            if membership.is_held:  # another thread may have had its turn before us
                self._leave(places, cluster, membership)

    def remove(self) -> None:
        """Stop the server and delete its data, log and socket: for tests and `make clean`.

        What several projects share (as root, a copy of the wheel's binaries) stays.

        Raises:
            InstanceError: Another process uses the server.
        """
        self.stop()
        with self._turn() as (places, cluster):
            everyone = FileLock.try_acquire(places.users_lock)
            if everyone is None:
                raise InstanceError(
                    f"another process uses the embedded PostgreSQL of {self._project}: "
                    "stop that first"
                )
            with everyone:
                cluster.shut_down()
                for directory in (places.home, places.socket.parent):
                    shutil.rmtree(directory)

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @contextmanager
    def _turn(self) -> Iterator[tuple[Places, Cluster]]:
        """Be the only process that starts or stops this server."""
        try:
            account = Account.current()
            places, lock = _take_turn(self._project, account)
            with lock:
                yield places, Cluster(places, account)
        except (OSError, subprocess.SubprocessError) as error:
            raise EmbeddedUnavailable(
                f"the embedded PostgreSQL of {self._project} can't be run: {error}. "
                "Mend that, or give the DSN of a running server"
            ) from error

    def _join(self, places: Places) -> FileLock:
        """Become a user of the server, unless we are one."""
        if self._membership is not None and self._membership.is_held:
            if self._membership.is_current:
                return self._membership
            self._membership.close()  # its file was deleted, and with it whom it told of us
        membership = FileLock.try_acquire(places.users_lock, shared=True)
        if membership is None:
            raise EmbeddedUnavailable(
                f"{places.users_lock} is locked by a stranger: end that process"
            )
        self._membership = membership
        atexit.register(self.stop)
        return membership

    def _leave(self, places: Places, cluster: Cluster, membership: FileLock) -> None:
        atexit.unregister(self.stop)
        self._membership = None
        membership.release()
        nobody = FileLock.try_acquire(places.users_lock)
        if nobody is not None:
            with nobody:
                cluster.shut_down()

    def _running(self, cluster: Cluster, membership: FileLock) -> Postmaster | None:
        """The running server, if it will do; one that won't is stopped if nobody else uses it."""
        server = cluster.running()
        if server is None:
            return None
        flaw = cluster.flaw(server, durable=self._durable)
        if flaw is None:
            return server
        if not membership.is_sole():
            raise EmbeddedUnavailable(
                f"the embedded PostgreSQL of {self._project} {flaw}, and other processes use it: "
                "stop those, and try again"
            )
        cluster.shut_down()
        return None


def _take_turn(project: Path, account: Account) -> tuple[Places, FileLock]:
    """Lock the project's server for starting or stopping it."""
    for _ in range(_TRIES):
        # Another process may be removing the very directories that we are making.
        with suppress(FileNotFoundError):
            places = Places.of(project, account)
            return places, FileLock.acquire(places.turn_lock, seconds=TURN_SECONDS)
    raise EmbeddedUnavailable(
        f"the files of {project} are removed by another process again and again"
    )
