"""Worker classes that declare what their args are: `@worker(args=Order)`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple, TypedDict

import msgspec
import pydantic
import pytest

from staffa import Job, Worker, registry, worker
from staffa.errors import ConfigError, InvalidArgs
from tests.unit.rows import claimed


@dataclass
class Order:
    id: int
    day: date
    copies: int = 1


class Typed(TypedDict):
    day: date


class Named(NamedTuple):
    day: date


class Validated(pydantic.BaseModel):
    day: date


class Structured(msgspec.Struct):
    day: date


ORDER = Order(5, date(2026, 1, 2))
STORED = {"id": 5, "day": "2026-01-02", "copies": 1}
SEEN: list[Any] = []


@worker(queue="print", args=Order)
class Print(Worker[Order]):
    async def process(self, job: Job[Order]) -> int:
        SEEN.append(job.args)
        return job.args.copies


async def run(cls: Any, **row: Any) -> Job[Any]:
    definition = registry.resolve(cls._definition.name)
    job = claimed(**row)
    await definition.prepare(job)()
    return job


async def test_args_are_the_model_while_the_job_runs() -> None:
    made = Print.new(ORDER, priority=3)
    assert (made.args, made.priority, made.queue) == (STORED, 3, "print")
    job = await run(Print, args=made.args_json)
    assert SEEN.pop() == ORDER
    assert job.args_json == made.args_json


def test_a_mapping_is_taken_in_its_json_form_and_checked() -> None:
    assert Print.new({"id": 5, "day": "2026-01-02"}).args == STORED
    for wrong, reason in [
        ({"id": 5}, "Print: args: lacks 'day', which Order requires"),
        ({"id": 5, "day": "soon"}, "Print: args.day: is no text of a date: 'soon'"),
        ({"id": 5, "day": "2026-01-02", "copy": 2}, "keys that Order does not know: 'copy'"),
        (5, "Print: args: expected Order, not int"),
        (Order("5", date(2026, 1, 2)), "Print: args.id: expected int, not str: '5'"),  # type: ignore[arg-type]
    ]:
        with pytest.raises(InvalidArgs, match=reason):
            Print.new(wrong)  # type: ignore[arg-type]  # the point


def test_without_args_the_defaults_serve_or_what_lacks_is_named() -> None:
    with pytest.raises(InvalidArgs, match="lacks 'id'"):
        Print.new()


async def test_a_row_that_makes_no_model_can_not_be_decoded() -> None:
    with pytest.raises(InvalidArgs, match="Print: args: lacks 'id'"):
        await run(Print, args={"day": "2026-01-02"})


async def test_unknown_keys_of_rows_are_ignored_unless_asked_otherwise() -> None:
    await run(Print, args={**STORED, "later": 1})
    assert SEEN.pop() == ORDER

    @worker(args=Order, unknown="error")
    class Careful:
        async def process(self, job: Job[Order]) -> None: ...

    with pytest.raises(InvalidArgs, match="keys that Order does not know: 'later'"):
        await run(Careful, args={**STORED, "later": 1})


@pytest.mark.parametrize("model", [Typed, Named, Validated, Structured])
async def test_every_kind_of_model_can_be_declared(model: Any) -> None:
    @worker(args=model)
    class Declared(Worker[Any]):
        async def process(self, job: Job[Any]) -> None:
            SEEN.append(job.args)

    value = model(day=date(2026, 1, 2))
    made = Declared.new(value)
    assert made.args == {"day": "2026-01-02"}
    await run(Declared, args=made.args_json)
    assert SEEN.pop() == value


@pytest.mark.parametrize("model", [int, dict, list[int], "Order", 5, date, str])
def test_args_must_be_a_class_with_fields(model: Any) -> None:
    with pytest.raises(ConfigError, match="give a class with fields"):

        @worker(args=model)
        class Wrong:
            def process(self, job: Job) -> None: ...


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match="needs args="):

        @worker(unknown="error")
        class Wrong:
            def process(self, job: Job) -> None: ...

    with pytest.raises(ConfigError, match="unknown is 'maybe'"):

        @worker(args=Order, unknown="maybe")  # type: ignore[arg-type]  # the point
        class Misspelt:
            def process(self, job: Job) -> None: ...


def test_a_worker_that_extends_another_may_declare_another_model() -> None:
    @worker(args=Named)
    class Other(Print):  # type: ignore[type-arg,unused-ignore]
        pass

    assert Other.new({"day": "2026-01-02"}).args == {"day": "2026-01-02"}
    assert Print.new(ORDER).args == STORED


async def test_a_model_of_encrypted_args_shows_nothing_in_errors() -> None:
    @worker(args=Order, encrypted=True)
    class Secret(Worker[Order]):
        async def process(self, job: Job[Order]) -> None: ...

    for wrong in ({**STORED, "day": "secret"}, {**STORED, "secret": 1}, {"secret": object()}):
        with pytest.raises(InvalidArgs) as caught:
            Secret.new(wrong)
        assert "secret" not in str(caught.value)
    with pytest.raises(InvalidArgs) as caught:
        await run(Secret, args={**STORED, "day": "secret"}, meta={"encrypted": True})
    assert "secret" not in str(caught.value)
