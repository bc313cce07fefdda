"""Changes of queues from any client, and waiting until they show."""

from __future__ import annotations

from typing import Any, Protocol

from staffa import Staffa
from staffa.errors import InstanceError
from staffa.queue import QueueCheck
from tests.support.events import eventually

SLOW: dict[str, Any] = {"heartbeat": 900, "dead_after": 3600, "poll": 3600}
ONLY_BEATS: dict[str, Any] = {"heartbeat": 0.05, "dead_after": 3600, "poll": 3600}


def check(app: Staffa, queue: str = "default") -> QueueCheck | None:
    """Return what a queue does in a client's process, or None if it does not run there."""
    try:
        return app.check_queue(queue)
    except InstanceError:
        return None


async def until(app: Staffa, queue: str = "default", **wanted: Any) -> None:
    """Wait until a queue is as wanted."""

    def there() -> bool:
        found = check(app, queue)
        return found is not None and all(getattr(found, key) == wanted[key] for key in wanted)

    try:
        await eventually(there, f"{queue} with {wanted}")
    except AssertionError as error:
        raise AssertionError(f"{error}; it is {check(app, queue)}") from None


class Operate(Protocol):
    """Makes a client of a client's instance, as another process would."""

    def __call__(self, app: Staffa, **options: Any) -> Staffa: ...
