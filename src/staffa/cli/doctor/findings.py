"""What the doctor says: findings, each with its level and a remedy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one look has found.

    Args:
        check: What was looked at.
        level: How bad it is.
        what: What was found.
        remedy: What to do; empty where there is nothing to do.
    """

    check: str
    level: Level
    what: str
    remedy: str = ""

    def describe(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "check": self.check,
            "level": self.level.value,
            "what": self.what,
            "remedy": self.remedy or None,
        }


def ok(check: str, what: str) -> Finding:
    """Return that nothing is wrong."""
    return Finding(check=check, level=Level.OK, what=what)


def warning(check: str, what: str, remedy: str) -> Finding:
    """Return what may become a problem."""
    return Finding(check=check, level=Level.WARNING, what=what, remedy=remedy)


def problem(check: str, what: str, remedy: str) -> Finding:
    """Return what is to be mended."""
    return Finding(check=check, level=Level.PROBLEM, what=what, remedy=remedy)
