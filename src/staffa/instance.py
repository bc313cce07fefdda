"""The running clients by name: how decorated functions reach one without importing it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, AsyncIterable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, Protocol, Unpack, overload
from weakref import WeakValueDictionary

from staffa.errors import InstanceError, LoopRunning
from staffa.jobs import Job
from staffa.options import BulkOptions

if TYPE_CHECKING:
    from staffa.relays import Relay, SyncRelay

DEFAULT_NAME = "Oban"

Source = Job | Iterable[Job]
"""What jobs can be given as to enqueue many."""


class EnqueuesNow(Protocol):
    """What synchronous code needs of a client."""

    def enqueue(self, job: Job, *, conn: Any = None) -> Job:
        """Insert one job."""

    def relay(self, job: Job, *, conn: Any = None) -> SyncRelay:
        """Insert one job whose result is awaited."""

    @overload
    def enqueue_many(
        self, *jobs: Source, stream: Literal[False] = False, **options: Unpack[BulkOptions]
    ) -> list[Job]: ...
    @overload
    def enqueue_many(
        self, *jobs: Source, stream: Literal[True], **options: Unpack[BulkOptions]
    ) -> Iterator[int]: ...


class Enqueues(Protocol):
    """What a decorated function needs of a client."""

    @property
    def sync(self) -> EnqueuesNow:
        """The same for synchronous code."""

    async def enqueue(self, job: Job, *, conn: Any = None) -> Job:
        """Insert one job."""

    async def relay(self, job: Job, *, conn: Any = None) -> Relay:
        """Insert one job whose result is awaited."""

    @overload
    def enqueue_many(
        self, *jobs: Source, stream: Literal[False] = False, **options: Unpack[BulkOptions]
    ) -> Coroutine[Any, Any, list[Job]]: ...
    @overload
    def enqueue_many(
        self, *jobs: Source, stream: Literal[True], **options: Unpack[BulkOptions]
    ) -> AsyncGenerator[int, None]: ...
    @overload
    def enqueue_many(
        self, jobs: AsyncIterable[Job], /, *, stream: bool = ..., **options: Unpack[BulkOptions]
    ) -> AsyncGenerator[int, None]: ...


_lock = threading.Lock()
_clients: WeakValueDictionary[str, Enqueues] = WeakValueDictionary()


def register(name: str, client: Enqueues) -> None:
    """Make a client known by its name.

    Raises:
        InstanceError: If another one of that name has not been stopped.
    """
    with _lock:
        if _clients.get(name, client) is not client:
            raise InstanceError(
                f"a client named {name!r} exists already: stop it first, use it with "
                f"get_instance({name!r}), or give this one another name="
            )
        _clients[name] = client


def unregister(name: str, client: Enqueues) -> None:
    """Forget a client."""
    with _lock:
        if _clients.get(name) is client:
            del _clients[name]


@contextmanager
def replaced() -> Iterator[None]:
    """Have clients that are made from now on take the place of all that there are; for tests.

    The others are found again when the block ends.
    """
    with _lock:
        known = dict(_clients)
        _clients.clear()
    try:
        yield
    finally:
        with _lock:
            _clients.clear()
            _clients.update(known)


def get(name: str | None = None) -> Enqueues:
    """Return the client of a name, or the only one.

    Raises:
        InstanceError: If there is none, or several and no name is given.
    """
    with _lock:
        clients = dict(_clients)
    if name is None:
        name = next(iter(clients)) if len(clients) == 1 else DEFAULT_NAME
    if name in clients:
        return clients[name]
    if not clients:
        named = "" if name == DEFAULT_NAME else f", name={name!r}"
        raise InstanceError(
            f"no client exists in this process: create one first, for example app = Staffa(dsn"
            f"{named}); for jobs with executor='process', in a module that theirs imports"
        )
    raise InstanceError(
        f"no client is named {name!r}: there are {', '.join(repr(known) for known in clients)}"
    )


def refuse_loop(called: str, instead: str) -> None:
    """Refuse to block an event loop.

    Args:
        called: What was called.
        instead: What is to be called on a loop's thread.

    Raises:
        LoopRunning: If one runs on this thread.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise LoopRunning(
        f"{called} would block the event loop that runs on this thread: call {instead} here, or "
        "make this call on another thread, for example through asyncio.to_thread"
    )


def _unlock() -> None:
    """Begin with a free lock after a fork, in which another thread may have held it."""
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_unlock)
