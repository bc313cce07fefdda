"""The operating system's account that PostgreSQL runs as.

PostgreSQL refuses to run with the rights of root. Where we are root, its programs run as
`postgres`, else as `nobody` (an account must exist in the password file, because `initdb` looks
it up); otherwise as ourselves. Commands get a small environment: a server that outlives us,
perhaps under another account, has no business with our secrets, and `PGPORT` and its like would
change what it does.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from staffa.errors import EmbeddedUnavailable

_ACCOUNTS_FOR_ROOT = ("postgres", "nobody")
_KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs the server.

    Attributes:
        user: Its user id.
        group: Its group id.
        differs: Whether it is another account than ours, so that it can't enter our folders.
    """

    user: int
    group: int
    differs: bool

    @classmethod
    def current(cls) -> Account:
        """Choose the account for this process.

        Raises:
            EmbeddedUnavailable: We are root, and there is no account to run the server as.
        """
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid(), differs=False)
        for name in _ACCOUNTS_FOR_ROOT:
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(entry.pw_uid, entry.pw_gid, differs=True)
        raise EmbeddedUnavailable(
            "PostgreSQL refuses to run as root, and neither the account 'postgres' nor 'nobody' "
            "exists: run as a normal user, or give the DSN of a running server"
        )

    def run(
        self,
        command: Sequence[str | Path],
        *,
        timeout: float,
        output: IO[bytes] | None = None,
        inherited: Sequence[int] = (),
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as this account, in a session of its own, and wait for it.

        Args:
            command: The program and its arguments.
            timeout: Seconds until it is killed.
            output: Where its output goes; without it, into the result.
            inherited: File descriptors that it keeps open.

        Raises:
            OSError: The program can't be run.
            subprocess.TimeoutExpired: It took longer than its timeout.
        """
        environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        return subprocess.run(  # noqa: S603 - the commands are our own
            [os.fspath(part) for part in command],
            cwd="/",
            env={"PATH": os.defpath, **environment, "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=output or subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            check=False,
            # Ctrl-C in the terminal is for us: the server is stopped in order, by its last user.
            start_new_session=True,
            pass_fds=inherited,
            user=self.user if self.differs else None,
            group=self.group if self.differs else None,
            extra_groups=[] if self.differs else None,
        )

    def signal(self, process: int, name: str) -> None:
        """Send a signal with the rights of this account, so that root can't hit a stranger.

        Args:
            process: The process id; one that has ended is no error.
            name: The signal without "SIG", for example "INT".
        """
        script = 'kill -s "$1" "$2" 2>/dev/null || true'
        self.run(["/bin/sh", "-c", script, "sh", name, str(process)], timeout=10)

    def give(self, directory: Path) -> None:
        """Make a directory this account's own, closed to all others."""
        if self.differs:
            os.chown(directory, self.user, self.group)
        directory.chmod(0o700)
