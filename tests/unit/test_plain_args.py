"""What args and meta may hold: plain JSON that comes back as it was given."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffa._internal import json
from staffa.args import plain
from staffa.args.plain import MAX_DEPTH, dump_object
from staffa.errors import InvalidArgs
from tests.unit.test_json import TEXTS, VALUES


class Colour(StrEnum):
    RED = "red"


class Size(IntEnum):
    LARGE = 3


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Point(NamedTuple):
    x: int
    y: int


@dataclass
class Letter:
    to: str


class ReadOnly(Mapping[str, Any]):
    def __getitem__(self, key: str) -> Any:
        return {"a": 1}[key]

    def __iter__(self) -> Iterator[str]:
        return iter(["a"])

    def __len__(self) -> int:
        return 1


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@given(st.dictionaries(TEXTS, VALUES))
def test_any_plain_object_comes_back_as_it_was(value: dict[str, Any]) -> None:
    assert json.loads(dump_object(value, "args")) == value


def test_tuples_count_as_lists_and_subclasses_of_dict_as_dicts() -> None:
    value = {"t": (1, (2,)), "o": OrderedDict(a=1), "d": defaultdict(int, b=2), "p": Point(1, 2)}
    expected = {"t": [1, [2]], "o": {"a": 1}, "d": {"b": 2}, "p": [1, 2]}
    assert json.loads(dump_object(value, "args")) == expected


def test_any_mapping_may_be_the_object_itself() -> None:
    assert dump_object(ReadOnly(), "args") == '{"a":1}'


@pytest.mark.parametrize("value", [None, [], "text", 1, {"a"}, [("a", 1)]])
def test_what_is_no_mapping_is_refused_by_its_name(value: Any) -> None:
    with pytest.raises(InvalidArgs, match=r"^meta must be a mapping"):
        dump_object(value, "meta")


@pytest.mark.parametrize(
    "value",
    [
        Colour.RED, Size.LARGE, Text("a"), Number(1), Letter("ada"), b"bytes", {1}, object(),
        Decimal(1), UUID(int=1), datetime(2026, 1, 1, tzinfo=UTC), 1j, ReadOnly(), range(3),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_other_types_are_refused_with_the_place_where_they_are(value: object) -> None:
    with pytest.raises(InvalidArgs, match=rf"args\.to\[1\] is of type {type(value).__name__}"):
        dump_object({"to": [1, value]}, "args")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_float_that_json_lacks_is_refused(number: float) -> None:
    with pytest.raises(InvalidArgs, match=r"args\.a\.b is -?(nan|inf)"):
        dump_object({"a": {"b": number}}, "args")


@pytest.mark.parametrize("key", [1, None, True, 1.5, ("a",), b"a"])
def test_a_key_that_is_no_string_is_refused(key: object) -> None:
    with pytest.raises(InvalidArgs, match=r"args\.a has the key .* must be strings"):
        dump_object({"a": {key: 1}}, "args")


@pytest.mark.parametrize("text", ["a\x00", "\ud800", "a\udfffb"])
@pytest.mark.parametrize("as_key", [False, True])
def test_text_that_the_database_cannot_store_is_refused(text: str, as_key: bool) -> None:
    with pytest.raises(InvalidArgs, match=r"NUL character|lone surrogate"):
        dump_object({"a": {text: 1} if as_key else [text]}, "args")


def test_a_key_of_a_subclass_of_str_is_refused() -> None:
    with pytest.raises(InvalidArgs, match="Text"):
        dump_object({Text("a"): 1}, "args")


def test_nesting_has_a_limit() -> None:
    dump_object(nested(MAX_DEPTH), "args")
    with pytest.raises(InvalidArgs, match="nested deeper than 100"):
        dump_object(nested(MAX_DEPTH + 1), "args")


def test_an_object_that_contains_itself_is_refused() -> None:
    value: dict[str, Any] = {}
    value["itself"] = [value]
    with pytest.raises(InvalidArgs, match="nested deeper"):
        dump_object(value, "args")


def test_an_integer_that_no_reader_could_decode_is_refused() -> None:
    with pytest.raises(InvalidArgs):
        dump_object({"number": 10**5000}, "args")


def test_an_object_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "MAX_CHARACTERS", 12)
    assert dump_object({"a": "1234"}, "args") == '{"a":"1234"}'
    with pytest.raises(InvalidArgs, match="store it elsewhere"):
        dump_object({"a": "12345"}, "args")


def test_messages_stay_short_whatever_was_given() -> None:
    for value in ("x" * 100_000, {"a": "\x00" * 100_000}):
        with pytest.raises(InvalidArgs) as caught:
            dump_object(value, "args")  # type: ignore[arg-type]  # the wrong type is the point
        assert len(str(caught.value)) < 500


def test_messages_stay_short_however_long_a_key_is_and_whatever_the_number() -> None:
    key = "x" * 1_000_000
    for value in (10**5000, object(), float("nan"), "a\x00b", {5: 1}, {10**5000: 1}):
        with pytest.raises(InvalidArgs) as caught:
            dump_object({key: {"inner": value}}, "args")
        assert len(str(caught.value)) < 1000


@given(st.dictionaries(TEXTS, VALUES))
def test_an_object_that_is_surely_plain_has_the_same_text(value: dict[str, Any]) -> None:
    assert plain._dump_flat(value) in (None, json.dumps(value))


@pytest.mark.parametrize(
    "value",
    [
        {"a": "b\x00"}, {"a\x00": 1}, {"a": "\ud800"}, {"\ud800": 1}, {"a": float("nan")},
        {"a": Colour.RED}, {"a": Size.LARGE}, {"a": Text("t")}, {Text("t"): 1}, {"a": Number(1)},
        {1: 1}, {"a": UUID(int=1)}, {"a": datetime(2026, 1, 1, tzinfo=UTC)}, {"a": 2**20_000},
    ],
)  # fmt: skip
def test_a_flat_object_that_is_not_plain_is_refused(value: dict[Any, Any]) -> None:
    with pytest.raises(InvalidArgs):
        dump_object(value, "args")
