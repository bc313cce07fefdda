"""Error policies: which errors end a job, and which have a backoff of their own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from staffa import Job, State, job, registry, worker
from staffa.errors import ConfigError, JobTimeout
from staffa.policies import ErrorPolicy
from staffa.registry import WorkerDefinition
from tests.unit.rows import claimed


def end_of(error: type[BaseException], **options: Any) -> State | None:
    return ErrorPolicy.of(options).end_of(error.__mro__)


def delay_of(error: BaseException, **options: Any) -> float | None:
    found = ErrorPolicy.of(options).backoff_of(type(error).__mro__)
    return None if found is None else found(claimed(attempt=3), error)


class Busy(LookupError): ...


def test_errors_of_a_class_and_its_subclasses_end_a_job() -> None:
    policy = {"discard_on": LookupError, "cancel_on": [PermissionError, EOFError]}
    assert end_of(LookupError, **policy) is State.DISCARDED
    assert end_of(KeyError, **policy) is State.DISCARDED
    assert end_of(EOFError, **policy) is State.CANCELLED
    assert end_of(OSError, **policy) is None
    assert end_of(ValueError) is None


def test_the_nearest_class_decides() -> None:
    policy = {"discard_on": Exception, "cancel_on": LookupError, "retry_on": {KeyError: 5}}
    assert end_of(ValueError, **policy) is State.DISCARDED
    assert end_of(IndexError, **policy) is State.CANCELLED
    assert end_of(KeyError, **policy) is None
    assert end_of(KeyError, discard_on=LookupError, retry_on={Exception: 5}) is State.DISCARDED
    assert end_of(ValueError, discard_on=LookupError, retry_on={Exception: 5}) is None


def test_the_first_base_decides_where_two_are_as_near() -> None:
    class Both(KeyError, ValueError): ...

    assert end_of(Both, discard_on=ValueError, cancel_on=KeyError) is State.CANCELLED


def test_errors_that_are_no_exceptions_may_be_named_as_well() -> None:
    assert end_of(SystemExit, discard_on=SystemExit) is State.DISCARDED
    assert end_of(JobTimeout, cancel_on=JobTimeout) is State.CANCELLED


def test_retry_on_takes_seconds_lengths_and_functions() -> None:
    def of_job(job: Job) -> float:
        return job.attempt * 2

    def of_both(job: Job, error: BaseException) -> timedelta:
        return timedelta(minutes=len(str(error)))

    assert delay_of(Busy(), retry_on={LookupError: 5}) == 5.0
    assert delay_of(Busy(), retry_on={LookupError: timedelta(hours=1), Busy: 7.5}) == 7.5
    assert delay_of(Busy(), retry_on={Busy: of_job}) == 6.0
    assert delay_of(Busy("abc"), retry_on={Busy: of_both}) == 180.0
    assert delay_of(ValueError(), retry_on={Busy: 5}) is None


@pytest.mark.parametrize("option", ["discard_on", "cancel_on"])
@pytest.mark.parametrize("wrong", ["ValueError", 5, ValueError("made"), int, [int], [None], {3: 4}])
def test_what_is_no_exception_class_is_refused(option: str, wrong: Any) -> None:
    with pytest.raises(ConfigError, match=f"{option} has .* no exception class"):
        ErrorPolicy.of({option: wrong})


@pytest.mark.parametrize("wrong", [ValueError, [ValueError], 5, None])
def test_a_retry_on_that_is_no_mapping_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigError, match=r"retry_on is .* give a mapping"):
        ErrorPolicy.of({"retry_on": wrong})


@pytest.mark.parametrize("wrong", [-1, "5", None, float("nan"), timedelta(-1)])
def test_a_retry_on_that_is_no_backoff_is_refused_with_its_class(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="retry_on for Busy"):
        ErrorPolicy.of({"retry_on": {Busy: wrong}})


@pytest.mark.parametrize(
    "options",
    [
        {"discard_on": Busy, "cancel_on": Busy},
        {"discard_on": Busy, "retry_on": {Busy: 5}},
        {"cancel_on": [Busy, Busy]},
    ],
    ids=str,
)
def test_a_class_that_is_named_twice_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"Busy, which leads to .* already: name it once"):
        ErrorPolicy.of(options)


async def later(job: Job) -> float:
    return 5


def test_a_backoff_or_timeout_that_waits_is_refused_where_it_is_given() -> None:
    with pytest.raises(ConfigError, match="backoff is an async def"):
        job(backoff=later)(later)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="retry_on for Busy is an async def"):
        job(retry_on={Busy: later})(later)  # type: ignore[dict-item]
    with pytest.raises(ConfigError, match="timeout is an async def"):

        @worker()
        class Slow:
            async def timeout(self, job: Job) -> float:
                return 5

            def process(self, job: Job) -> None: ...


def definition_of(made: type) -> WorkerDefinition:
    worker()(made)
    return registry.resolve(f"{__name__}.{made.__qualname__}")


def test_a_class_may_have_seconds_in_place_of_methods() -> None:
    class Patient:
        backoff = timedelta(minutes=1)
        timeout = 30

        def process(self, job: Job) -> None: ...

    definition = definition_of(Patient)
    assert definition.backoff(claimed(), Busy()) == 60.0
    assert definition.timeout(claimed()) == 30.0

    class Wrong:
        timeout = "soon"

        def process(self, job: Job) -> None: ...

    with pytest.raises(ConfigError, match="timeout"):
        definition_of(Wrong)


def test_methods_of_a_class_may_need_no_object() -> None:
    class Static:
        @staticmethod
        def backoff(job: Job, error: BaseException) -> float:
            return job.attempt + len(str(error))

        @classmethod
        def timeout(cls, job: Job) -> float:
            return job.attempt * 10

        def process(self, job: Job) -> None: ...

    definition = definition_of(Static)
    assert definition.backoff(claimed(attempt=2), Busy("abc")) == 5.0
    assert definition.timeout(claimed(attempt=2)) == 20.0


def test_a_backoff_of_a_class_sees_job_and_error_on_a_new_object_each_time() -> None:
    class Counts:
        def __init__(self) -> None:
            self.calls = 0

        def backoff(self, job: Job, error: BaseException) -> float:
            self.calls += 1
            return self.calls + len(str(error))

        def process(self, job: Job) -> None: ...

    definition = definition_of(Counts)
    assert [definition.backoff(claimed(), Busy("abc")) for _ in range(2)] == [4.0, 4.0]
