"""When a connection of SQLAlchemy has committed: what is to be done only then.

SQLAlchemy tells of a commit before it happens; of the end of one only a session tells. On a plain
connection it is certain once the next transaction begins or the connection goes back to its pool,
mostly at once, as at the end of ``with engine.begin()``. A commit that fails is followed by a
rollback, which is told.

Callbacks that were added inside of a savepoint go when it is rolled back: kept is how many there
were when each began, the innermost last; there were none when one began that we were not told of.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from staffa.telemetry import report

_KEY = "staffa_commit_watch"

_sessions: WeakKeyDictionary[Session, CommitWatch] = WeakKeyDictionary()


class CommitWatch:
    """What waits for the commit of one connection."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[], object]] = []
        self._savepoints: list[int] = []
        self.committing = False

    @classmethod
    def of(cls, connection: Connection, session: Session | None) -> CommitWatch:
        """Return the watch of a connection, which begins now if there is none."""
        watch = connection.info.get(_KEY)
        if not isinstance(watch, cls):
            watch = connection.info[_KEY] = cls()
        for name, listener in _LISTENERS.items():
            if not event.contains(connection.engine, name, listener):
                event.listen(connection.engine, name, listener)
        if session is not None:
            _sessions[session] = watch
            if not event.contains(session, "after_commit", _after_session_commit):
                event.listen(session, "after_commit", _after_session_commit)
        return watch

    def add(self, callback: Callable[[], object]) -> None:
        """Have something called after the commit."""
        self._callbacks.append(callback)

    def enter_savepoint(self) -> None:
        """Note that a savepoint begins."""
        self._savepoints.append(len(self._callbacks))

    def leave_savepoint(self, *, undone: bool) -> None:
        """Note that the innermost savepoint has ended; what was added to an undone one goes."""
        start = self._savepoints.pop() if self._savepoints else 0
        if undone:
            del self._callbacks[start:]

    def forget(self) -> None:
        """Leave out everything: the transaction was rolled back."""
        self._callbacks.clear()
        self._savepoints.clear()
        self.committing = False

    def settle(self) -> None:
        """Call what waits, if the commit was begun."""
        if not self.committing:
            return
        callbacks, self._callbacks = self._callbacks, []
        self._savepoints.clear()
        self.committing = False
        for callback in callbacks:
            try:
                callback()
            except Exception as error:  # noqa: BLE001  # the user's commit has succeeded
                report("what follows a commit failed", error)


def _found(info: dict[Any, Any]) -> CommitWatch:
    watch = info.get(_KEY)
    return watch if isinstance(watch, CommitWatch) else CommitWatch()


def _on_commit(connection: Connection, *_: object) -> None:
    _found(connection.info).committing = True


def _on_rollback(connection: Connection, *_: object) -> None:
    _found(connection.info).forget()


def _on_begin(connection: Connection, *_: object) -> None:
    _found(connection.info).settle()


def _on_savepoint(connection: Connection, *_: object) -> None:
    _found(connection.info).enter_savepoint()


def _on_release(connection: Connection, *_: object) -> None:
    _found(connection.info).leave_savepoint(undone=False)


def _on_rollback_savepoint(connection: Connection, *_: object) -> None:
    _found(connection.info).leave_savepoint(undone=True)


def _on_checkin(_: object, record: Any) -> None:
    _found(record.info).settle()


def _after_session_commit(session: Session) -> None:
    watch = _sessions.get(session)
    if watch is not None:
        watch.settle()


_LISTENERS: dict[str, Callable[..., None]] = {
    "commit": _on_commit,
    "commit_twophase": _on_commit,
    "rollback": _on_rollback,
    "rollback_twophase": _on_rollback,
    "begin": _on_begin,
    "begin_twophase": _on_begin,
    "savepoint": _on_savepoint,
    "release_savepoint": _on_release,
    "rollback_savepoint": _on_rollback_savepoint,
    "checkin": _on_checkin,
}
