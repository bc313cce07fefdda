"""The running clients by name: how decorated functions reach one without importing it."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any, Protocol
from weakref import WeakValueDictionary

from staffa.errors import InstanceError
from staffa.jobs import Job

DEFAULT_NAME = "Oban"


class Enqueues(Protocol):
    """What a decorated function needs of a client."""

    async def enqueue(self, job: Job, *, conn: Any = None) -> Job:
        """Insert one job."""

    async def enqueue_many(self, *jobs: Job | Iterable[Job], conn: Any = None) -> list[Job]:
        """Insert jobs."""


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
        raise InstanceError(
            "no client exists in this process: create one first, for example app = Staffa(dsn)"
        )
    raise InstanceError(
        f"no client is named {name!r}: there are {', '.join(repr(known) for known in clients)}"
    )
