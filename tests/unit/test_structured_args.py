"""Annotations as the schema of args: what goes in comes back, what does not fit is named."""

from __future__ import annotations

import contextlib
import enum
import logging
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import InitVar, dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Self,
    TypedDict,
    TypeVar,
)
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffa import Job
from staffa.args.codec import ArgsCodec
from staffa.args.converter import ANY, Mismatch
from staffa.args.schema import Schema
from staffa.errors import ConfigError, InvalidArgs
from tests.unit.rows import claimed
from tests.unit.test_json import TEXTS, VALUES


class Colour(enum.Enum):
    RED = "red"
    TWO = 2
    PAIR = (1, "a")


class Size(enum.StrEnum):
    SMALL = "s"


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Level(enum.IntEnum):
    LOW = 1


@dataclass(frozen=True)
class Item:
    name: str
    price: Decimal
    colours: frozenset[Colour] = frozenset()


@dataclass
class Order:
    id: UUID
    items: list[Item]
    placed_at: datetime
    notes: dict[int, str] = field(default_factory=dict)
    parent: Order | None = None
    weight: float = 0.0


class Point(NamedTuple):
    x: int
    y: int = 0


class Row(TypedDict):
    id: int
    name: NotRequired[str]


class Text(str):
    """A text of one's own kind."""

    __slots__ = ()


class Strict(str):
    """A text that refuses some."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if "@" not in text:
            raise ValueError("no address")
        return super().__new__(cls, text)


@dataclass
class Even:
    number: int

    def __post_init__(self) -> None:
        if self.number % 2:
            raise ValueError("it is odd")


@dataclass
class Demanding:
    number: int
    secret: InitVar[str]


UserId = NewType("UserId", int)
Bound = TypeVar("Bound", bound=UUID)
ID = UUID(int=5)
NAIVE = datetime(2026, 1, 2, 3, 4, 5, 6)  # noqa: DTZ001  # it is to come back without a zone
ORDER = Order(
    id=ID,
    items=[
        Item("pen", Decimal("1.10"), frozenset({Colour.RED, Colour.PAIR})),
        Item("ink", Decimal(2)),
    ],
    placed_at=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    notes={7: "seven"},
    parent=Order(ID, [], NAIVE),
    weight=1.5,
)

ROUND_TRIPS: list[tuple[Any, Any]] = [
    (str, "a"),
    (int, 5),
    (int, 10**40),
    (float, 1.5),
    (bool, True),
    (None, None),
    (bytes, b"\x00\xff"),
    (UUID, ID),
    (datetime, NAIVE),
    (datetime, datetime(2026, 1, 2, tzinfo=UTC)),
    (datetime, datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=5, minutes=30)))),
    (date, date(2026, 1, 2)),
    (time, time(3, 4, 5, 6)),
    (time, time(3, 4, tzinfo=UTC)),
    (timedelta, timedelta(days=-1, microseconds=5)),
    (timedelta, timedelta(days=999_999_999)),
    (Decimal, Decimal("1.10")),
    (Decimal, Decimal("-1E+400")),
    (Path, Path("/a/b")),
    (PurePosixPath, PurePosixPath("a")),
    (Colour, Colour.RED),
    (Colour, Colour.TWO),
    (Colour, Colour.PAIR),
    (Size, Size.SMALL),
    (Level, Level.LOW),
    (Rights, Rights.READ | Rights.WRITE),
    (Text, Text("a")),
    (list[UUID], [ID]),
    (list, [1, "a"]),
    (list[Any], [None, {}]),
    (Sequence[date], [date(2026, 1, 2)]),
    (set[int], {3, 1}),
    (frozenset[str], frozenset({"a"})),
    (AbstractSet[int], {1}),
    (tuple[int, str], (1, "a")),
    (tuple[int, ...], (1, 2, 3)),
    (tuple[()], ()),
    (tuple, (1, "a")),
    (dict[str, Any], {"a": [1]}),
    (dict[str, UUID], {"a": ID}),
    (dict[int, str], {1: "a", -2: "b"}),
    (dict[UUID, date], {ID: date(2026, 1, 2)}),
    (dict[Colour, int], {Colour.RED: 1, Colour.TWO: 2}),
    (dict[bool, int], {True: 1}),
    (dict[tuple[int, int], int], {}),
    (Mapping[str, date], {"a": date(2026, 1, 2)}),
    (int | None, None),
    (int | None, 3),
    (UUID | int | None, ID),
    (str | int, "5"),
    (str | int, 5),
    (int | float, 5),
    (int | float, 5.5),
    (float | int, 5),
    (bool | int, True),
    (bool | int, 1),
    (date | datetime, date(2026, 1, 2)),
    (date | datetime, NAIVE),
    (UUID | str, "no uuid"),
    (UUID | str, ID),
    (list[int] | list[str], ["a"]),
    (Point | Row, Point(1, 2)),
    (Item | Order, ORDER),
    (Literal["a", 1, True], 1),
    (Literal["a", 1, True] | None, True),
    (Literal[Colour.RED], Colour.RED),
    (Annotated[UUID, "any"], ID),
    (UserId, 5),
    (Bound, ID),
    (Item, Item("pen", Decimal(1))),
    (Order, ORDER),
    (Point, Point(1, 2)),
    (Row, {"id": 1}),
    (Row, {"id": 1, "name": "a"}),
    (list[dict[str, tuple[Order, Point | None]]], [{"a": (ORDER, Point(1)), "b": (ORDER, None)}]),
    (Even, Even(2)),
    (Any, {"a": [1, None]}),
    (object, "a"),
]  # fmt: skip

CONVERTERS = [Schema(strict=False).converter(annotation) for annotation, _ in ROUND_TRIPS]


def name_of(value: Any) -> str:
    """Return the id of a parameter: the same in every process, as sets are not."""
    return str(getattr(value, "__name__", type(value).__name__))


def function_of(annotation: Any) -> Callable[..., Any]:
    def function(value): ...  # type: ignore[no-untyped-def]

    function.__annotations__ = {"value": annotation}
    return function


def through_a_row(codec: ArgsCodec, **values: Any) -> dict[str, Any]:
    """Return named arguments after their way through JSON text."""
    stored = claimed(args=Job(worker="w", args=codec.encode(**values)).args_json)
    return codec.decode(stored.args)[1]


@pytest.mark.parametrize(("annotation", "value"), ROUND_TRIPS, ids=name_of)
def test_a_value_comes_back_equal_and_of_the_same_type(annotation: Any, value: Any) -> None:
    found = through_a_row(ArgsCodec(function_of(annotation)), value=value)["value"]
    assert found == value
    assert type(found) is type(value)
    assert repr(found) == repr(value) or isinstance(value, set | frozenset | Order | Item)


@given(
    st.tuples(
        st.decimals(allow_nan=False), st.datetimes(), st.timedeltas(), st.uuids(), st.binary(),
        st.dates(), st.times(), TEXTS, st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
    )
)  # fmt: skip
def test_scalars_of_all_values_come_back(values: tuple[Any, ...]) -> None:
    schema = Schema(strict=True)
    for annotation, value in zip(
        (Decimal, datetime, timedelta, UUID, bytes, date, time, str, int, float),
        values,
        strict=True,
    ):
        converter = schema.converter(annotation)
        if annotation is timedelta and value != timedelta(seconds=value.total_seconds()):
            with pytest.raises(Mismatch, match="microseconds"):
                converter.encode(value)
        else:
            assert converter.decode(converter.encode(value)) == value


@given(VALUES)
def test_what_is_read_may_be_anything_and_fits_or_is_refused(plain: Any) -> None:
    for converter in CONVERTERS:
        with contextlib.suppress(Mismatch):
            converter.decode(plain)


REFUSED: list[tuple[Any, Any, str]] = [
    (int, "5", "args.value: expected int, not str: '5'"),
    (int, True, "args.value: expected int, not bool: True"),
    (int, 5.0, "args.value: expected int, not float: 5.0"),
    (str, 5, "args.value: expected str, not int: 5"),
    (float, True, "args.value: expected float, not bool"),
    (float, "1.5", "args.value: expected float, not str"),
    (float, 10**400, "beyond its range"),
    (bool, 1, "args.value: expected bool, not int"),
    (None, 0, "args.value: expected None, not int"),
    (UUID, str(ID), "args.value: expected UUID, not str"),
    (date, NAIVE, "args.value: expected date, not datetime"),
    (datetime, date(2026, 1, 1), "args.value: expected datetime, not date"),
    (timedelta, 5, "expected timedelta, not int"),
    (timedelta, timedelta(days=900_000_000, microseconds=1), "round it"),
    (Colour, "red", "args.value: expected Colour, not str"),
    (Literal["a", 1], True, "expected one of 'a', 1: True"),
    (Literal["a", 1], [], "expected one of 'a', 1"),
    (list[int], (1, 2), "args.value: expected list, not tuple"),
    (list[int], [1, "2"], r"args.value\[1\]: expected int, not str"),
    (Sequence[str], "text", "expected list or tuple, not str"),
    (tuple[int, str], (1,), "expected 2 items, not 1"),
    (tuple[int, str], (1, 2), r"args.value\[1\]: expected str"),
    (set[int], [1], "expected set, not list"),
    (set[int], {"a"}, r"args.value\[0\]: expected int"),
    (dict[str, int], {"a": "b"}, r"args.value\['a'\]: expected int, not str"),
    (dict[int, int], {"1": 1}, r"args.value\['1'\]: expected int, not str"),
    (dict[str, int], [1], "expected dict, not list"),
    (dict[tuple[int, int], int], {(1, 2): 3}, "which has no text"),
    (dict[int | str, int], {1: 2, "1": 3}, "could not be told"),
    (int | None, "5", "args.value: expected int, not str"),
    (int | str, 5.5, r"args.value: expected int \| str, not float"),
    (UUID | str, str(ID), "is a str that would come back as UUID"),
    (str | bytes, "abcd", "is a str that would come back as bytes"),
    (set[int] | list[int], [1], "is a list that would come back as set"),
    (Item | str, Item("a", 5), r"args.value.price: expected Decimal, not int"),  # type: ignore[arg-type]
    (Order, Order(ID, [Item("a", "5")], NAIVE), r"\.items\[0\].price: expected Decimal"),  # type: ignore[arg-type]
    (Order, {"id": str(ID)}, "args.value: expected Order, not dict"),
    (Point, (1, 2), "args.value: expected Point, not tuple"),
    (Row, {"id": 1, "nome": "a"}, "has keys that Row does not know: 'nome'"),
    (Row, {"name": "a"}, "lacks 'id', which Row requires"),
    (Demanding, Demanding(1, "s"), "its __init__ takes other arguments"),
    (Text, "plain", "expected Text, not str"),
]  # fmt: skip


@pytest.mark.parametrize(("annotation", "value", "reason"), REFUSED, ids=name_of)
def test_a_wrong_value_is_refused_at_enqueue_with_its_place(
    annotation: Any, value: Any, reason: str
) -> None:
    with pytest.raises(InvalidArgs, match=reason):
        ArgsCodec(function_of(annotation)).encode(value)


UNREADABLE: list[tuple[Any, Any, str]] = [
    (int, "5", "args.value: expected int, not str"),
    (str, 5, "args.value: expected str, not int"),
    (float, 10**400, "beyond its range"),
    (bytes, "%", "is no text of a bytes: '%'"),
    (UUID, "5", "is no text of a UUID: '5'"),
    (UUID, 5, "expected the text of a UUID, not int"),
    (datetime, "soon", "is no text of a datetime"),
    (datetime, "2026-01-01", "is no text of a datetime"),
    (Decimal, "a lot", "is no text of a Decimal"),
    (timedelta, 1e300, "is no length of time"),
    (timedelta, True, "expected a number of seconds"),
    (Colour, "blue", "is no value of Colour: 'blue'"),
    (Colour, [[]], "is no value of Colour"),
    (Level, 9, "is no value of Level: 9"),
    (Literal[1], True, "expected one of 1: True"),
    (Strict, "nobody", "is no Strict: no address"),
    (set[Any], [[1]], "has an item that no set can hold"),
    (dict[int, int], {"x": 1}, r"args.value\['x'\]: expected int, not str"),
    (Item, {"name": "a"}, "args.value: lacks 'price', which Item requires"),
    (Item, [], "expected Item, not list"),
    (list[Item], [{"name": "a", "price": []}], r"args.value\[0\].price: expected the text"),
    (Even, {"number": 3}, "is no valid Even: it is odd"),
    (Row, {}, "lacks 'id'"),
]  # fmt: skip


@pytest.mark.parametrize(("annotation", "plain", "reason"), UNREADABLE, ids=name_of)
def test_a_row_that_does_not_fit_is_refused_with_its_place(
    annotation: Any, plain: Any, reason: str
) -> None:
    with pytest.raises(InvalidArgs, match=reason):
        ArgsCodec(function_of(annotation)).decode({"value": plain})


def test_an_error_begins_with_the_function() -> None:
    def send_mail(order: Order) -> None: ...

    bad = Order(ID, [Item("a", Decimal(1)), Item("b", 2)], NAIVE)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgs, match=r"send_mail: args.order.items\[1\].price: expected"):
        ArgsCodec(send_mail).encode(bad)


def test_nothing_of_the_data_is_shown_when_it_is_to_be_hidden() -> None:
    def pay(people: dict[str, Strict], even: Even | None = None, **rest: int) -> None: ...

    codec = ArgsCodec(pay)
    wrong: list[dict[str, Any]] = [
        {"people": {"ada-secret": "secret"}},
        {"people": {}, "even": {"number": "secret"}},
        {"people": {}, "secret": "x"},
        {"secret": 1},
    ]
    for stored in wrong:
        with pytest.raises(InvalidArgs) as shown:
            codec.decode(stored)
        assert "secret" in str(shown.value)
        with pytest.raises(InvalidArgs, match="pay") as hidden:
            codec.decode(stored, hide=True)
        assert "secret" not in str(hidden.value)
        assert hidden.value.__cause__ is None
        assert hidden.value.__suppress_context__ or hidden.value.__context__ is None
    with pytest.raises(InvalidArgs) as hidden:
        codec.bind(({"ada-secret": 5},), {}, hide=True)
    assert "secret" not in str(hidden.value)


def test_subclasses_of_scalars_are_stored_as_what_they_extend() -> None:
    def function(text: str, number: int, ratio: float) -> None: ...

    stored = ArgsCodec(function).encode(Size.SMALL, Level.LOW, 2)
    assert stored == {"text": "s", "number": 1, "ratio": 2}
    assert [type(value) for value in stored.values()] == [str, int, int]
    assert through_a_row(ArgsCodec(function), text=Text("a"), number=1, ratio=2) == {
        "text": "a", "number": 1, "ratio": 2.0,
    }  # fmt: skip


def test_a_subclass_of_a_model_is_refused_as_it_would_come_back_as_the_base() -> None:
    class Special(Even):
        pass

    with pytest.raises(InvalidArgs, match="expected Even, not Special"):
        ArgsCodec(function_of(Even)).encode(Special(2))


def test_equal_sets_make_equal_args() -> None:
    converter = Schema(strict=False).converter(set[str])
    names = [f"name {number}" for number in range(50)]
    assert converter.encode(set(names)) == sorted(names)


def test_annotations_that_say_nothing_leave_values_alone() -> None:
    class NoModel:
        pass

    for annotation in (Any, object, NoModel, "Any", TypeVar("T"), int | Any, Callable[..., int]):
        assert Schema(strict=False).converter(annotation) is ANY


def test_a_none_default_allows_none_whatever_the_annotation_says() -> None:
    def function(when: date = None) -> None: ...  # type: ignore[assignment]  # noqa: RUF013  # many do

    assert ArgsCodec(function).encode(None) == {"when": None}
    assert through_a_row(ArgsCodec(function), when=date(2026, 1, 2)) == {"when": date(2026, 1, 2)}


def test_further_arguments_have_the_annotation_of_theirs() -> None:
    def function(a: int, **rest: date) -> None: ...

    codec = ArgsCodec(function)
    assert through_a_row(codec, a=1, b=date(2026, 1, 2)) == {"a": 1, "b": date(2026, 1, 2)}
    with pytest.raises(InvalidArgs, match=r"args.c: expected date, not int"):
        codec.encode(1, c=5)


def test_positional_only_arguments_are_converted_too() -> None:
    def function(a: date, b: UUID = ID, /) -> None: ...

    codec = ArgsCodec(function)
    assert codec.decode(codec.encode(date(2026, 1, 2), ID)) == ([date(2026, 1, 2), ID], {})


def test_the_stored_args_are_left_as_they_are() -> None:
    codec = ArgsCodec(function_of(date))
    stored = {"value": "2026-01-02"}
    codec.decode(stored)
    assert stored == {"value": "2026-01-02"}


def test_unknown_keys_are_ignored_at_every_level() -> None:
    plain = {**Schema(strict=False).converter(Item).encode(Item("a", Decimal(1))), "later": 1}
    codec = ArgsCodec(function_of(list[Item]))
    assert codec.decode({"value": [plain], "later": 1})[1] == {"value": [Item("a", Decimal(1))]}


def test_unknown_keys_are_an_error_at_every_level_where_asked() -> None:
    plain = {**Schema(strict=False).converter(Item).encode(Item("a", Decimal(1))), "later": 1}
    codec = ArgsCodec(function_of(list[Item]), "error")
    with pytest.raises(InvalidArgs, match=r"args.value\[0\]: has keys that Item does not know: 'l"):
        codec.decode({"value": [plain]})
    with pytest.raises(InvalidArgs, match="keys that it does not take: later"):
        codec.decode({"value": [], "later": 1})
    with pytest.raises(ConfigError, match="unknown is 'maybe'"):
        ArgsCodec(function_of(int), "maybe")  # type: ignore[arg-type]  # the point


def test_of_two_models_the_one_that_knows_all_keys_is_chosen() -> None:
    @dataclass
    class Cat:
        name: str

    @dataclass
    class Dog:
        name: str
        breed: str = "none"

    converter = Schema(strict=False).converter(Cat | Dog)
    for value in (Cat("tom"), Dog("rex")):
        assert converter.decode(converter.encode(value)) == value
    assert converter.decode({"name": "rex", "breed": "x", "later": 1}) == Cat("rex")


@dataclass
class Tree:
    left: Tree | None = None
    right: Tree | None = None


def test_values_that_contain_themselves_are_refused() -> None:
    tree = Tree()
    tree.left = tree
    with pytest.raises(InvalidArgs, match="in a circle"):
        ArgsCodec(function_of(Tree)).encode(tree)


def later(order: Defined, other: Undefined) -> None: ...  # type: ignore[name-defined]  # noqa: F821


@dataclass
class Defined:
    day: date


def test_a_type_may_be_defined_below_and_one_that_is_nowhere_says_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    codec = ArgsCodec(later)
    with caplog.at_level(logging.WARNING, "staffa"):
        stored = codec.encode(Defined(date(2026, 1, 2)), {"any": "thing"})
        codec.encode(Defined(date(2026, 1, 2)), 5)
    assert stored == {"order": {"day": "2026-01-02"}, "other": {"any": "thing"}}
    assert codec.decode(stored)[1]["order"] == Defined(date(2026, 1, 2))
    assert len(caplog.records) == 1
    assert "later: the annotation of 'other' can't be resolved" in caplog.text


def test_plain_functions_have_no_converters_at_all() -> None:
    def function(a, b: Any = None, *, c: object = 1): ...  # type: ignore[no-untyped-def]

    codec = ArgsCodec(function)
    codec.encode(1)
    assert codec._ways is not None
    assert (codec._ways.encode, codec._ways.encode_other) == ([], None)
