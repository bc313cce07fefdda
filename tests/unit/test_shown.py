"""How error messages show values that may be anything: an unprintable one must not hide them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from staffa import Job, JobFilter, Unique
from staffa._internal.shown import shown
from staffa.client.changes import check_changes, check_ids
from staffa.errors import ConfigError, InvalidJob
from staffa.types import to_seconds

UNPRINTABLE = 10**5000


class Rude:
    """Can't be printed, either."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_a_value_is_cut_off_and_one_that_can_not_be_printed_is_named_by_its_type() -> None:
    assert shown("a" * 1000, 5) == "'aaaa"
    assert shown(UNPRINTABLE) == "<int that can not be shown>"
    assert shown(Rude()) == "<Rude that can not be shown>"


@pytest.mark.parametrize("value", [UNPRINTABLE, Rude()], ids=["a long number", "a rude object"])
@pytest.mark.parametrize(
    "use",
    [
        lambda value: Job(worker=value),
        lambda value: Job(worker="a", priority=value),
        lambda value: Job(worker="a", tags=value),
        lambda value: Job(worker="a", tags=[value]),
        lambda value: Job(worker="a", max_attempts=value),
        lambda value: Job(worker="a", scheduled_at=value),
        lambda value: Job(worker="a", scheduled_in=value),
        lambda value: Job(worker="a", args={"a": value}),
        lambda value: Job(worker="a", meta=value),
        lambda value: JobFilter(ids=[value]),
        lambda value: JobFilter(queues=value),
        lambda value: JobFilter(states=[value]),
        lambda value: JobFilter(tags=[value]),
        lambda value: JobFilter(priorities=[value]),
        lambda value: JobFilter(args={"a": value}),
        lambda value: Unique(states=[value]),
        lambda value: Unique(fields=[value]),
        lambda value: Unique(timestamp=value),
        lambda value: Job(worker="a", timeout=value),
        lambda value: Job(worker="a", deadline=value),
        lambda value: Job(worker="a", unique=value),
        lambda value: Job(worker="a", replace={"scheduled": [value]}),
        lambda value: check_changes({"priority": value}),
        lambda value: check_ids([value]),
        lambda value: JobFilter(limit=value),
        lambda value: JobFilter(inserted_after=value),
        lambda value: Unique(period=value),
        lambda value: Unique(states=value),
        lambda value: Unique(keys=[value]),
        lambda value: to_seconds(value, "what"),
    ],
)
def test_an_unprintable_value_is_refused_as_any_other(
    use: Callable[[object], object], value: object
) -> None:
    with pytest.raises((InvalidJob, ConfigError)) as caught:
        use(value)
    assert len(str(caught.value)) < 1000
