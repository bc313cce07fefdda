"""How many rows a statement takes after others took too long."""

from __future__ import annotations

from contextlib import suppress

import pytest

from staffa.errors import DatabaseError, DatabaseUnavailable, StatementConflict
from staffa.portions import Portion

TOO_LONG = StatementConflict("canceled", sqlstate="57014")


def sizes(portion: Portion, *results: Exception | None, wanted: int | None = None) -> list[int]:
    """Return how many rows each try took."""
    taken = []
    for error in results:
        with suppress(DatabaseError), portion.tried(wanted) as count:
            taken.append(count)
            if error is not None:
                raise error
    return taken


def test_it_shrinks_to_one_row_and_grows_back_to_all() -> None:
    portion = Portion(100)
    assert sizes(portion, *[TOO_LONG] * 6) == [100, 25, 6, 1, 1, 1]
    assert sizes(portion, *[None] * 9) == [1, 2, 4, 8, 16, 32, 64, 100, 100]


def test_it_shrinks_from_what_was_wanted() -> None:
    assert sizes(Portion(5000), TOO_LONG, TOO_LONG, None, wanted=10) == [10, 2, 1]


@pytest.mark.parametrize(
    "error", [DatabaseUnavailable("gone"), StatementConflict("deadlock", sqlstate="40P01")]
)
def test_other_errors_do_not_change_it(error: Exception) -> None:
    assert sizes(Portion(100), error, error) == [100, 100]
