"""Binding a call's arguments to names, and calling with what a row holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffa.args.codec import ArgsCodec
from staffa.errors import InvalidArgs
from tests.unit.test_json import TEXTS


def record(a: Any, /, b: Any, c: Any = 3, *, d: Any, e: Any = 5, **rest: Any) -> Any:
    return a, b, c, d, e, rest


def plain(to: str, subject: str = "hi") -> tuple[str, str]:
    return to, subject


def positional(a: int = 1, b: int = 2, /) -> tuple[int, int]:
    return a, b


def call(function: Callable[..., Any], stored: dict[str, Any]) -> Any:
    args, kwargs = ArgsCodec(function).decode(stored)
    return function(*args, **kwargs)


@given(
    st.integers(), st.integers(), st.integers(), st.integers(),
    st.dictionaries(TEXTS.filter(lambda key: key not in "abcde"), st.integers()),
)  # fmt: skip
def test_every_kind_of_parameter_comes_back_where_it_was(
    a: int, b: int, c: int, d: int, rest: dict[str, int]
) -> None:
    codec = ArgsCodec(record)
    stored = codec.encode(a, b, c, d=d, **rest)
    assert call(record, stored) == record(a, b, c, d=d, **rest)
    stored = codec.encode(a, b=b, d=d, **rest)
    assert call(record, stored) == record(a, b, d=d, **rest)


def test_defaults_are_not_stored_so_that_new_code_may_change_them() -> None:
    assert ArgsCodec(plain).encode("ada") == {"to": "ada"}
    assert ArgsCodec(positional).encode() == {}


def test_further_arguments_are_stored_beside_the_named_ones() -> None:
    def function(x: int, **kwargs: int) -> None: ...

    assert ArgsCodec(function).encode(1, y=2, kwargs=3) == {"x": 1, "y": 2, "kwargs": 3}


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), ((1, 2, 3), {}), (("a",), {"to": "b"}), (("a",), {"subjekt": "b"})],
    ids=["missing", "too many", "twice", "unknown"],
)
def test_a_wrong_call_is_refused_with_the_signature(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    with pytest.raises(InvalidArgs, match=r"plain\(to"):
        ArgsCodec(plain).encode(*args, **kwargs)


def test_arguments_without_names_are_refused_when_the_function_is_decorated() -> None:
    def function(*values: int) -> None: ...

    with pytest.raises(InvalidArgs, match=r"function takes \*args"):
        ArgsCodec(function)


def test_two_arguments_that_would_share_a_name_are_refused() -> None:
    def function(a: int, /, **rest: int) -> tuple[int, dict[str, int]]:
        return a, rest

    with pytest.raises(InvalidArgs):
        ArgsCodec(function).encode(1, a=2)


def test_keys_that_the_function_does_not_take_are_ignored() -> None:
    assert call(plain, {"to": "ada", "later": 1}) == ("ada", "hi")


def test_a_missing_argument_is_named_with_what_is_there() -> None:
    with pytest.raises(InvalidArgs, match=r"plain needs to, .* they have nothing"):
        ArgsCodec(plain).decode({})
    with pytest.raises(InvalidArgs, match=r"plain needs to, .* they have from, subject"):
        ArgsCodec(plain).decode({"subject": "a", "from": "b"})


def test_positional_only_arguments_keep_their_places() -> None:
    assert call(positional, {"b": 9, "a": 8}) == (8, 9)
    assert call(positional, {"a": 8}) == (8, 2)


def test_a_positional_only_argument_is_not_lost_where_an_earlier_one_is_left_out() -> None:
    assert call(positional, {"b": 9}) == (1, 9)


def test_a_name_of_a_positional_only_argument_is_not_passed_twice() -> None:
    def function(a: int, /, **rest: int) -> tuple[int, dict[str, int]]:
        return a, rest

    assert call(function, {"a": 1, "b": 2}) == (1, {"b": 2})
