"""Recorded results: what is written for them, and that nothing repeats finished work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from staffa import Cancel, Job, Record, Recorded, Snooze, State, erlang, job, registry, worker
from staffa.engine import Ack, Lease
from staffa.errors import InvalidJob, ResultUnavailable
from staffa.queues import outcomes
from staffa.queues.acker import _LARGEST_BUNDLE_CHARACTERS, LARGEST_BUNDLE, _split
from staffa.queues.outcomes import Ended, Outcome
from staffa.recorded import recorded_result
from tests.unit.rows import claimed, row


@dataclass
class Receipt:
    id: UUID
    day: date


RECEIPT = Receipt(UUID(int=5), date(2026, 1, 2))
PLAIN = {"id": str(UUID(int=5)), "day": "2026-01-02"}


def outcome_of(function: Callable[..., Any], result: Any, **columns: Any) -> Any:
    definition = registry.resolve(f"{__name__}.{function.__qualname__}")
    return outcomes.of_result(claimed(**columns), result, definition)


@job
def plain() -> Any: ...


@job(recorded=True)
def recorded() -> Any: ...


@job(recorded=Recorded(limit=100))
def limited() -> Any: ...


@job(recorded=True)
def receipt() -> Receipt | Cancel | None: ...


@worker(recorded=True)
class Clerk:
    async def process(self, job: Job) -> Receipt:
        return RECEIPT


def test_a_record_is_kept_whatever_the_options_say() -> None:
    ack = outcome_of(plain, Record({"total": 3}))
    assert (ack.state, ack.error) == (State.COMPLETED, None)
    assert ack.meta == {"recorded": True, "return": erlang.dump({"total": 3})}


def test_nothing_is_kept_unless_asked() -> None:
    assert outcome_of(plain, {"total": 3}).meta is None


@pytest.mark.parametrize("value", [None, 0, "a", [1, (2,)], {"a": b"\xff"}, Record(5)])
def test_the_worker_the_job_or_its_row_may_ask(value: Any) -> None:
    inner = value.value if isinstance(value, Record) else value
    expected = {"recorded": True, "return": erlang.dump(inner)}
    assert outcome_of(recorded, value).meta == expected
    assert outcome_of(plain, value, meta={"recorded": True}).meta == expected
    assert outcomes.of_result(claimed(meta={"recorded": True}), value).meta == expected


def test_other_outcomes_go_before() -> None:
    assert outcome_of(recorded, Cancel("gone")).state is State.CANCELLED
    assert "return" not in outcome_of(recorded, Snooze(1)).meta


def test_a_result_of_the_annotated_type_is_made_plain() -> None:
    for function in (receipt, Clerk):
        assert erlang.load(outcome_of(function, RECEIPT).meta["return"]) == PLAIN
        assert erlang.load(outcome_of(function, Record(RECEIPT)).meta["return"]) == PLAIN
    assert erlang.load(outcome_of(receipt, None).meta["return"]) is None


def test_a_result_of_another_type_is_kept_as_it_is() -> None:
    assert erlang.load(outcome_of(receipt, [1, 2]).meta["return"]) == [1, 2]


class Hostile(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (object(), "a object is no plain data"),
        (RECEIPT, "a Receipt is no plain data"),
        (float("nan"), "no number"),
        (Hostile(), "RuntimeError"),
    ],
    ids=["object", "model", "nan", "hostile"],
)
def test_a_value_that_can_not_be_kept_is_dropped_and_the_job_completes(
    value: Any, reason: str
) -> None:
    ack = outcome_of(recorded, value)
    assert ack.state is State.COMPLETED
    assert ack.meta == {"recorded": True}
    assert ack.error.startswith("the result was dropped, it could not be recorded: ")
    assert reason in ack.error


def test_a_result_over_the_limit_is_dropped() -> None:
    assert outcome_of(limited, "x" * 90).error is None
    ack = outcome_of(limited, "x" * 100)
    assert (ack.state, ack.meta) == (State.COMPLETED, {"recorded": True})
    assert "more than 100 bytes" in ack.error


def test_the_limit_of_the_job_goes_before_that_of_the_worker() -> None:
    made = limited.options(recorded=Recorded(limit=1000)).new()
    assert made.meta == {"recorded": True, "staffa_record_limit": 1000}
    assert outcome_of(limited, "x" * 500, meta=made.meta).error is None


@pytest.mark.parametrize("limit", [None, -1, 0, "5", True, 1e9, 2**40])
def test_a_limit_of_a_row_that_is_none_counts_as_the_default(limit: Any) -> None:
    meta = {"recorded": True, "staffa_record_limit": limit}
    assert outcome_of(plain, "x" * 500, meta=meta).error is None


def test_a_result_that_is_dropped_leaves_no_older_one_behind() -> None:
    ack = outcome_of(recorded, object(), meta={"recorded": True, "return": erlang.dump(1)})
    assert ack.meta == {"recorded": True, "return": None}


def test_the_option_is_written_into_meta_so_that_other_programs_see_it() -> None:
    assert recorded.new().meta == {"recorded": True}
    assert recorded.options(recorded=False).new().meta == {}
    assert recorded.options(meta={"a": 1}, timeout=5).new().meta == {
        "a": 1, "recorded": True, "staffa_timeout": 5.0,
    }  # fmt: skip


@pytest.mark.parametrize("option", [5, "yes", {"limit": 5}, None])
def test_an_option_that_is_none_is_refused(option: Any) -> None:
    with pytest.raises(InvalidJob, match="give True, or Recorded"):
        recorded.options(recorded=option).new()


@pytest.mark.parametrize("limit", [0, -1, 2**40, True, 1.5, "5"])
def test_a_limit_that_is_none_is_refused(limit: Any) -> None:
    with pytest.raises(InvalidJob, match="limit"):
        Recorded(limit=limit)


def stored(state: str, errors: str | None = None, **meta: Any) -> Job:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    times = {"completed_at": at, "cancelled_at": None, "discarded_at": None, "attempted_by": None}
    return Job.from_row(row(meta=meta, errors=errors, state=state, queue="default", **times))


def test_a_result_is_read_with_and_without_padding() -> None:
    text = erlang.dump({"a": 1})
    for padded in (text, text + "=" * (-len(text) % 4)):
        assert recorded_result(stored("completed", recorded=True, **{"return": padded})) == {"a": 1}


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (stored("executing", recorded=True), "is executing: it has a result once"),
        (stored("retryable", recorded=True), "is retryable: it has a result once"),
        (stored("available", recorded=True, **{"return": "g2EB"}), "is available"),
        (stored("cancelled", recorded=True), "was cancelled: it has no result"),
        (stored("discarded", recorded=True), "was discarded: it has no result"),
        (stored("completed"), "did not record its result: give myapp.send recorded=True"),
        (stored("completed", recorded="yes"), "did not record"),
        (stored("completed", '[{"error": "the result was dropped: x"}]', recorded=True), "dropped"),
        (stored("completed", recorded=True), "nothing was recorded"),
        (stored("completed", "[5]", recorded=True, **{"return": 5}), "nothing was recorded"),
        (stored("completed", recorded=True, **{"return": "%"}), "can't be read: .* no base64"),
        (stored("completed", recorded=True, **{"return": "g1hk"}), "can't be read: .* tag 88"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_without_a_result_it_says_why(found: Job, reason: str) -> None:
    with pytest.raises(ResultUnavailable, match=reason):
        recorded_result(found)


def test_large_results_go_in_bundles_that_the_database_takes() -> None:
    large = "x" * (_LARGEST_BUNDLE_CHARACTERS // 2)
    pending: list[Ended] = [
        Outcome(
            claimed(id=number),
            Ack(
                lease=Lease.of(claimed(id=number)),
                state=State.COMPLETED,
                meta={"return": large + "y"},
            ),
            0.0,
        )
        for number in range(1, 4)
    ]
    sizes = []
    while pending:
        bundle, pending = _split(pending, LARGEST_BUNDLE)
        sizes.append(len(bundle))
    assert sizes == [1, 1, 1]
