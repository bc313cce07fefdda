"""The client: `Staffa`, put together of its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from staffa._internal.lazy import load
from staffa.client.handles import Handles

if TYPE_CHECKING:
    from staffa.sync import SyncStaffa


class Staffa(Handles):
    """Enqueues jobs, and runs queues once it is started.

    Args:
        dsn: ``postgresql://user:password@host/database``; without one here, in the environment or
            in ``staffa.toml``, an embedded PostgreSQL is started for this project.
        queues: What this process runs: a limit by queue, or a `Queue`. Without any, it only sends.
        clock: The clocks, for tests.
        pool: A pool of psycopg in place of `dsn`: its address is read, its connections are not
            used.
        **options: See `staffa.config.Config`.

    Raises:
        ConfigError: If a setting can't be used.
        InstanceError: If another client of the same name has not been stopped.

    Example:
        ```python
        app = Staffa("postgresql://localhost/app", queues={"default": 10})

        async with app:
            await app.enqueue(send_mail.new("a@example.com"))
        ```
    """

    @property
    def sync(self) -> SyncStaffa:
        """The same methods for code without an event loop.

        Example:
            ```python
            app.sync.enqueue(send_mail.new("a@example.com"))
            ```
        """
        made: type[SyncStaffa] = load("staffa.sync:SyncStaffa")
        return made(self, self._insertion, self._flows, self._batches)


__all__ = ["Staffa"]
