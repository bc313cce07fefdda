"""Tells the listeners of events what somebody changes from the command line."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from staffa.config import Config
from staffa.errors import OperationInterrupted, StaffaError
from staffa.telemetry import emit
from staffa.telemetry.catalogue import ActionTaken

_SOURCE = "cli"


@dataclass(slots=True)
class Action:
    """What is being done.

    Args:
        count: How many jobs were changed; to be set by who changes them.
    """

    count: int | None = None


@contextmanager
def audited(config: Config, name: str, **target: Any) -> Iterator[Action]:
    """Tell of an action after it was done, or has failed.

    Args:
        config: Whose jobs or queues it is about.
        name: What is done, such as ``jobs.cancel``.
        **target: What it is about; what is None is left out.
    """
    action = Action()
    error: str | None = None
    try:
        yield action
    except StaffaError as caught:
        error = str(caught)
        if isinstance(caught, OperationInterrupted):
            action.count = caught.done
        raise
    except BaseException as caught:
        error = type(caught).__name__
        raise
    finally:
        emit(
            ActionTaken,
            action=name,
            actor=_actor(),
            source=_SOURCE,
            target={key: value for key, value in target.items() if value is not None},
            count=action.count,
            error=error,
            instance=config.name,
        )


def _actor() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a user id without a name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
