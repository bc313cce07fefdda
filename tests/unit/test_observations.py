"""Who is dead: judged by this node's own successful reads alone."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffa import Config
from staffa.errors import ConfigError
from staffa.queues.watchman import Observations

A, B = UUID(int=1), UUID(int=2)


def observations() -> Observations:
    return Observations(interval=5.0, dead_after=20.0)


def test_a_heartbeat_that_stands_still_for_20_seconds_of_reads_is_dead() -> None:
    seen = observations()
    for at in (0, 5, 10, 15):
        assert seen.observe({A: 7, B: at}, at) == {}
    assert seen.observe({A: 7, B: 20}, 20) == {A: 7}


def test_any_change_begins_the_wait_anew_also_to_a_lower_count() -> None:
    seen = observations()
    for at in (0, 5, 10, 15):
        seen.observe({A: 7}, at)
    assert seen.observe({A: 1}, 20) == {}
    for at in (25, 30, 35):
        assert seen.observe({A: 1}, at) == {}
    assert seen.observe({A: 1}, 40) == {A: 1}


def test_a_producer_is_judged_from_the_first_time_that_it_is_seen() -> None:
    seen = observations()
    for at in (0, 5, 10, 15, 20):
        seen.observe({}, at)
    for at in (25, 30, 35, 40):
        assert seen.observe({A: 1}, at) == {}
    assert seen.observe({A: 1}, 45) == {A: 1}


def test_the_time_of_an_outage_does_not_count() -> None:
    seen = observations()
    for at in (0, 5, 10, 15):
        seen.observe({A: 7}, at)
    seen.interrupt()
    assert seen.observe({A: 7}, 3600) == {}
    assert seen.observe({A: 7}, 3605) == {A: 7}


def test_an_outage_does_not_excuse_what_was_seen_before_it() -> None:
    seen = observations()
    for at in (0, 5):
        seen.observe({A: 7}, at)
    for at in range(1000, 1060, 20):  # reads that fail again after each success
        seen.interrupt()
        assert seen.observe({A: 7}, at) == {}


def test_a_freeze_of_our_own_counts_as_two_reads_at_most() -> None:
    seen = observations()
    seen.observe({A: 7}, 0)
    assert seen.observe({A: 7}, 86_400) == {}
    assert seen.observe({A: 7}, 86_405) == {}
    assert seen.observe({A: 7}, 86_410) == {A: 7}


@pytest.mark.parametrize("heartbeat", [0.1, 10.0])
def test_one_freeze_of_our_own_kills_nobody_under_any_settings_allowed(heartbeat: float) -> None:
    try:
        config = Config(heartbeat=heartbeat, dead_after=2 * heartbeat)
    except ConfigError:  # refused: then there is nothing to fear
        return
    seen = Observations(config.heartbeat, config.dead_after)
    seen.observe({A: 7}, 0)
    seen.observe({A: 8}, heartbeat)
    assert seen.observe({A: 8}, 86_400) == {}


def test_slow_reads_do_not_make_anybody_look_dead_sooner() -> None:
    seen = observations()
    for at, dead in ((0, False), (8, False), (16, False), (24, True)):
        assert bool(seen.observe({A: 7}, at)) is dead


def test_the_dead_are_told_again_and_again_as_their_last_claims_may_commit_late() -> None:
    seen = observations()
    told = [at for at in range(0, 60, 5) if seen.observe({A: 7}, at)]
    assert told == [20, 30, 40, 50]


def test_a_zombie_that_comes_back_is_alive_and_may_die_again() -> None:
    seen = observations()
    for at in (0, 5, 10, 15, 20):
        dead = seen.observe({A: 7}, at)
    assert dead == {A: 7}
    assert seen.observe({A: 8}, 25) == {}
    told = [at for at in range(30, 60, 5) if seen.observe({A: 8}, at)]
    assert told == [45, 55]


def test_a_row_that_went_away_and_came_back_is_judged_anew() -> None:
    seen = observations()
    for at in (0, 5, 10, 15):
        seen.observe({A: 7}, at)
    seen.observe({}, 20)
    for at in (25, 30, 35, 40):
        assert seen.observe({A: 7}, at) == {}
    assert seen.observe({A: 7}, 45) == {A: 7}


@given(st.lists(st.tuples(st.floats(0.01, 5.0), st.booleans()), max_size=60))
def test_who_beats_before_each_read_is_never_dead_whatever_fails(
    reads: list[tuple[float, bool]],
) -> None:
    seen, at = observations(), 0.0
    for count, (gap, works) in enumerate(reads):
        at += gap
        if works:
            assert seen.observe({A: count}, at) == {}
        else:
            seen.interrupt()


@given(st.lists(st.tuples(st.floats(0.01, 86_400.0), st.booleans()), max_size=60))
def test_nobody_is_dead_before_20_seconds_of_successful_reads(
    reads: list[tuple[float, bool]],
) -> None:
    seen, at, counted, connected = observations(), 0.0, 0.0, False
    for gap, works in reads:
        at += gap
        if not works:
            seen.interrupt()
        else:
            counted += min(gap, 10.0) if connected else 0.0
            if seen.observe({A: 1}, at):
                assert counted >= 20.0 - 1e-6
        connected = works


def test_others_count_as_living_from_the_first_sight_until_they_are_dead_or_gone() -> None:
    seen = observations()
    assert seen.living == 0
    seen.observe({A: 7, B: 0}, 0)
    assert seen.living == 2
    for at in (5, 10, 15):
        seen.observe({A: 7, B: at}, at)
    assert seen.living == 2
    seen.observe({A: 7, B: 20}, 20)
    assert seen.living == 1
    seen.observe({A: 8, B: 25}, 25)
    assert seen.living == 2
    seen.observe({A: 9}, 30)
    assert seen.living == 1
