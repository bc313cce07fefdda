"""Which client a helper works with, and how it reaches that client's database."""

from __future__ import annotations

from functools import partial
from typing import Any, TypeAlias, cast

from staffa import instance
from staffa._internal.clock import SYSTEM_CLOCK, Clock
from staffa.client import Staffa
from staffa.config import Config
from staffa.drivers.connections import run_on
from staffa.engine import Engine
from staffa.errors import ConfigError, InstanceError
from staffa.rehearsal import Execute

App: TypeAlias = Staffa | str | None
"""A client, its name, or None for the only one of this process."""


def find_app(app: App, oban: App = None) -> Staffa:
    """Return the client that is meant.

    Args:
        app: The client or its name.
        oban: The same, as programs for the package `oban` call it.

    Raises:
        InstanceError: If there is none.
        ConfigError: If two are given.
    """
    if app is not None and oban is not None:
        raise ConfigError("app= and oban= are both given: they mean the same, give one of them")
    chosen = oban if app is None else app
    if isinstance(chosen, Staffa):
        return chosen
    return cast("Staffa", instance.get(chosen))


def find_settings(app: App, oban: App = None) -> tuple[Config, Clock]:
    """Return the settings and the clock of a client; those of the environment if there is none."""
    try:
        found = find_app(app, oban)
    except InstanceError:
        if app is not None or oban is not None:
            raise
        return Config.load(), SYSTEM_CLOCK
    return found.config, found._clock


async def open_engine(app: Staffa, execute: Execute | None) -> Engine:
    """Return the engine of a client, within a transaction of the user's if one is given."""
    engine = (await app._open()).engine
    return engine if execute is None else engine.joined(execute)


def executing_on(conn: Any) -> Execute | None:
    """Return what runs statements on a user's connection."""
    return None if conn is None else partial(run_on, conn)


def transaction_of(app: Staffa, conn: Any) -> Any:
    """Return the connection to use on this thread: that given, or Django's in an `atomic` block."""
    return app._insertion.find_atomic() if conn is None else conn


def clock_of(app: Staffa) -> Clock:
    """Return the clock of a client."""
    return app._clock
