"""Emptying the tables between tests."""

from __future__ import annotations

from staffa.testing.targets import App, find_app, open_engine


async def reset(app: App = None) -> None:
    """Delete all jobs, and all that is known of queues, cron and processes.

    Args:
        app: The client or its name; the only one of this process if not given. None of its queues
            may run.

    Raises:
        DatabaseError: If the database refuses or can't be reached.

    Example:
        ```python
        await reset()
        ```
    """
    await (await open_engine(find_app(app), None)).reset()


reset_oban = reset
"""The same under the name that the package `oban` has for it."""
