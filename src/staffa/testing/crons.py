"""Cron, one look at a time: what the leader of a running program does once a minute."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4
from weakref import WeakKeyDictionary

from staffa.client import Staffa
from staffa.cron.declared import Collector
from staffa.engine import Producer
from staffa.services.cron import Crontab
from staffa.testing.targets import App, clock_of, find_app, open_engine

_LONGEST = timedelta(days=366)
_producers: WeakKeyDictionary[Staffa, Producer] = WeakKeyDictionary()


async def tick_crons(app: App = None) -> None:
    """Enqueue the jobs of all ticks since the last call; the first call only notes the entries.

    Entries are those of the decorators and of the client's setting `cron`. With a `VirtualClock`
    and SQLite, ticks come when the test moves the clock.

    Args:
        app: The client or its name; the only one of this process if not given.

    Raises:
        ConfigError: If two entries have one name.
        DatabaseError: If the database refuses or can't be reached.

    Example:
        ```python
        await tick_crons()
        clock.advance(days=1)
        await tick_crons()
        await assert_enqueued(worker=tidy_up)
        ```
    """
    found = find_app(app)
    config = found.config
    producer = _producers.setdefault(found, Producer(uuid4(), config.name, config.node))
    collector = Collector(
        config.cron or (), config.name, config.timezone, config.imports, config.encryption_keys
    )
    crontab = Crontab(
        await open_engine(found, None),
        producer,
        collector.collect,
        leading=lambda: True,
        grace=_LONGEST.total_seconds(),
        dead_after=config.dead_after,
        clock=clock_of(found),
        on_available=lambda queues: None,
    )
    await crontab.on_start()
    await crontab.tick()
