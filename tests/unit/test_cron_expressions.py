"""Expressions: what they mean, what is refused, and how the refusal helps."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staffa.cron.expression import NICKNAMES, Expression
from staffa.cron.schedule import Schedule, schedule_of
from staffa.cron.zones import load_zone
from staffa.errors import ConfigError

START = datetime(2026, 1, 1, 0, 0, tzinfo=UTC)  # a Thursday


def first(expression: str, count: int = 3, timezone: str = "UTC") -> list[str]:
    schedule = Schedule(Expression.parse(expression), timezone)
    return [f"{tick:%m-%d %H:%M}" for tick in itertools.islice(schedule.ticks(START), count)]


@pytest.mark.parametrize(
    ("expression", "ticks"),
    [
        ("* * * * *", ["01-01 00:01", "01-01 00:02", "01-01 00:03"]),
        ("*/20 * * * *", ["01-01 00:20", "01-01 00:40", "01-01 01:00"]),
        ("5/20 * * * *", ["01-01 00:05", "01-01 00:25", "01-01 00:45"]),
        ("10-30/10 6 * * *", ["01-01 06:10", "01-01 06:20", "01-01 06:30"]),
        ("0 1,13 * * *", ["01-01 01:00", "01-01 13:00", "01-02 01:00"]),
        ("0 0 * * 0", ["01-04 00:00", "01-11 00:00", "01-18 00:00"]),
        ("0 0 * * 7", ["01-04 00:00", "01-11 00:00", "01-18 00:00"]),
        ("0 0 * * MON-WED", ["01-05 00:00", "01-06 00:00", "01-07 00:00"]),
        ("0 0 * * mon,Fri", ["01-02 00:00", "01-05 00:00", "01-09 00:00"]),
        ("0 0 1 FEB-APR *", ["02-01 00:00", "03-01 00:00", "04-01 00:00"]),
        ("0 0 1 jun *", ["06-01 00:00", "06-01 00:00", "06-01 00:00"]),
        ("0 0 13 * FRI", ["01-02 00:00", "01-09 00:00", "01-13 00:00"]),
        ("0 0 L * *", ["01-31 00:00", "02-28 00:00", "03-31 00:00"]),
        ("0 0 LW * *", ["01-30 00:00", "02-27 00:00", "03-31 00:00"]),
        ("0 0 * * 5L", ["01-30 00:00", "02-27 00:00", "03-27 00:00"]),
        ("0 0 * * MON#2", ["01-12 00:00", "02-09 00:00", "03-09 00:00"]),
        ("@hourly", ["01-01 01:00", "01-01 02:00", "01-01 03:00"]),
        ("@daily", ["01-02 00:00", "01-03 00:00", "01-04 00:00"]),
        ("@MIDNIGHT", ["01-02 00:00", "01-03 00:00", "01-04 00:00"]),
        ("@weekly", ["01-04 00:00", "01-11 00:00", "01-18 00:00"]),
        ("@monthly", ["02-01 00:00", "03-01 00:00", "04-01 00:00"]),
        ("@yearly", ["01-01 00:00", "01-01 00:00", "01-01 00:00"]),
        ("@annually", ["01-01 00:00", "01-01 00:00", "01-01 00:00"]),
    ],
)
def test_an_expression_comes_round_when_it_says(expression: str, ticks: list[str]) -> None:
    assert first(expression) == ticks


def test_both_days_must_match_if_one_of_them_begins_with_a_star() -> None:
    schedule = Schedule(Expression.parse("0 0 */10 * THU"))
    for tick in itertools.islice(schedule.ticks(START), 20):
        assert (tick.day - 1) % 10 == 0
        assert tick.weekday() == 3


def test_a_time_zone_moves_the_ticks() -> None:
    assert first("0 3 * * *", 1, "Asia/Kathmandu") == ["01-01 21:15"]
    assert first("0 3 * * *", 1, "America/New_York") == ["01-01 08:00"]


def test_nothing_is_found_twice_or_at_the_instant_itself() -> None:
    schedule = Schedule(Expression.parse("0 12 * * *"))
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    second = timedelta(seconds=1)
    assert schedule.next_tick(noon - timedelta(microseconds=1)) == noon
    assert schedule.next_tick(noon) == noon + timedelta(days=1)
    assert schedule.between(noon - second, noon) == [noon]
    assert schedule.between(noon, noon + second) == []


def test_what_comes_once_in_decades_is_found_and_what_never_comes_ends() -> None:
    leap_sunday = Schedule(Expression.parse("0 0 29 2 */7"))
    assert leap_sunday.next_tick(START) == datetime(2032, 2, 29, tzinfo=UTC)
    in_the_gap = Schedule(Expression.parse("30 2 * 3 7L"), "Europe/Berlin", "skip")
    assert in_the_gap.next_tick(START) is None
    assert in_the_gap.between(START, START + timedelta(days=365)) == []


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("60 * * * *", ["minute '60'", "0 to 59"]),
        ("* 24 * * *", ["hour '24'", "0 to 23"]),
        ("* * 0 * *", ["day-of-month '0'", "1 to 31"]),
        ("* * 32 * *", ["day-of-month '32'"]),
        ("* * * 13 *", ["month '13'", "JAN to DEC"]),
        ("* * * Foo *", ["month 'Foo'"]),
        ("* * * * 8", ["day-of-week '8'", "SUN to SAT"]),
        ("* * * * FRI-SUN", ["day-of-week 'FRI-SUN'", "from low to high"]),
        ("0 22-2 * * *", ["hour '22-2'", "from low to high"]),
        ("*/0 * * * *", ["minute '*/0'"]),
        ("1-2-3 * * * *", ["minute '1-2-3'"]),
        (", * * * *", ["minute ','"]),
        ("-5 * * * *", ["minute '-5'"]),
        ("1.5 * * * *", ["minute '1.5'"]),
        ("٣ * * * *", ["minute '٣'"]),
        ("? * * * *", ["minute '?'"]),
        ("\x00 * * * *", ["minute"]),
        ("0 0 30 2 *", ["never comes", "'30' (day-of-month)", "'2' (month)"]),
        ("0 0 31 4,6 *", ["never comes"]),
        ("0 0 */31 2 MON#5", ["never comes"]),
        ("* * * *", ["has 4 fields", "write five"]),
        ("0 * * * * *", ["has 6 fields"]),
        ("", ["has 0 fields"]),
        ("   ", ["has 0 fields"]),
        ("@dayly", ["'@dayly' is unknown", "did you mean '@daily'"]),
        ("@", ["'@' is unknown", "@reboot"]),
        ("@daily 5", ["is unknown"]),
        ("0," * 1000 + "0 * * * *", ["2009 characters", "at most 500"]),
        (5, ["5 is no text"]),
        (None, ["None is no text"]),
    ],
    ids=lambda value: str(value)[:20] if not isinstance(value, list) else "",
)
def test_a_refusal_names_the_field_and_the_remedy(expression: object, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        Expression.parse(expression)
    for word in words:
        assert word in str(caught.value)
    assert len(str(caught.value)) < 700


def test_an_expression_is_kept_as_it_was_written_without_needless_spaces() -> None:
    assert Expression.parse("  0   3 * * MON-FRI ").text == "0 3 * * MON-FRI"
    assert Expression.parse("@Daily").text == "@daily"
    assert Expression.parse("@Daily").fields == NICKNAMES["@daily"]
    reboot = Expression.parse("@reboot")
    assert (reboot.text, reboot.reboot) == ("@reboot", True)


@pytest.mark.parametrize(
    ("expression", "wildcard"),
    [("* 3 * * *", True), ("5 */2 * * *", True), ("5 3 * * *", False), ("0-59 0 * * *", False)],
)
def test_a_star_at_the_beginning_of_minute_or_hour_is_a_wildcard(
    expression: str, wildcard: bool
) -> None:
    assert Expression.parse(expression).wildcard is wildcard


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("Europe/Berlim", "'Europe/Berlin'"), ("europe/paris", "'Europe/Paris'"),
        ("Europe", "did you mean|write one"), ("", "write one"), ("../etc/passwd", "unknown"),
        ("/etc/localtime", "unknown"), ("a\x00b", "unknown"), ("x" * 5000, "write one"),
        (5, "unknown"), (None, "unknown"), ("UTC+2", "unknown"),
    ],
)  # fmt: skip
def test_an_unknown_time_zone_names_a_near_one(name: object, remedy: str) -> None:
    with pytest.raises(ConfigError, match=remedy) as caught:
        load_zone(name)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("dst", ["corn", "", None, 5, "Skip"])
def test_an_unknown_policy_is_refused(dst: object) -> None:
    with pytest.raises(ConfigError, match="dst"):
        Schedule(Expression.parse("@daily"), "UTC", dst)  # type: ignore[arg-type]  # what users may pass


def test_a_row_that_makes_no_sense_here_is_refused() -> None:
    assert schedule_of("@reboot", "UTC", "cron") is None
    for row in (("61 * * * *", "UTC", "cron"), ("@daily", "No/Where", "cron")):
        with pytest.raises(ConfigError):
            schedule_of(*row)


ITEM = st.integers(0, 70).map(str) | st.sampled_from(["*", "MON", "JAN", "L", "LW", "5L", "MON#2"])
PART = st.builds(
    "{}{}{}".format, ITEM, st.sampled_from(["", "-", "/", ",", "#"]), ITEM | st.just("")
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PART, min_size=5, max_size=5).map(" ".join) | st.text(max_size=30))
def test_any_text_is_an_expression_or_a_clear_error(text: str) -> None:
    try:
        expression = Expression.parse(text)
    except ConfigError:
        return
    if expression.reboot:
        return
    tick = Schedule(expression).next_tick(START)
    assert tick is not None
    assert tick > START
    assert (tick.second, tick.microsecond) == (0, 0)


@pytest.mark.parametrize(
    ("expression", "dst", "march", "october"),
    [  # in UTC; summer time is two hours ahead, winter time one
        ("30 2 * * *", "cron", ["01:00"], ["00:30"]),
        ("30 2 * * *", "skip", [], ["00:30"]),
        ("30 2 * * *", "all", [], ["00:30", "01:30"]),
        ("*/30 2 * * *", "cron", [], ["00:00", "00:30", "01:00", "01:30"]),
    ],
)
def test_the_examples_of_the_documentation_in_berlin_are_true(
    expression: str, dst: str, march: list[str], october: list[str]
) -> None:
    schedule = Schedule(Expression.parse(expression), "Europe/Berlin", dst)
    for day, ticks in (((2026, 3, 29), march), ((2026, 10, 25), october)):
        noon = datetime(*day, 12, tzinfo=UTC)
        found = schedule.between(noon - timedelta(hours=13), noon)
        assert [f"{tick:%H:%M}" for tick in found] == ticks
