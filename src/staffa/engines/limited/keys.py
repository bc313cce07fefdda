"""Finds waiting jobs of a partitioned queue that have no key, and gives them one.

They are jobs of other clients, and those that are older than the partition. No index holds them: it
would be one for all queues, limited or not. So the backlog is looked at page by page, a page a
claim, from the most urgent job on, again and again: in haste as long as such jobs are found, then
with rests in between. As a short backlog takes a page, each claim sees all of it. In a long one the
latest jobs of each priority are looked at as well, since what is inserted is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from staffa.dialogues import Dialogue
from staffa.engines.limited.going import Going
from staffa.engines.statements.limited import Page, Place, Ring

_LEAST_PAGE = 200
_UNHURRIED_PAGE = 1_000  # of a queue that waits: it claims once a second then
_HURRIED_PER_JOB = 4
_SMALL_BACKLOG = 1_000
_REST = 0.0001  # seconds for each row, which takes about a microsecond to look at
_LONGEST_REST = 30.0
_LATEST = 100
_LATEST_SECONDS = 0.5


def give_keys(going: Going, ring: Ring) -> Dialogue[None]:
    """Give keys to a page of the jobs that have none, and to the latest."""
    sweep, now = going.sweep, going.row.now.timestamp()
    if page_is_due(sweep, now):
        yield from _look_at_page(going, ring, now)
    if latest_are_due(sweep, now):
        sweep["latest_at"] = now + _LATEST_SECONDS
        unsigned: Sequence[int] = yield going.statements.find_unsigned(ring, _LATEST)
        if unsigned:
            yield going.statements.sign(ring, unsigned)


def _look_at_page(going: Going, ring: Ring, now: float) -> Dialogue[None]:
    sweep = going.sweep
    limit = page_size(sweep, going.wanted)
    page: Page = yield going.statements.sweep(ring, sweep.get("after"), limit)
    if page.unsigned:
        yield going.statements.sign(ring, page.unsigned)
        sweep["found"] = True
    if note_page(sweep, page.seen, page.place, limit, now):
        going.go_on()


def page_size(sweep: Mapping[str, Any], wanted: int) -> int:
    """Return how many jobs a page has, when so many jobs are claimed."""
    hurried = sweep.get("hurried", True)
    limit = wanted * _HURRIED_PER_JOB if hurried else wanted
    return max(limit, _LEAST_PAGE if hurried or wanted > _LEAST_PAGE else _UNHURRIED_PAGE)


def note_page(
    sweep: dict[str, Any], seen: int, place: Place | None, limit: int, now: float
) -> bool:
    """Note that a page was looked at, and tell whether the next one is wanted in haste.

    Args:
        sweep: Where it is noted.
        seen: How many jobs the page had.
        place: Where it has ended.
        limit: How many jobs it could have.
        now: The time, in seconds since 1970.
    """
    hurried = bool(sweep.get("hurried", True))
    total = sweep.get("seen", 0) + seen
    if seen == limit:
        sweep.update(after=place, seen=total)
        return hurried
    for name in ("after", "seen", "rests_until"):
        sweep.pop(name, None)
    sweep["hurried"] = sweep.pop("found", False)
    if total > _SMALL_BACKLOG and not sweep["hurried"]:
        sweep["rests_until"] = now + min(total * _REST, _LONGEST_REST)
    return False


def page_is_due(sweep: Mapping[str, Any], now: float) -> bool:
    """Tell whether a page is to be looked at."""
    return bool(now >= sweep.get("rests_until", 0.0))


def latest_are_due(sweep: Mapping[str, Any], now: float) -> bool:
    """Tell whether the latest jobs of a long backlog are to be looked at."""
    is_long = "after" in sweep or "rests_until" in sweep
    return is_long and now >= sweep.get("latest_at", 0.0)
