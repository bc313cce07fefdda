"""Models of pydantic, msgspec and attrs as args, alone and nested in each other."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest

from staffa.args.converter import Mismatch
from staffa.args.schema import Schema
from tests.unit.programs import run_python

ID = UUID(int=5)


class Line(pydantic.BaseModel):
    price: Decimal
    count: Annotated[int, pydantic.Field(gt=0)] = 1


class Order(pydantic.BaseModel):
    id: UUID
    lines: list[Line]
    placed_at: datetime
    kind: Literal["order"] = "order"
    _cache: dict[str, int] = pydantic.PrivateAttr(default_factory=dict)

    @pydantic.computed_field  # type: ignore[prop-decorator]  # pydantic's own form
    @property
    def total(self) -> Decimal:
        return sum((line.price for line in self.lines), Decimal(0))


class Aliased(pydantic.BaseModel):
    user_id: int = pydantic.Field(alias="userId")


class OneWay(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(populate_by_name=True)
    user_id: int = pydantic.Field(serialization_alias="uid")


class Secret(pydantic.BaseModel):
    word: pydantic.SecretStr


class Picky(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", strict=True)
    id: UUID


@pydantic.dataclasses.dataclass
class Checked:
    number: Annotated[int, pydantic.Field(lt=10)]


class Part(msgspec.Struct):
    name: str
    when: date


class Machine(msgspec.Struct, tag="machine"):
    parts: dict[int, Part]
    raw: bytes = b""


class Closed(msgspec.Struct, forbid_unknown_fields=True):
    id: int


class Pair(msgspec.Struct, array_like=True):
    left: int
    right: int


@attrs.define
class Account:
    _owner: str
    opened: date
    number: int = attrs.field(default=1, validator=attrs.validators.gt(0))
    tags: list[str] = attrs.field(factory=list, kw_only=True)


@attrs.define
class Everything:
    order: Order
    machine: Machine
    account: Account
    path: Path


ORDER = Order(
    id=ID, lines=[Line(price=Decimal("1.10"))], placed_at=datetime(2026, 1, 2, tzinfo=UTC)
)
MACHINE = Machine({1: Part("bolt", date(2026, 1, 2))}, b"\xff")
ACCOUNT = Account("ada", date(2026, 1, 2), tags=["a"])


@pytest.mark.parametrize(
    "value",
    [
        ORDER, Aliased(userId=5), OneWay(user_id=5), Picky(id=ID), Checked(5), MACHINE, Closed(1),
        Pair(1, 2), ACCOUNT, Everything(ORDER, MACHINE, ACCOUNT, Path("a")),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_a_model_comes_back_equal(value: Any) -> None:
    for strict in (False, True):
        converter = Schema(strict=strict).converter(type(value))
        found = converter.decode(converter.encode(value))
        assert type(found) is type(value)
        assert found == value


def test_a_pydantic_model_is_stored_under_its_aliases_where_it_reads_them() -> None:
    assert Schema(strict=False).converter(Aliased).encode(Aliased(userId=5)) == {"userId": 5}
    assert Schema(strict=False).converter(OneWay).encode(OneWay(user_id=5)) == {"user_id": 5}
    assert "total" not in Schema(strict=False).converter(Order).encode(ORDER)


def refused(annotation: Any, plain: Any, *, strict: bool = False) -> Mismatch:
    with pytest.raises(Mismatch) as caught:
        Schema(strict=strict).converter(annotation).decode(plain)
    return caught.value


def plain_order(**line: Any) -> dict[str, Any]:
    made = Schema(strict=False).converter(Order).encode(ORDER)
    return {**made, "lines": [made["lines"][0] | line]}


def test_an_error_of_a_library_names_the_place_and_hides_it_where_asked() -> None:
    error = refused(list[Order], [plain_order(price="cheap-secret")])
    assert error.describe("args.orders").startswith(
        "args.orders[0].lines[0].price: is no valid Order: Input should be a valid decimal"
    )
    assert "secret" not in error.describe("args.orders", hide=True)
    error = refused(Machine, {"type": "machine", "parts": {"1": {"name": "a", "when": "soon"}}})
    assert "is no valid Machine: Invalid RFC3339" in error.describe("args")
    error = refused(Account, {"_owner": "a", "opened": "2026-01-02", "number": -1})
    assert "is no valid Account: 'number' must be > 0" in error.describe("args")
    error = refused(Checked, {"number": 50})
    assert "is no valid Checked" in error.describe("args")
    assert "50" not in error.describe("args", hide=True)


@pytest.mark.parametrize(
    ("annotation", "value", "reason"),
    [
        (Secret, Secret(word=pydantic.SecretStr("x")), "would not come back from JSON"),
        (Order, Order.model_construct(id=5, lines=[]), "is no valid Order|can't be JSON"),
        (Closed, Closed("x"), "is no valid Closed"),  # type: ignore[arg-type]  # the point
        (Order, {"id": str(ID)}, "expected Order, not dict"),
        (Part, Closed(1), "expected Part, not Closed"),
    ],
    ids=["secret", "unvalidated", "wrong type", "dict", "other"],
)
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_an_instance_that_would_not_come_back_is_refused(
    annotation: Any, value: Any, reason: str
) -> None:
    with pytest.raises(Mismatch, match=reason):
        Schema(strict=False).converter(annotation).encode(value)


def test_unknown_keys_are_ignored_unless_the_model_or_the_option_forbids() -> None:
    schema = Schema(strict=False)
    assert schema.converter(Order).decode({**plain_order(later=1), "later": 1}) == ORDER
    assert schema.converter(Part).decode({"name": "a", "when": "2026-01-02", "z": 1})
    refused(Picky, {"id": str(ID), "later": 1})
    refused(Closed, {"id": 1, "later": 1})


def test_the_option_forbids_unknown_keys_as_far_as_the_library_can() -> None:
    refused(Order, {**plain_order(), "later": 1}, strict=True)
    refused(Order, plain_order(later=1), strict=True)
    part = {"name": "a", "when": "2026-01-02"}
    refused(Part, {**part, "later": 1}, strict=True)
    machine = {"type": "machine", "parts": {"1": {**part, "later": 1}}}
    assert Schema(strict=True).converter(Machine).decode(machine)  # nested structs: their own way


def test_a_union_of_models_is_told_apart() -> None:
    converter = Schema(strict=False).converter(Order | Machine | Account | None)
    for value in (ORDER, MACHINE, ACCOUNT, None):
        assert converter.decode(converter.encode(value)) == value


UNTOUCHED = """
import sys
from dataclasses import dataclass
from staffa import job, worker

@dataclass
class Order:
    id: int

@job
def send(order: Order) -> None: ...

assert send._codec.decode(send.new(Order(5)).args)[1] == {"order": Order(5)}
print(*sorted({"pydantic", "msgspec", "attrs", "attr", "cryptography"} & set(sys.modules)))
"""


def test_no_library_is_loaded_unless_a_type_is_of_it(tmp_path: Path) -> None:
    assert run_python("-c", UNTOUCHED, folder=tmp_path) == ""
