"""Where the files of a project's server lie.

    <home>/data            the data directory        <home>/log           what the server says
    <home>/turn.lock       starting or stopping      <home>/users.lock    shared by all users
    <home>/server.lock     held by the server        <home>/not-durable   data may not be on disk
    <shared>/<name>/socket the socket, alone         <shared>/binaries-*  programs, for root

`<home>` is `<project>/.staffa/postgres`, or `<shared>/<name>/postgres` where the server can't use
that: we are root (the server's account can't enter our home), or the project is read-only, belongs
to someone else or lies where access rights mean nothing. `<shared>` is `/var/tmp/staffa-<uid>`,
with our user id. The socket always lies there: its path must fit into 108 bytes (104 on macOS),
and TMPDIR or a project may be long.

`/var/tmp` is open to all, so someone could have made our folder before us: one that isn't ours,
or that others can write to, is never used.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from staffa.embedded.account import Account
from staffa.embedded.locks import FileLock
from staffa.errors import EmbeddedUnavailable

_PARENTS = (Path("/var/tmp"), Path("/tmp"))  # noqa: S108 - ownership is checked
_TURN_LOCK = "turn.lock"


@dataclass(frozen=True, slots=True)
class Places:
    """The paths of one project's server.

    Attributes:
        home: What belongs to this server and is not the socket.
        socket: The directory of the socket.
    """

    home: Path
    socket: Path

    @classmethod
    def of(cls, project: Path, account: Account) -> Places:
        """Decide where the files of a project lie, and make the directories.

        Args:
            project: The project's directory.
            account: Who runs the server.

        Raises:
            EmbeddedUnavailable: There is no place that is ours alone.
        """
        elsewhere = shared_directory(account) / _name(project)
        inside = project / ".staffa" / "postgres"
        home = inside
        if account.differs or not _is_usable(project, inside):
            home = elsewhere / "postgres"
        places = cls(home, elsewhere / "socket")
        places.create(account)
        return places

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.home / "data"

    @property
    def process_file(self) -> Path:
        """Where the server notes its process, socket and state."""
        return self.data / "postmaster.pid"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.home / "log"

    @property
    def turn_lock(self) -> Path:
        """Held while a process starts or stops the server."""
        return self.home / _TURN_LOCK

    @property
    def users_lock(self) -> Path:
        """Shared by all processes that use the server."""
        return self.home / "users.lock"

    @property
    def server_lock(self) -> Path:
        """Held by the server (or `initdb`) itself, until the last of its processes has ended."""
        return self.home / "server.lock"

    @property
    def not_durable(self) -> Path:
        """Exists if the server runs, or last ran, without durability."""
        return self.home / "not-durable"

    def create(self, account: Account) -> None:
        """Make the directories that are missing, with the rights they need."""
        for directory in (self.socket.parent, self.home):
            directory.mkdir(parents=True, exist_ok=True)
            if account.differs:
                os.chown(directory, -1, account.group)
            directory.chmod(0o710 if account.differs else 0o700)
        self.socket.mkdir(exist_ok=True)
        account.give(self.socket)


def shared_directory(account: Account) -> Path:
    """Our folder in a place that everyone can write to; made if missing.

    Args:
        account: Who must be able to pass through it.

    Raises:
        EmbeddedUnavailable: None can be made, or all that exist are not ours.
    """
    refused = []
    for parent in _PARENTS:
        directory = parent / f"staffa-{os.geteuid()}"
        try:
            directory.mkdir(mode=0o700, exist_ok=True)
            status = directory.lstat()
            if not stat.S_ISDIR(status.st_mode):
                refused.append(f"{directory} is no directory")
            elif status.st_uid != os.geteuid() or status.st_mode & 0o022:
                refused.append(f"{directory} is not ours alone (user id {status.st_uid})")
            else:
                directory.chmod(0o711 if account.differs else 0o700)
                return directory
        except OSError as error:
            refused.append(f"{directory} can't be made ({error.strerror})")
    raise EmbeddedUnavailable(
        f"no place for the socket of the embedded PostgreSQL: {'; '.join(refused)}. "
        "Remove what is in the way, or give the DSN of a running server"
    )


def _name(project: Path) -> str:
    """A short name that tells the project to people, and tells it apart."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", project.name)[:20].strip("-") or "project"
    return f"{readable}-{hashlib.sha256(os.fsencode(project)).hexdigest()[:12]}"


def _is_usable(project: Path, home: Path) -> bool:
    """Whether a server of ours can live there: it insists on its rights, and we need locks.

    Raises:
        FileNotFoundError: Another process removed it meanwhile; a second try will do.
    """
    if not project.is_dir():
        return False
    try:
        if not home.parent.exists():
            home.parent.mkdir(exist_ok=True)
            (home.parent / ".gitignore").write_text("*\n")
        home.mkdir(mode=0o700, exist_ok=True)
        home.chmod(0o700)
        status = home.stat()
        probe = FileLock.try_acquire(home / _TURN_LOCK, shared=True)
        if probe is not None:
            probe.release()
    except FileNotFoundError:
        raise
    except OSError:
        return False
    return status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) == 0o700
