"""Finds waiting jobs of a partitioned queue that have no key, and gives them one.

They are jobs of other clients, and those that are older than the partition. No index holds them: it
would be one for all queues, limited or not. So the backlog is looked at page by page, a page a
claim, from the most urgent job on, again and again: in haste as long as such jobs are found, then
with rests in between. As a short backlog takes a page, each claim sees all of it. In a long one the
latest jobs of each priority are looked at as well, since what is inserted is there.
"""

from __future__ import annotations

from collections.abc import Sequence

from staffa.dialogues import Dialogue
from staffa.engines.limited.going import Going
from staffa.engines.statements.limited import Page, Ring

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
    if now >= sweep.get("rests_until", 0.0):
        yield from _look_at_page(going, ring, now)
    is_long = "after" in sweep or "rests_until" in sweep
    if is_long and now >= sweep.get("latest_at", 0.0):
        sweep["latest_at"] = now + _LATEST_SECONDS
        unsigned: Sequence[int] = yield going.statements.find_unsigned(ring, _LATEST)
        if unsigned:
            yield going.statements.sign(ring, unsigned)


def _look_at_page(going: Going, ring: Ring, now: float) -> Dialogue[None]:
    sweep = going.sweep
    hurried = sweep.get("hurried", True)
    limit = going.wanted * _HURRIED_PER_JOB if hurried else going.wanted
    limit = max(limit, _LEAST_PAGE if hurried or going.wanted > _LEAST_PAGE else _UNHURRIED_PAGE)
    page: Page = yield going.statements.sweep(ring, sweep.get("after"), limit)
    if page.unsigned:
        yield going.statements.sign(ring, page.unsigned)
        sweep["found"] = True
    seen = sweep.get("seen", 0) + page.seen
    if page.seen == limit:
        sweep.update(after=page.place, seen=seen)
        if hurried:
            going.go_on()
        return
    for name in ("after", "seen", "rests_until"):
        sweep.pop(name, None)
    sweep["hurried"] = sweep.pop("found", False)
    if seen > _SMALL_BACKLOG and not sweep["hurried"]:
        sweep["rests_until"] = now + min(seen * _REST, _LONGEST_REST)
