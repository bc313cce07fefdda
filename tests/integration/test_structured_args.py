"""Args of every kind, on their way through real rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import attrs
import msgspec
import pydantic

from staffa import Job, Worker, job, worker
from tests.conftest import MakeClient
from tests.support.events import Recorder
from tests.support.rows import Rows


class Colour(Enum):
    RED = "red"


@dataclass
class Line:
    price: Decimal
    colours: set[Colour]


class Order(pydantic.BaseModel):
    id: UUID
    placed_at: datetime


class Part(msgspec.Struct):
    raw: bytes


@attrs.define
class Account:
    opened: date


class Point(NamedTuple):
    x: float


SEEN: list[Any] = []
VALUES: dict[str, Any] = {
    "lines": [Line(Decimal("1.10"), {Colour.RED})],
    "order": Order(id=UUID(int=5), placed_at=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)),
    "part": Part(b"\x00\xff"),
    "account": Account(date(2026, 1, 2)),
    "point": Point(1e22),
    "paths": {1: Path("/a")},
}


@job(name="structured.take")
async def take(
    lines: list[Line],
    order: Order,
    part: Part,
    account: Account,
    point: Point,
    paths: dict[int, Path],
) -> None:
    SEEN.append(locals())


@job(name="structured.careful", unknown="error")
async def careful(day: date) -> None:
    SEEN.append(day)


@worker(name="structured.Print", args=Line)
class Print(Worker[Line]):
    async def process(self, job: Job[Line]) -> None:
        SEEN.append(job.args.price)


async def test_values_arrive_equal_and_of_the_same_types(
    make_client: MakeClient, events: Recorder
) -> None:
    SEEN.clear()
    async with make_client(queues={"default": 5}) as app:
        await app.enqueue(take.new(**VALUES))
        await events.wait("staffa.job.completed")
        await app.enqueue(Print.new(Line(Decimal("2.50"), set())))
        await events.wait("staffa.job.completed", 2)
    found, price = SEEN
    assert found == VALUES
    assert {name: type(value) for name, value in found.items()} == {
        name: type(value) for name, value in VALUES.items()
    }
    assert type(found["point"].x) is float
    assert price == Decimal("2.50")


async def test_a_row_that_does_not_fit_is_discarded_at_once_with_the_reason(
    make_client: MakeClient, rows: Rows
) -> None:
    wrong = [
        (careful.worker_name, '{"day": "soon"}', "careful: args.day: is no text of a date: 'soon'"),
        (careful.worker_name, '{"day": 5}', "args.day: expected the text of a date, not int"),
        (careful.worker_name, '{"day": "2026-01-02", "later": 1}', "does not take: later"),
        (
            "structured.Print",
            '{"price": "1", "colours": ["blue"]}',
            "Print: args.colours[0]: is no value",
        ),
        ("structured.Print", '{"price": []}', "Print: args: lacks 'colours'"),
    ]
    numbers = [await rows.insert(worker=name, args=args) for name, args, _ in wrong]
    async with make_client(queues={"default": 5}):
        for number, (_, _, reason) in zip(numbers, wrong, strict=True):
            row = await rows.until(number, "discarded")
            assert row["attempt"] == 1
            assert reason in row["errors"][0]["error"]


async def test_a_newer_client_may_send_more_than_an_older_worker_knows(
    make_client: MakeClient, rows: Rows
) -> None:
    number = await rows.insert(
        worker="structured.Print", args='{"price": "1", "colours": [], "later": {}}'
    )
    async with make_client(queues={"default": 5}):
        await rows.until(number, "completed")
