"""What a job may return: to end otherwise than completed, or to have a value kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from staffa._internal import json
from staffa._internal.shown import shown
from staffa.args.plain import dump_object
from staffa.errors import ConfigError, InvalidJob
from staffa.types import Seconds, to_seconds

DEFAULT_RECORD_LIMIT = 64 * 1024 * 1024
LARGEST_RECORD_LIMIT = 128 * 1024 * 1024
"""A JSON text of PostgreSQL's ends at 256 MiB, and base64 takes a third more than the value."""


RELAY_KEY = "staffa_relay"
"""Where `meta` holds the secret with which the result of a relayed job is told."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """End the job as cancelled: it is not needed any more.

    Args:
        reason: Kept in the job's errors.

    Example:
        >>> def process(job):
        ...     return Cancel("the account is closed")
    """

    reason: object = None


@dataclass(frozen=True, slots=True)
class Discard:
    """End the job as discarded: it failed, and no retry would help.

    Args:
        reason: Kept in the job's errors.

    Example:
        >>> def process(job):
        ...     return Discard("no such address")
    """

    reason: object = None


@dataclass(frozen=True, slots=True, init=False)
class Snooze:
    """Run the job again later, without using up an attempt.

    Args:
        delay: Seconds or a timedelta, from now.
        seconds: The same under another name.
        meta: What is merged into the job's `meta`, plain JSON.

    Raises:
        ConfigError: If the delay is no length of time, or given twice.
        InvalidArgs: If `meta` is no plain JSON object.

    Example:
        >>> def process(job):
        ...     return Snooze(60, meta={"waits_for": "printer"})
    """

    delay: Seconds
    meta: Mapping[str, Any] | None = None

    def __init__(
        self,
        delay: Seconds | None = None,
        *,
        seconds: Seconds | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        if (delay is None) == (seconds is None):
            raise ConfigError("Snooze delay: give it once, as Snooze(60) or Snooze(seconds=60)")
        chosen = seconds if delay is None else delay
        assert chosen is not None  # noqa: S101  # one of them is given
        to_seconds(chosen, "Snooze delay")
        object.__setattr__(self, "delay", chosen)
        kept = None if meta is None else json.loads(dump_object(meta, "meta of Snooze"))
        object.__setattr__(self, "meta", kept)

    @property
    def seconds(self) -> float:
        """The delay in seconds."""
        return to_seconds(self.delay, "Snooze delay")


@dataclass(frozen=True, slots=True)
class Record:
    """End the job as completed, and keep a value: `fetch_result` returns it.

    Args:
        value: Plain data: None, bool, int, float, str, bytes, list, tuple, dict; or what the
            function's annotation says.
        limit: How many bytes the encoded value may have; that of the job or its worker if not
            given.

    Raises:
        InvalidJob: If the limit is no such number.

    Example:
        >>> def process(job):
        ...     return Record({"pages": 12})
    """

    value: object
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.limit is not None:
            Recorded(limit=self.limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The option `recorded`, with a limit.

    Args:
        limit: How many bytes an encoded result may have, up to 128 MiB.

    Raises:
        InvalidJob: If the limit is no such number.

    Example:
        >>> Recorded(limit=1_000_000)
        Recorded(limit=1000000)
    """

    limit: int = DEFAULT_RECORD_LIMIT

    def __post_init__(self) -> None:
        if type(self.limit) is not int or not 0 < self.limit <= LARGEST_RECORD_LIMIT:
            raise InvalidJob(
                f"the limit of recorded results is {shown(self.limit, 100)}: give bytes from 1 to "
                f"{LARGEST_RECORD_LIMIT}"
            )


def recorded_meta(option: bool | Recorded) -> dict[str, Any]:
    """Return what the option `recorded` writes into a job's meta.

    Raises:
        InvalidJob: If it is neither a truth value nor `Recorded`.
    """
    match option:
        case False:
            return {}
        case True:
            return {"recorded": True}
        case Recorded():
            return {"recorded": True, "staffa_record_limit": option.limit}
    raise InvalidJob(f"recorded is {shown(option, 100)}: give True, or Recorded(limit=bytes)")


def record_limit(meta: Mapping[str, Any]) -> int:
    """Return how many bytes a result may have; any client may have written something else."""
    limit = meta.get("staffa_record_limit")
    if isinstance(limit, bool) or not isinstance(limit, int):
        return DEFAULT_RECORD_LIMIT
    return limit if 0 < limit <= LARGEST_RECORD_LIMIT else DEFAULT_RECORD_LIMIT
