"""Cron: expressions, when they come round, and the entries that make jobs of them."""

from staffa.cron.entries import Cron
from staffa.cron.schedule import Dst

__all__ = ["Cron", "Dst"]
