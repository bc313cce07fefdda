"""Each oracle refuses the history that it is there for, and accepts one in which all went well."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.chaos.forging import Forgery
from tests.chaos.history import Lease
from tests.chaos.limited_oracles import AtOnce, InATime
from tests.chaos.oracles import (
    GENERAL,
    AbandonedLeases,
    CronTicks,
    Oracle,
    SilentProducers,
    forgotten_checkpoints,
    judge,
)

_TICK, _NEXT = "2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"
NEVER_GIVEN = Lease(1, 7, datetime(2026, 1, 1, tzinfo=UTC), "p")
AT_ONCE, FOR_EACH = AtOnce("w", 2), AtOnce("w", 1, "tenant")
CRON = CronTicks("minutely", frozenset({_TICK}))


def eventful() -> Forgery:
    """A run in which much went wrong, and nothing that must not."""
    run = Forgery().insert(1, token="a").note("committed", ids=[1], tokens=["a"])
    run.claim().mark("begun", checkpoint=0).mark("stored", checkpoint=3)
    run.beat("p").note("died", node="n").wait(30)
    run.end("available", given_back=1, rescued=1)
    run.claim(producer="q").mark("begun", checkpoint=3).mark("failing").end("retryable")
    run.end("available").claim(producer="q").mark("begun").mark("snoozing")
    run.end("scheduled", given_back=1).end("available").claim(producer="q")
    run.end("available", given_back=1).claim(producer="q").mark("begun").mark("completing")
    run.end("completed").retry().claim(producer="q").mark("begun")
    run.note("cancelling", job=1).end("cancelled")
    run.completed(2, token="b", beside=True).effect("b")
    run.completed(3, key="k").completed(4, key="k")
    run.insert(5, token="c").claim(5).mark("begun", 5).note("child killed", node="n")
    run.end("retryable", 5).end("available", 5).claim(5).mark("discarding", 5).end("discarded", 5)
    run.insert(6, meta={"cron_name": "minutely", "cron_time": _TICK}).claim(6)
    return run.mark("cancelling", 6).end("cancelled", 6)


FORGED: dict[str, list[Forgery]] = {
    "lost": [
        Forgery().note("committed", ids=[1]),
        Forgery().insert().note("committed", ids=[1]).delete(),
    ],
    "doubled": [Forgery().insert(1, token="a").insert(2, token="a")],
    "torn": [Forgery().insert(1, token="a", beside=True), Forgery().effect("a")],
    "stuck": [
        Forgery().insert(),
        Forgery().insert().claim(),
        Forgery().insert().claim().end("retryable"),
    ],
    "overlapping leases": [
        Forgery().insert().claim().claim(),
        Forgery().insert().claim().claim(used=0),
        Forgery().insert().claim().mark("begun").mark("begun"),
    ],
    "runs without lease": [
        Forgery().insert().claim().mark("begun", lease=NEVER_GIVEN),
        Forgery().mark("begun", lease=NEVER_GIVEN).insert().claim(),
    ],
    "too many runs": [
        Forgery().insert().claim().mark("begun").mark("begun", lease=NEVER_GIVEN),
        Forgery().insert().claim().claim(producer="q"),
    ],
    "unknown changes": [
        Forgery().completed().change(state="executing"),
        Forgery().insert().claim().end("cancelled").end("completed"),
        Forgery().insert().end("completed"),
        Forgery().insert().claim().claim(producer="q"),
    ],
    "unfenced": [
        Forgery().insert().claim().mark("begun").end("completed"),
        Forgery().insert().claim().mark("begun").mark("failing").end("completed"),
        Forgery().insert().claim().mark("begun").mark("completing").end("scheduled"),
    ],
    "unexplained ends": [
        Forgery().insert().claim().mark("begun").end("cancelled"),
        Forgery().insert().note("cancelling", job=2).end("cancelled"),
        Forgery().insert().claim().mark("begun").mark("failing").end("discarded"),
    ],
    "unexplained failures": [
        Forgery().insert().claim().mark("begun").end("retryable"),
        Forgery().insert().claim().mark("begun").mark("completing").end("retryable"),
    ],
    "used attempts": [
        Forgery().insert().claim().end("available"),
        Forgery().insert().claim().end("available", rescued=1),
        Forgery().insert().claim().end("scheduled"),
        Forgery().insert().claim().end("retryable", given_back=1),
        Forgery().insert().claim(used=0),
        Forgery().insert().claim(used=2),
    ],
    "forgotten checkpoints": [
        Forgery()
        .insert()
        .claim()
        .mark("stored", checkpoint=2)
        .end("available", given_back=1)
        .claim()
        .mark("begun", checkpoint=1),
    ],
    "unique keys": [
        Forgery().insert(1, key="k").insert(2, key="k"),
        Forgery().completed(1, key="k").insert(2, key="k").insert(3, key="k"),
    ],
    "capped rescues": [Forgery().insert().claim().end("available", given_back=1, rescued=4)],
    "silent producers": [
        Forgery().insert().claim().wait(60).beat().wait(10).end("available", rescued=1),
    ],
    "abandoned leases": [
        Forgery().insert().beat().claim().note("died", node="n").wait(60).end("available"),
        Forgery()
        .beat()
        .insert(2)
        .insert()
        .claim()
        .note("died", node="n")
        .wait(60)
        .end("cancelled", 2),
    ],
    "at once": [Forgery().insert().insert(2).insert(3).claim().claim(2).claim(3)],
    "at once for each": [
        Forgery().insert(1, tenant="a").insert(2, tenant="a").claim().claim(2),
        Forgery()
        .insert(1, tenant="a")
        .insert(2, tenant="b")
        .insert(3, tenant="a")
        .claim()
        .claim(2)
        .end("completed", 2)
        .claim(3),
    ],
    "in a time": [
        Forgery().insert().insert(2).insert(3).claim().claim(2).claim(3),
        Forgery().insert().insert(2).claim().end("available").claim().claim(2),
    ],
    "cron": [
        Forgery(),
        Forgery()
        .insert(1, meta={"cron_name": "minutely", "cron_time": _TICK})
        .insert(2, meta={"cron_name": "minutely", "cron_time": _TICK}),
        Forgery()
        .insert(1, meta={"cron_name": "minutely", "cron_time": _TICK})
        .insert(2, meta={"cron_name": "minutely", "cron_time": _NEXT}),
    ],
}
ORACLES: dict[str, Oracle] = {
    **GENERAL,
    "silent producers": SilentProducers(20),
    "abandoned leases": AbandonedLeases(40),
    "cron": CRON,
    "at once": AT_ONCE,
    "at once for each": FOR_EACH,
    "in a time": InATime("w", 2, 6),
}


def test_a_run_in_which_nothing_was_lost_is_accepted_by_all_oracles() -> None:
    found = judge(eventful().history(), ORACLES)
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    ("name", "forged"), [(name, forged) for name, all_of in FORGED.items() for forged in all_of]
)
def test_an_oracle_refuses_the_history_that_it_is_there_for(name: str, forged: Forgery) -> None:
    assert ORACLES[name](forged.history())


def test_every_oracle_has_a_history_that_it_refuses() -> None:
    assert [name for name in ORACLES if not FORGED.get(name)] == []


def test_slots_that_are_free_again_and_windows_that_are_over_count_no_more() -> None:
    run = Forgery()
    for job, tenant in ((1, "a"), (2, "b"), (3, "a")):
        run.completed(job, tenant=tenant).wait(60)
    assert FOR_EACH(run.history()) == AT_ONCE(run.history()) == []
    assert InATime("w", 1, 60)(run.history()) == []
    moved = Forgery().insert(1, tenant="a").insert(2, tenant="a").claim().end("available")
    assert FOR_EACH(moved.claim(2).end("completed", 2).claim().history()) == []


def test_time_in_which_the_database_was_away_does_not_count_against_a_rescue() -> None:
    run = Forgery().insert().beat().claim().note("died", node="n").wait(60)
    run.note("outage", seconds=50.0).end("available")
    assert AbandonedLeases(40)(run.history()) == []


def test_a_run_that_begins_late_may_find_less_than_was_stored_since_its_claim() -> None:
    run = Forgery().insert().claim()
    frozen = run.lease()
    run.end("available", given_back=1, rescued=1).claim(producer="q").mark("stored", checkpoint=1)
    run.mark("begun", lease=frozen, checkpoint=0)
    assert forgotten_checkpoints(run.history()) == []
