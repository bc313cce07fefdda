"""The client: `Staffa`, put together of its parts."""

from staffa.client.handles import Handles
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
        return SyncStaffa(self, self._insertion, self._flows, self._batches)


__all__ = ["Staffa"]
