"""What is written for each way in which a run can end."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffa import Cancel, Discard, Snooze, State
from staffa._internal import json
from staffa.engine import Ack, Lease
from staffa.errors import UnknownWorker
from staffa.queues import outcomes
from staffa.queues.described import describe_error
from tests.unit.rows import CLAIMED_AT, claimed
from tests.unit.test_json import VALUES

DAY = 86_400.0
NOT_KNOWN = UnknownWorker("no worker 'myapp.send' is known here")
HOSTILE: list[Any] = [None, True, -5, 1.5, "7", [], {}, {"a": 1}]


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no text")


def patch_of(ack: Ack) -> dict[str, Any]:
    """Return what is merged into meta, by way of the text in which it is sent."""
    assert ack.meta is not None
    found = json.loads(json.dumps(dict(ack.meta)))
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("result", [None, 0, False, "text", Exception("returned"), [Cancel()]])
def test_anything_returned_completes_the_job(result: object) -> None:
    job = claimed(attempt=3)
    assert outcomes.of_result(job, result) == Ack(lease=Lease.of(job), state=State.COMPLETED)


@pytest.mark.parametrize(
    ("result", "state", "error"),
    [
        (Cancel("gone"), State.CANCELLED, "Cancel: gone"),
        (Cancel(), State.CANCELLED, "Cancel"),
        (Cancel({"a": 1}), State.CANCELLED, "Cancel: {'a': 1}"),
        (Discard("a\x00\ud800"), State.DISCARDED, "Discard: a\\x00\\ud800"),
        (Discard(0), State.DISCARDED, "Discard: 0"),
    ],
)
def test_a_reason_is_kept_as_the_error(result: object, state: State, error: str) -> None:
    ack = outcomes.of_result(claimed(), result)
    assert (ack.state, ack.error, ack.refund, ack.delay) == (state, error, False, None)


def test_a_long_reason_is_cut() -> None:
    ack = outcomes.of_result(claimed(), Cancel("x" * 1_000_000))
    assert ack.error is not None
    assert len(ack.error) <= 64 * 1024


def test_a_snooze_gives_the_attempt_back_and_is_counted() -> None:
    first = outcomes.of_result(claimed(), Snooze(timedelta(minutes=5)))
    assert (first.state, first.refund, first.delay) == (State.SCHEDULED, True, 300.0)
    assert patch_of(first) == {"snoozed": 1}
    assert patch_of(outcomes.of_result(claimed(meta={"snoozed": 4}), Snooze(1))) == {"snoozed": 5}


@pytest.mark.parametrize("noted", HOSTILE, ids=repr)
def test_a_count_of_snoozes_that_is_none_begins_anew(noted: object) -> None:
    ack = outcomes.of_result(claimed(meta={"snoozed": noted}), Snooze(1))
    assert patch_of(ack) == {"snoozed": 1}


@pytest.mark.parametrize("digits", [30, 4300])
def test_a_count_of_any_size_can_be_written_again(digits: int) -> None:
    nines = "9" * digits
    assert patch_of(outcomes.of_result(claimed(meta=f'{{"snoozed":{nines}}}'), Snooze(1)))
    stamp = CLAIMED_AT.isoformat()
    note = f'{{"count":{nines},"since":"{stamp}","last":"{stamp}"}}'
    job = claimed(meta=f'{{"unknown_worker":{note}}}')
    assert patch_of(outcomes.of_unknown_worker(job, NOT_KNOWN, DAY))


def test_an_error_is_a_failed_attempt_with_its_traceback_and_the_default_delay() -> None:
    with pytest.raises(ValueError) as caught:
        int("no number")
    ack = outcomes.of_error(claimed(attempt=4), caught.value, None)
    assert (ack.state, ack.refund) == (State.RETRYABLE, False)
    assert ack.delay is not None
    assert 31 <= ack.delay <= 34
    assert ack.error is not None
    assert "test_outcomes.py" in ack.error
    assert ack.error.endswith("'no number'")


def test_a_delay_of_the_workers_own_is_taken_also_if_it_is_zero() -> None:
    assert outcomes.of_error(claimed(), ValueError(), 0.0).delay == 0.0


@pytest.mark.parametrize(
    "error",
    [
        SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError(), StopIteration(5),
        ValueError("a\x00b\ud800"), ValueError(Unprintable()), ValueError("x" * 1_000_000),
        ExceptionGroup("several", [ValueError("a"), OSError("b")]), RecursionError(),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_whatever_is_raised_becomes_text_that_can_be_stored(error: BaseException) -> None:
    text = describe_error(error)
    assert type(error).__name__ in text or text.startswith("...")
    assert "\x00" not in text
    assert len(text.encode()) <= 64 * 1024 + 10


def test_the_frames_of_our_own_are_left_out_of_a_traceback() -> None:
    namespace: dict[str, Any] = {"__name__": "staffa.queues.made_up"}
    exec("def call(function):\n    return function()", namespace)

    def broken() -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError) as caught:
        namespace["call"](broken)
    frames = caught.value.__traceback__
    assert frames is not None
    text = describe_error(caught.value.with_traceback(frames.tb_next))
    assert "in broken" in text
    assert "in call" not in text


def test_a_job_that_can_not_be_decoded_is_discarded_with_the_reason() -> None:
    ack = outcomes.of_undecodable(claimed(), ValueError("JSON is nested too deep\x00"))
    assert ack.state is State.DISCARDED
    assert ack.error is not None
    assert "ValueError: JSON is nested too deep\\x00" in ack.error


def test_a_run_that_a_stopping_process_broke_off_leaves_no_trace() -> None:
    job = claimed(attempt=2)
    expected = Ack(lease=Lease.of(job), state=State.AVAILABLE, refund=True)
    assert outcomes.of_interruption(job) == expected


def test_a_job_of_an_unknown_worker_is_put_back_for_longer_and_longer_then_fails() -> None:
    meta: dict[str, Any] = {"mine": 1}
    now, delays = CLAIMED_AT, []
    for _ in range(1000):
        ack = outcomes.of_unknown_worker(claimed(meta=meta, attempted_at=now), NOT_KNOWN, DAY)
        if ack.state is State.RETRYABLE:
            break
        assert (ack.state, ack.refund, ack.error) == (State.SCHEDULED, True, None)
        assert ack.delay is not None
        delays.append(ack.delay)
        meta |= patch_of(ack)
        now += timedelta(seconds=ack.delay)
    assert delays[:6] == [30.0, 60.0, 120.0, 240.0, 480.0, 600.0]
    assert set(delays[6:]) == {600.0}
    assert DAY <= (now - CLAIMED_AT).total_seconds() < DAY + 600
    assert ack.refund is False
    assert ack.error is not None
    assert "no worker 'myapp.send'" in ack.error


def test_a_worker_that_was_known_in_between_begins_anew() -> None:
    first = patch_of(outcomes.of_unknown_worker(claimed(), NOT_KNOWN, DAY))
    later = CLAIMED_AT + timedelta(days=3)
    again = claimed(meta=first, attempted_at=later)
    ack = outcomes.of_unknown_worker(again, NOT_KNOWN, DAY)
    assert (ack.state, ack.delay) == (State.SCHEDULED, 30.0)
    assert patch_of(ack)["unknown_worker"]["since"] == later.isoformat()


@pytest.mark.parametrize("key", ["count", "since", "last"])
@pytest.mark.parametrize("noted", [*HOSTILE, "2026-01-01T00:00:00", "0001-01-01T00:00:00+14:00"])
def test_a_note_that_others_have_spoilt_harms_nothing(key: str, noted: object) -> None:
    stamp = CLAIMED_AT.isoformat()
    note = {"count": 2, "since": stamp, "last": stamp, key: noted}
    for spoilt in (note, noted):
        ack = outcomes.of_unknown_worker(claimed(meta={"unknown_worker": spoilt}), NOT_KNOWN, DAY)
        assert ack.delay is not None
        assert 15 <= ack.delay <= 600


@given(st.dictionaries(st.sampled_from(["snoozed", "unknown_worker", "staffa_timeout"]), VALUES))
def test_no_meta_that_the_table_can_hold_keeps_an_outcome_from_being_written(
    meta: dict[str, Any],
) -> None:
    assert patch_of(outcomes.of_result(claimed(meta=meta), Snooze(1)))
    ack = outcomes.of_unknown_worker(claimed(meta=meta), NOT_KNOWN, DAY)
    assert ack.meta is None or patch_of(ack)
