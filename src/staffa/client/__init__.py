"""The client: `Staffa`, put together of its parts."""

from staffa.client.crons import Crons


class Staffa(Crons):
    """Enqueues jobs, and runs queues once it is started.

    Args:
        dsn: ``postgresql://user:password@host/database``; without one here, in the environment or
            in ``staffa.toml``, an embedded PostgreSQL is started for this project.
        queues: What this process runs: a limit by queue, or a `Queue`. Without any, it only sends.
        clock: The clocks, for tests.
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


__all__ = ["Staffa"]
