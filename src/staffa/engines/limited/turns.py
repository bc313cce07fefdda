"""Claims from partitions in turns: within a priority, each that may has one job before any has two.

The ring of partitions is walked from the one that was served last, as far as enough of them are
found that may have a job; those at their limit are passed by. Then each gets as many turns as it
takes to meet the demand, the first few one more. What one could not use goes to the others in
another lap. Whose next job finds too few tokens of the whole queue keeps its turn: it waits for
them, and those behind it with it, or else light jobs would keep a heavy one waiting for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import zip_longest
from operator import attrgetter

from staffa.dialogues import Dialogue
from staffa.engine import Statement
from staffa.engines.limited.going import Going, Whole, of_each
from staffa.engines.limited.keys import give_keys
from staffa.engines.statements.limited import Catch, Ring, Spending, Taken, Waiting, Walk
from staffa.limiting import LimitedClaim
from staffa.rates import Meter, to_micros

_LEAST_PRIORITY = -(2**31)
_LAPS = 8
_FREE_WALK = 500
_WALK_REST = 0.00002  # seconds for each partition, which takes about ten microseconds to pass by


@dataclass(slots=True)
class _Part:
    """A partition that waits, and how many jobs more it may have."""

    waiting: Waiting
    meter: Meter | None
    slots: int | None

    @property
    def room(self) -> int:
        """How many jobs may follow, if each takes one token; none if the next takes too many."""
        if self.slots is not None and self.slots <= 0:
            return 0
        if self.meter is None:
            return 2**31 - 1 if self.slots is None else self.slots
        if self.meter.available < self.waiting.weight:
            return 0
        return self.meter.available if self.slots is None else min(self.slots, self.meter.available)


@dataclass(slots=True)
class Turns:
    """A claim from the partitions of a queue.

    Args:
        going: The claim.
        ring: The queue's partitions.
    """

    going: Going
    ring: Ring
    strays: dict[str, int] = field(default_factory=dict)
    passed: int = 0
    bursting: bool = False
    blocked: bool = False

    def claim(self) -> Dialogue[LimitedClaim]:
        """Lease jobs."""
        going = self.going
        self.strays = yield from going.count_strays()
        yield from give_keys(going, self.ring)
        whole = yield from going.look(sum(self.strays.values()))
        now = whole.now.timestamp()
        if now < going.sweep.get("walk_at", 0.0):
            going.wait_for(going.sweep["walk_at"] - now)
            return (yield from going.finish(()))
        going.sweep.pop("walk_at", None)
        yield from self._go_round(whole)
        yield from self._burst(whole)
        if going.left > 0 and self.passed > _FREE_WALK:
            going.sweep["walk_at"] = now + self.passed * _WALK_REST
        return (yield from going.finish(one.job for one in going.taken))

    def _go_round(self, whole: Whole) -> Dialogue[None]:
        """Serve the priorities, the most urgent first."""
        least, laps = _LEAST_PRIORITY, 0
        while self.going.left > 0:
            if whole.room <= 0:
                yield from self._note_whole(whole)
                return
            if laps == _LAPS:
                self.going.go_on()
                return
            walk = yield from self._walk(least, whole)
            if walk.priority is None:
                return
            served = yield from self._serve(walk, whole)
            self.passed += len(walk.partitions)
            laps += 1
            if self.blocked:
                return
            if not served:
                least, laps = walk.priority + 1, 0

    def _walk(self, least: int, whole: Whole) -> Dialogue[Walk]:
        going = self.going
        limit = of_each(going.limits.global_limit)
        walk: Walk = yield going.statements.walk(
            self.ring,
            least,
            wanted=min(going.left, whole.room),
            cursors=going.cursors,
            slots=None if limit is None or self.bursting else limit.allowed,
            node=going.node,
            strays=self.strays,
            now=whole.now,
            weights=going.weights,
            chunked=going.chunked,
        )
        return walk

    def _serve(self, walk: Walk, whole: Whole) -> Dialogue[bool]:
        """Give the partitions of a walk their turns; tell whether another lap may find more."""
        going = self.going
        assert walk.priority is not None  # noqa: S101
        parts = [self._part(waiting, whole) for waiting in walk.partitions]
        yield from self._park([part for part in parts if part.room <= 0], whole)
        following = next((part for part in parts if part.room > 0), None)
        if following is not None and self._lacks_tokens(following, whole):
            return False
        quotas, last = share_turns(min(going.left, whole.room), [part.room for part in parts])
        asked = {
            part.waiting.key: (quota, None if part.meter is None else part.meter.available)
            for part, quota in zip(parts, quotas, strict=True)
            if quota
        }
        if not asked:
            return False
        catch: Catch = yield going.statements.take(
            self.ring,
            walk.priority,
            asked,
            tokens=None if whole.meter is None else whole.tokens,
            now=whole.now,
            producer=going.producer,
            weights=going.weights,
            chunked=going.chunked,
        )
        taken = in_turns(catch.taken, list(asked))
        yield from going.note_taken(whole, taken)
        yield from self._spend(parts, catch, whole)
        going.cursors[str(walk.priority)] = taken[-1].key if taken else parts[last].waiting.key
        return bool(catch.taken or catch.moved)

    def _lacks_tokens(self, part: _Part, whole: Whole) -> bool:
        """Tell whether the queue as a whole has too few for a partition's next job, and note it."""
        weight = part.waiting.weight
        if whole.meter is None or whole.meter.available >= weight:
            return False
        self.blocked = True
        self.going.wait_for(whole.meter.delay(weight))
        return True

    def _part(self, waiting: Waiting, whole: Whole) -> _Part:
        limits = self.going.limits
        limit, rate = of_each(limits.global_limit), of_each(limits.rate_limit)
        meter = None if rate is None else Meter.read(rate, waiting.meter, to_micros(whole.now))
        slots = None if limit is None or self.bursting else limit.allowed - waiting.running
        return _Part(waiting, meter, slots)

    def _park(self, parts: Sequence[_Part], whole: Whole) -> Dialogue[None]:
        """Have partitions without tokens for their next job passed by until these are back."""
        parked = []
        for part in parts:
            self.going.short = True
            if part.meter is None or part.meter.available >= part.waiting.weight:
                continue  # only the end of a job makes room
            delay = part.meter.delay(part.waiting.weight)
            self.going.wait_for(delay)
            if part.waiting.ready:
                free_at = whole.now + timedelta(seconds=delay)
                parked.append(Spending(part.waiting.key, part.meter.as_json(), free_at))
        if parked:
            yield self.going.statements.spend(self.going.queue, parked)

    def _spend(self, parts: Sequence[_Part], catch: Catch, whole: Whole) -> Dialogue[None]:
        """Write what the partitions have spent."""
        weights: dict[str, int] = {}
        for one in catch.taken:
            weights[one.key] = weights.get(one.key, 0) + one.weight
        spendings = []
        for part in parts:
            spent = weights.get(part.waiting.key, 0)
            if part.meter is None or not spent:
                continue
            meter = part.meter.spend(spent)
            free_at = None
            if meter.available <= 0:
                free_at = whole.now + timedelta(seconds=meter.delay(1))
            spendings.append(Spending(part.waiting.key, meter.as_json(), free_at))
        if spendings:
            yield self.going.statements.spend(self.going.queue, spendings)

    def _burst(self, whole: Whole) -> Dialogue[None]:
        """Let the only partition that waits have more than its own, if it may."""
        limit = self.going.limits.global_limit
        if limit is None or not limit.burst or self.blocked:
            return
        if self.going.left <= 0 or whole.room <= 0:
            return
        waiting: list[str] = yield self._find_waiting(2)
        if len(waiting) == 1:
            self.bursting, self.going.short = True, False
            yield from self._go_round(whole)

    def _find_waiting(self, limit: int) -> Statement[list[str]]:
        return self.going.statements.find_waiting(self.ring, limit, self.going.chunked)

    def _note_whole(self, whole: Whole) -> Dialogue[None]:
        """Note when the queue as a whole may go on, if jobs wait and its tokens are what lacks."""
        waiting: list[str] = yield self._find_waiting(1)
        self.going.short = bool(waiting)
        if waiting and whole.slots > 0 and whole.meter is not None:
            self.going.wait_for(whole.meter.delay(1))


def in_turns(taken: Sequence[Taken], keys: Sequence[str]) -> list[Taken]:
    """Return jobs in the order of turns: the first of each partition, then the second of each."""
    lines: dict[str, list[Taken]] = {key: [] for key in keys}
    for one in sorted(taken, key=attrgetter("urgency")):
        lines[one.key].append(one)
    turns = zip_longest(*lines.values())
    return [one for turn in turns for one in turn if one is not None]


def share_turns(wanted: int, rooms: Sequence[int]) -> tuple[list[int], int]:
    """Return how many jobs each gets that are served in turns, and who has the last turn.

    Args:
        wanted: How many jobs there are to give.
        rooms: How many each can have, in the order of turns.

    Example:
        >>> share_turns(4, [9, 9, 9])
        ([2, 1, 1], 0)
        >>> share_turns(9, [1, 0, 3])
        ([1, 0, 3], 2)
    """
    quotas = [0] * len(rooms)
    open_places = [place for place, room in enumerate(rooms) if room > 0]
    last = -1
    while wanted > 0 and open_places:
        turns = min(wanted // len(open_places), *(rooms[p] - quotas[p] for p in open_places))
        if turns == 0:
            for place in open_places[:wanted]:
                quotas[place] += 1
                last = place
            break
        for place in open_places:
            quotas[place] += turns
        last = open_places[-1]
        wanted -= turns * len(open_places)
        open_places = [place for place in open_places if quotas[place] < rooms[place]]
    return quotas, last
