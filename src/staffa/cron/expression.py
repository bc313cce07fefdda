"""Cron expressions: five fields or a nickname, checked field by field.

A field is a number, a name (``JAN``, ``MON``), a range, a list, a step, or ``*``; the day of the
month may also be ``L`` (the last one) or ``LW`` (the last weekday), the day of the week ``5L`` (the
last Friday) or ``MON#2`` (the second Monday). If both days are restricted, one of them is enough;
if one of them begins with ``*``, both must match, as in Debian's cron.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from cronsim import CronSim, CronSimError

from staffa._internal.nearest import nearest
from staffa.errors import ConfigError

REBOOT = "@reboot"
NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

_MAX_CHARACTERS = 500
_FIELDS = {
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day-of-month": "1 to 31, L or LW",
    "month": "1 to 12 or JAN to DEC",
    "day-of-week": "0 to 7 or SUN to SAT, 5L or MON#2",
}
_SOME_TIME = datetime(2024, 1, 1)  # noqa: DTZ001  # walls have no zone


@dataclass(frozen=True, slots=True)
class Expression:
    """A cron expression that was checked.

    Args:
        text: As it was written, without needless spaces.
        fields: Its five fields; empty for ``@reboot``.
    """

    text: str
    fields: str

    @classmethod
    def parse(cls, text: object) -> Expression:
        """Return a checked expression.

        Raises:
            ConfigError: If it is none; names the field and the remedy.

        Example:
            >>> Expression.parse("@daily").fields
            '0 0 * * *'
            >>> Expression.parse("0 24 * * *")
            Traceback (most recent call last):
            staffa.errors.ConfigError: cron expression '0 24 * * *': hour '24' can't be used: give \
0 to 23, or *, a list 1,3, a range 1-3 from low to high, a step */2
        """
        if not isinstance(text, str):
            raise ConfigError(f"cron expression {text!r:.100} is no text: write '0 3 * * *'")
        if len(text) > _MAX_CHARACTERS:
            raise ConfigError(
                f"cron expression {text[:50]!r}... has {len(text)} characters: at most "
                f"{_MAX_CHARACTERS}"
            )
        text = " ".join(text.split())
        if text.startswith("@"):
            return cls(text.lower(), _nickname(text))
        _check(text)
        return cls(text, text)

    @property
    def reboot(self) -> bool:
        """Whether it means the start of the instance, no time of the clock."""
        return not self.fields

    @property
    def wildcard(self) -> bool:
        """Whether the minute or the hour begins with ``*``: such jobs follow real time."""
        return any(field.startswith("*") for field in self.fields.split()[:2])

    @property
    def words(self) -> str:
        """The expression in English.

        Example:
            >>> Expression.parse("30 6 * * MON-FRI").words
            'At 06:30 on Monday through Friday'
        """
        if self.reboot:
            return "When the first process starts"
        return CronSim(self.fields, _SOME_TIME).explain()

    def walls(self, after: datetime) -> Iterator[datetime]:
        """Yield the times that match, each later than one, all of them without a time zone."""
        return CronSim(self.fields, after)


def _nickname(text: str) -> str:
    name = text.lower()
    if name == REBOOT:
        return ""
    if name not in NICKNAMES:
        known = [*NICKNAMES, REBOOT]
        near = nearest(name, known)
        remedy = f"did you mean {near!r}?" if near else f"known are {', '.join(known)}"
        raise ConfigError(f"cron expression {text!r} is unknown: {remedy}")
    return NICKNAMES[name]


def _check(text: str) -> None:
    parts = text.split(" ")
    if len(parts) != len(_FIELDS):
        raise ConfigError(
            f"cron expression {text!r} has {len(parts) if text else 0} fields: write five, "
            f"{', '.join(_FIELDS)}, such as '30 3 * * MON-FRI'"
        )
    for index, (name, allowed) in enumerate(_FIELDS.items()):
        alone = ["*"] * len(_FIELDS)
        alone[index] = parts[index]
        if not _matches(" ".join(alone)):
            raise ConfigError(
                f"cron expression {text!r}: {name} {parts[index]!r} can't be used: give {allowed}, "
                "or *, a list 1,3, a range 1-3 from low to high, a step */2"
            )
    if not _matches(text):
        raise ConfigError(
            f"cron expression {text!r} never comes: no {parts[2]!r} (day-of-month) is in "
            f"{parts[3]!r} (month) and on {parts[4]!r} (day-of-week)"
        )


def _matches(fields: str) -> bool:
    try:
        return next(CronSim(fields, _SOME_TIME), None) is not None
    except CronSimError:
        return False
