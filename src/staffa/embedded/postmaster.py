"""What a server says of itself in `postmaster.pid`, and whether to believe it.

The file outlives a crash, and by then its process id may belong to anyone (in a container that
starts the same few programs, it regularly does). So a process counts as the server only if it
is a PostgreSQL.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

PORT = 5432
_SOCKET = f".s.PGSQL.{PORT}"
# Children of the server call themselves "postgres: checkpointer" and the like.
_SERVER = re.compile(r"(^|/)(postgres|postmaster)(:.*)?\s*$")


@dataclass(frozen=True, slots=True)
class Postmaster:
    """The server's first process.

    Attributes:
        process: Its process id.
        socket: The directory of its socket; None while it hasn't said so.
        status: "starting", "ready", "stopping" or "standby"; empty while it hasn't said so.
    """

    process: int
    socket: Path | None
    status: str

    @classmethod
    def read(cls, path: Path) -> Postmaster | None:
        """Read `postmaster.pid` or the socket's lock file, which begins alike.

        None if it is missing or says nothing.
        """
        try:
            lines = path.read_text().splitlines()
            process = abs(int(lines[0]))  # negative: a single-user server
        except (FileNotFoundError, IndexError, ValueError):
            return None
        lines += [""] * (8 - len(lines))
        return cls(process, Path(lines[4]) if lines[4] else None, lines[7].strip())

    @property
    def is_ready(self) -> bool:
        """Whether it lives and accepts connections."""
        return self.status == "ready" and self.is_alive

    @property
    def is_alive(self) -> bool:
        """Whether its process is there, and is a PostgreSQL."""
        program, _, _ = _command_line(self.process).partition("\0")
        return _SERVER.search(program) is not None

    def is_started_for(self, socket: Path) -> bool:
        """Whether its process was started to listen in this very directory."""
        return self.is_alive and str(socket) in _command_line(self.process)

    @property
    def is_reachable(self) -> bool:
        """Whether its socket is where it says: someone may have tidied up."""
        return self.socket is not None and (self.socket / _SOCKET).exists()


def socket_files(socket: Path) -> tuple[Path, Path]:
    """The socket and its lock file, which a crash leaves behind."""
    return socket / _SOCKET, socket / f"{_SOCKET}.lock"


def _command_line(process: int) -> str:
    """The program and its arguments, parted by NUL; empty for one that is gone or a zombie."""
    if Path("/proc/self").exists():
        try:
            return Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return ""
    reporter = shutil.which("ps") or "/bin/ps"
    answer = subprocess.run(  # noqa: S603 - a fixed program
        [reporter, "-o", "command=", "-p", str(process)],
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )
    return answer.stdout.strip().replace(" -D ", "\0-D\0", 1)
