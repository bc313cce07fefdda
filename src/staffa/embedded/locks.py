"""File locks that the kernel releases when their holder dies, however it dies.

Invariants:

- A lock belongs to an open file description (flock, not fcntl): two locks of one process
  exclude each other.
- No child holds a lock by accident: descriptors close on exec, and a hook closes them in a
  forked child. The child closes without unlocking, since unlocking would take the parent's lock
  away too. Only `lend` is on purpose: the PostgreSQL server keeps a lock for as long as one of
  its processes lives.
- A locked file that was removed meanwhile protects nothing; `acquire` notices it and takes the
  new file.
"""

from __future__ import annotations

import fcntl
import os
import weakref
from pathlib import Path
from types import TracebackType
from typing import Self

from staffa.embedded.waiting import attempts
from staffa.errors import EmbeddedUnavailable


class FileLock:
    """A lock on a file, held until it is released or this process ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._process = os.getpid()
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor: int | None = os.open(path, flags, 0o600)
        _open_locks.add(self)

    @classmethod
    def try_acquire(cls, path: Path, *, shared: bool = False) -> FileLock | None:
        """Take the lock if nobody stands in the way.

        Args:
            path: The file; it is made if missing.
            shared: Whether others may hold it too, if they also share.
        """
        lock = cls(path)
        if lock._flock(fcntl.LOCK_SH if shared else fcntl.LOCK_EX):
            return lock
        lock.close()
        return None

    @classmethod
    def acquire(cls, path: Path, *, seconds: float) -> FileLock:
        """Take the lock for ourselves alone, waiting for other holders.

        Raises:
            EmbeddedUnavailable: It was not free within the given seconds.
            FileNotFoundError: Its directory was removed.
        """
        for _ in attempts(seconds):
            lock = cls.try_acquire(path)
            if lock is not None:
                if lock.is_current:
                    return lock
                lock.release()
        raise EmbeddedUnavailable(
            "another process has been starting or stopping the embedded PostgreSQL "
            f"for {seconds:g} seconds (it holds {path}): end that process, and try again"
        )

    @property
    def is_held(self) -> bool:
        """Whether this very process, not a parent that it was forked from, holds the lock."""
        return self._descriptor is not None and self._process == os.getpid()

    @property
    def is_current(self) -> bool:
        """Whether the file is still the one at its path."""
        assert self._descriptor is not None, f"{self._path} is closed"  # noqa: S101
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except FileNotFoundError:
            return False

    def is_sole(self) -> bool:
        """Whether no one else shares the lock.

        The answer lasts only while newcomers are kept out by another lock: asking means to give the
        shared lock up for a moment, as the kernel converts locks in two steps.
        """
        sole = self._flock(fcntl.LOCK_EX)
        self._flock(fcntl.LOCK_SH)
        return sole

    def release(self) -> None:
        """Unlock, even if a child between fork and exec still has the descriptor."""
        if self.is_held and self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self.close()

    def lend(self) -> int:
        """The descriptor, for a child that is to hold the lock as well and after us."""
        assert self._descriptor is not None, f"{self._path} is not locked"  # noqa: S101
        return self._descriptor

    def close(self) -> None:
        """Let go without unlocking: whoever else has the descriptor still holds the lock."""
        _open_locks.discard(self)
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def _flock(self, operation: int) -> bool:
        assert self._descriptor is not None, f"{self._path} is closed"  # noqa: S101
        try:
            fcntl.flock(self._descriptor, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


_open_locks: weakref.WeakSet[FileLock] = weakref.WeakSet()


def _close_in_child() -> None:
    for lock in list(_open_locks):
        lock.close()


os.register_at_fork(after_in_child=_close_in_child)
