"""Backpressure on counts that a test gives."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from staffa import Config, Job, MaxDepth
from staffa.client import depths as module
from staffa.client.depths import Depths
from staffa.engine import Written
from staffa.errors import ConfigError, QueueFull, UnknownOption
from staffa.queue import parse_max_depth, parse_queues
from staffa.types import State


class Time:
    """A clock that a test steps."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return self.seconds


class Counts:
    """Counts that a test sets, and how often they were asked for."""

    def __init__(self, **counts: int) -> None:
        self.counts = counts
        self.asked: list[dict[str, int]] = []
        self.first = asyncio.Event()

    async def __call__(self, limits: Mapping[str, int]) -> dict[str, int]:
        self.asked.append(dict(limits))
        self.first.set()
        return {queue: min(self.counts.get(queue, 0), most) for queue, most in limits.items()}


def jobs(queue: str = "mail", count: int = 1, **options: Any) -> list[Job]:
    return [Job(worker="w", queue=queue, **options) for _ in range(count)]


def make(time: Time | None = None, **limits: int | MaxDepth) -> Depths:
    return Depths(parse_max_depth(limits), time or Time())


async def test_a_full_queue_is_an_error_that_names_it_its_depth_and_its_limit() -> None:
    depths, counts = make(mail=5), Counts(mail=7)
    with pytest.raises(QueueFull, match="'mail' is full: 5 jobs wait, max_depth is 5") as caught:
        await depths.make_room(jobs(), counts, may_wait=True)
    assert (caught.value.queue, caught.value.depth, caught.value.limit) == ("mail", 5, 5)


async def test_queues_without_a_limit_and_jobs_for_later_cost_no_count() -> None:
    depths, counts = make(mail=5), Counts(mail=7)
    await depths.make_room(jobs("other"), counts, may_wait=True)
    await depths.make_room(jobs(scheduled_in=5), counts, may_wait=True)
    await make().make_room(jobs(), counts, may_wait=True)
    assert counts.asked == []


async def test_a_count_serves_for_a_second_and_no_longer() -> None:
    time = Time()
    depths, counts = make(time, mail=5), Counts(mail=4)
    await depths.make_room(jobs(), counts, may_wait=True)
    counts.counts["mail"] = 5
    time.seconds += 1.0
    await depths.make_room(jobs(), counts, may_wait=True)
    assert len(counts.asked) == 1
    time.seconds += 0.001
    with pytest.raises(QueueFull):
        await depths.make_room(jobs(), counts, may_wait=True)
    counts.counts["mail"] = 0
    with pytest.raises(QueueFull):
        await depths.make_room(jobs(), counts, may_wait=True)
    assert len(counts.asked) == 2


async def test_what_the_client_writes_is_added_and_a_full_queue_then_counted_anew() -> None:
    depths, counts = make(mail=5), Counts(mail=0)
    await depths.make_room(jobs(count=5), counts, may_wait=True)
    depths.note_woken(Written.of(jobs(count=5)).woken)
    await depths.make_room(jobs(), counts, may_wait=True)
    assert len(counts.asked) == 2
    depths.note_woken(Written.of(jobs(count=5)).woken)
    counts.counts["mail"] = 10
    with pytest.raises(QueueFull):
        await depths.make_room(jobs(), counts, may_wait=True)


async def test_jobs_that_do_not_wait_in_the_queue_are_not_added() -> None:
    depths, counts = make(mail=2), Counts(mail=0)
    await depths.make_room(jobs(), counts, may_wait=True)
    conflicts = [job.as_conflict() for job in jobs(count=5)]
    written = [*conflicts, *jobs(scheduled_in=5, count=5), *jobs("other", count=5)]
    depths.note_woken(Written.of(written).woken)
    await depths.make_room(jobs(), counts, may_wait=True)
    assert len(counts.asked) == 1


async def test_delay_waits_until_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_AGAIN_SECONDS", 0)
    time = Time()
    depths, counts = make(time, mail=MaxDepth(5, on_full="delay")), Counts(mail=5)
    waiting = asyncio.create_task(depths.make_room(jobs(), counts, may_wait=True))
    await counts.first.wait()
    assert not waiting.done()
    counts.counts["mail"] = 4
    time.seconds += 2
    await waiting


async def test_waiting_ends_when_it_is_cancelled() -> None:
    depths, counts = make(mail=MaxDepth(5, on_full="delay")), Counts(mail=5)
    waiting = asyncio.create_task(depths.make_room(jobs(), counts, may_wait=True))
    await counts.first.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_who_must_not_wait_gets_the_error_whatever_the_policy() -> None:
    depths, counts = make(mail=MaxDepth(5, on_full="delay")), Counts(mail=5)
    with pytest.raises(QueueFull):
        await depths.make_room(jobs(), counts, may_wait=False)


async def test_of_several_full_queues_one_that_raises_decides() -> None:
    depths = make(a=MaxDepth(1, on_full="delay"), b=1)
    with pytest.raises(QueueFull, match="'b'"):
        await depths.make_room([*jobs("a"), *jobs("b")], Counts(a=1, b=1), may_wait=True)


def test_depths_are_given_as_numbers_tables_or_objects() -> None:
    found = parse_max_depth({"a": 5, "b": {"limit": 6, "on_full": "delay"}, "c": MaxDepth(7)})
    assert found == {"a": MaxDepth(5), "b": MaxDepth(6, "delay"), "c": MaxDepth(7)}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (5, "mapping"),
        ({"mail": 0}, "whole number"),
        ({"mail": True}, "whole number"),
        ({"mail": 2**31}, "whole number"),
        ({"mail": "5"}, "whole number"),
        ({"": 5}, "no name"),
        ({"mail": {}}, "has no limit"),
        ({"mail": {"limit": 5, "on_full": "drop"}}, "'raise' or 'delay'"),
    ],
)
def test_a_bad_depth_is_refused(value: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Config(max_depth=value)


def test_an_unknown_option_of_a_depth_names_the_nearest() -> None:
    with pytest.raises(UnknownOption, match="did you mean 'on_full'"):
        parse_max_depth({"mail": {"limit": 5, "onfull": "delay"}})


def test_a_depth_that_is_given_to_a_queue_is_refused_with_where_it_belongs() -> None:
    with pytest.raises(ConfigError, match=r"write max_depth=\{'mail': 5\}"):
        parse_queues({"mail": {"limit": 1, "max_depth": 5}})


def test_the_variable_is_written_like_that_of_the_queues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAFFA_MAX_DEPTH", "mail:1000,default:5")
    assert Config.load().max_depth == {"mail": MaxDepth(1000), "default": MaxDepth(5)}


def test_a_job_wakes_its_queue_only_if_it_is_new_and_available() -> None:
    (made,) = jobs()
    assert made.state is State.AVAILABLE
    assert made.wakes_its_queue
    assert not made.as_conflict().wakes_its_queue
    assert not jobs(scheduled_in=5)[0].wakes_its_queue
