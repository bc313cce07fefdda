"""When an expression comes round in a time zone, whatever its clocks do.

An expression matches times on a clock on the wall. Where clocks are put forward, some of these do
not exist; where they are put back, some come twice. What then happens is the policy's choice:

- ``cron``, as Debian's cron does: a job at a fixed time runs once in either case, right after the
  gap or at the first of the two times. A job whose minute or hour begins with ``*`` follows real
  time, as the clock shows it.
- ``skip``: a time that does not exist is left out, of one that comes twice the first counts.
- ``all``: a time that does not exist is left out, one that comes twice counts twice.

Each period between two changes of the clocks is a piece of wall time; the pieces are walked one
after the other. `shown` is the end of the wall time seen so far: what lies below it comes again,
what lies between it and the next piece never came.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import takewhile
from typing import Literal, get_args

from staffa.cron.expression import Expression
from staffa.cron.zones import Period, load_zone, periods
from staffa.errors import ConfigError, UnknownOption

Dst = Literal["cron", "skip", "all"]
"""What happens where clocks are put forward or back."""

POLICIES: tuple[str, ...] = get_args(Dst)

_LOOK_BACK = timedelta(days=2)  # clocks are not put back by more
_LOOK_AHEAD = timedelta(days=50 * 366)  # a Sunday, February 29, may be 40 years away
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_NEVER = datetime.max  # noqa: DTZ901  # walls have no zone


@dataclass(frozen=True, slots=True)
class Schedule:
    """An expression in a time zone.

    Args:
        expression: When, on a clock on the wall; not ``@reboot``.
        timezone: Where the clock hangs.
        dst: The policy.

    Raises:
        ConfigError: If the time zone or the policy does not exist.

    Example:
        >>> schedule = Schedule(Expression.parse("30 2 * * *"), "Europe/Berlin")
        >>> schedule.next_tick(datetime(2026, 3, 28, 12, tzinfo=UTC))
        datetime.datetime(2026, 3, 29, 1, 0, tzinfo=datetime.timezone.utc)
    """

    expression: Expression
    timezone: str = "UTC"
    dst: str = "cron"

    def __post_init__(self) -> None:
        load_zone(self.timezone)
        check_policy(self.dst)

    def next_tick(self, after: datetime) -> datetime | None:
        """Return the first tick later than an instant, if there is one."""
        return next(self.ticks(after), None)

    def between(self, after: datetime, until: datetime) -> list[datetime]:
        """Return the ticks later than an instant, up to and with another one."""
        return list(takewhile(lambda tick: tick <= until, self.ticks(after, until)))

    def ticks(self, after: datetime, until: datetime | None = None) -> Iterator[datetime]:
        """Yield the ticks later than an instant, in UTC and in their order.

        Args:
            after: The instant.
            until: Where the search may end; 50 years later if not given.
        """
        after = after.astimezone(UTC)
        until = after + _LOOK_AHEAD if until is None else until
        walls = _Walls(self.expression)
        real = self.dst == "all" or (self.dst == "cron" and self.expression.wildcard)
        shown: datetime | None = None
        for period in periods(load_zone(self.timezone), after - _LOOK_BACK):
            if period.start > until:
                return
            start, end = _wall(period.start, period), _wall(period.end, period)
            low = start if real or shown is None else max(start, shown)
            if period.end > after:
                in_gap = shown is not None and self._came_in_gap(walls, shown, start)
                if in_gap and period.start > after:
                    yield period.start
                    low += _MINUTE  # a tick right at the end of the gap is that one
                low = max(low, _wall(after, period).replace(microsecond=0) + _SECOND)
                while (wall := walls.at_or_after(low)) < end:
                    yield wall.replace(tzinfo=UTC) - period.offset
                    low = wall + _MINUTE
            shown = end if shown is None else max(shown, end)

    def _came_in_gap(self, walls: _Walls, shown: datetime, start: datetime) -> bool:
        """Tell whether a time came between the two that never was on the wall, and counts."""
        if self.dst != "cron" or self.expression.wildcard or shown >= start:
            return False
        return walls.at_or_after(shown) < start


class _Walls:
    """The wall times of an expression, for questions that mostly go forward."""

    def __init__(self, expression: Expression) -> None:
        self._expression = expression
        self._since = _NEVER  # from here up to what was found nothing matches
        self._found = _NEVER
        self._coming: Iterator[datetime] = iter(())

    def at_or_after(self, wall: datetime) -> datetime:
        """Return the first match that is not before a time."""
        if wall < self._since or wall - self._found > _DAY:
            self._since = wall
            self._coming = self._expression.walls(wall - _SECOND)
            self._found = next(self._coming, _NEVER)
        while self._found < wall:
            self._since = self._found + _SECOND
            self._found = next(self._coming, _NEVER)
        return self._found


def _wall(instant: datetime, period: Period) -> datetime:
    """Return what the clock on the wall shows at an instant."""
    return (instant + period.offset).replace(tzinfo=None)


def check_policy(dst: object) -> str:
    """Return a policy, or refuse it.

    Raises:
        ConfigError: If there is none of that name.
    """
    if not isinstance(dst, str):
        raise ConfigError(f"dst is {dst!r:.100}: give one of {', '.join(POLICIES)}")
    if dst not in POLICIES:
        raise UnknownOption("dst policy", dst[:100], POLICIES)
    return dst


@lru_cache(maxsize=4096)
def schedule_of(expression: str, timezone: str, dst: str) -> Schedule | None:
    """Return the schedule of what a row holds; None for ``@reboot``.

    Raises:
        ConfigError: If it can't be understood here.
    """
    parsed = Expression.parse(expression)
    load_zone(timezone)
    check_policy(dst)
    return None if parsed.reboot else Schedule(parsed, timezone, dst)
