"""How long an attempt may take and how long the next one waits: methods, options, rows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from staffa import Job, job, registry, worker
from staffa.errors import ConfigError
from staffa.registry import WorkerDefinition
from tests.unit.rows import claimed

ERROR = RuntimeError("boom")


def definition_of(**members: Any) -> WorkerDefinition:
    """Return the definition of a class with these methods and the options under `options`."""
    options = members.pop("options", {})

    def process(self: object, job: Job) -> None: ...

    made = type("Made", (), {"process": process, "__module__": __name__, **members})
    worker(**options)(made)
    return registry.resolve(f"{__name__}.Made")


def test_without_anything_said_the_defaults_are_left_to_the_executor() -> None:
    definition = definition_of()
    assert definition.timeout(claimed()) is None
    assert definition.backoff(claimed(), ERROR) is None


@pytest.mark.parametrize("delay", [90, 90.0, timedelta(seconds=90)])
def test_a_fixed_length_serves_every_attempt(delay: Any) -> None:
    definition = definition_of(options={"backoff": delay, "timeout": delay})
    assert definition.backoff(claimed(), ERROR) == 90.0
    assert definition.timeout(claimed()) == 90.0


def test_a_backoff_sees_the_job_and_if_it_takes_it_the_error() -> None:
    seen: list[Any] = []

    def of_job(job: Job) -> float:
        seen.append(job)
        return 1

    def of_both(job: Job, error: BaseException) -> float:
        seen.append(error)
        return 2

    made = claimed()
    assert definition_of(options={"backoff": of_job}).backoff(made, ERROR) == 1.0
    assert definition_of(options={"backoff": of_both}).backoff(made, ERROR) == 2.0
    assert seen == [made, ERROR]


def test_methods_see_the_same_and_go_before_the_options() -> None:
    definition = definition_of(
        options={"backoff": 1, "timeout": 1},
        backoff=lambda self, job: job.attempt * 10,
        timeout=lambda self, job: timedelta(seconds=job.priority),
    )
    assert definition.backoff(claimed(attempt=3), ERROR) == 30.0
    assert definition.timeout(claimed(priority=7)) == 7.0
    definition = definition_of(backoff=lambda self, job, error: len(str(error)))
    assert definition.backoff(claimed(), ERROR) == 4.0


def test_a_backoff_with_settings_of_its_own_gets_no_error_in_their_place() -> None:
    def keyword(job: Job, *, base: int = 3) -> float:
        return base

    def defaulted(job: Job, base: int = 3) -> float:
        return base

    def anything(job: Job, **settings: int) -> float:
        return settings.get("base", 3)

    for backoff in (keyword, defaulted, anything):
        assert definition_of(options={"backoff": backoff}).backoff(claimed(), ERROR) == 3.0


def test_the_timeout_of_a_row_goes_before_all() -> None:
    definition = definition_of(options={"timeout": 1}, timeout=lambda self, job: 2)
    assert definition.timeout(claimed(meta={"staffa_timeout": 0.5})) == 0.5


@pytest.mark.parametrize("noted", ["soon", True, None, [5], {"seconds": 5}])
def test_a_timeout_in_a_row_that_is_no_number_is_none_of_ours(noted: object) -> None:
    definition = definition_of(options={"timeout": 9})
    assert definition.timeout(claimed(meta={"staffa_timeout": noted})) == 9.0


@pytest.mark.parametrize("noted", [-1, 10**400], ids=["negative", "huge"])
def test_a_timeout_in_a_row_that_can_not_be_one_is_a_clear_error(noted: int) -> None:
    with pytest.raises(ConfigError, match="timeout"):
        definition_of().timeout(claimed(meta={"staffa_timeout": noted}))


def test_meta_that_was_written_elsewhere_does_not_keep_a_job_from_running() -> None:
    deep = '{"a":' * 150 + "1" + "}" * 150
    made = claimed(meta=deep)
    assert made.meta  # the executor decodes it first
    assert definition_of(options={"timeout": 9}).timeout(made) == 9.0


def test_a_timeout_method_may_say_that_there_is_none() -> None:
    assert definition_of(timeout=lambda self, job: None).timeout(claimed()) is None


@pytest.mark.parametrize("delay", [-1, float("nan"), "5", timedelta(seconds=-1)])
def test_a_backoff_that_returns_no_length_of_time_is_an_error(delay: Any) -> None:
    definition = definition_of(options={"backoff": lambda job: delay})
    with pytest.raises(ConfigError, match="backoff"):
        definition.backoff(claimed(), ERROR)


def test_functions_take_the_same_options() -> None:
    @job(timeout=5, backoff=lambda job, error: 7)
    async def wait() -> None: ...

    definition = registry.resolve(wait.worker_name)
    assert definition.timeout(claimed()) == 5.0
    assert definition.backoff(claimed(), ERROR) == 7.0


def test_an_attribute_of_a_function_is_no_hook() -> None:
    def process() -> None: ...

    process.timeout = 5  # type: ignore[attr-defined]  # some library's mark
    assert registry.resolve(job(process).worker_name).timeout(claimed()) is None
