"""Unions: one of several types.

JSON does not say which type a value was of. So what is written is read back at once, wherever two
members have the same kind of JSON; a value that would come back as another type is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

from staffa.args.converter import Converter, Mismatch, kind_of, refuse
from staffa.args.scalars import NONE


def optional(member: Converter) -> Converter:
    """Return the converter of ``T | None``."""

    def encode(value: Any) -> Any:
        return None if value is None else member.encode(value)

    def decode(value: Any) -> Any:
        return None if value is None else member.decode(value)

    return Converter(
        f"{member.name} | None",
        encode,
        decode,
        kinds=member.kinds | NONE.kinds,
        python_type=member.python_type,
        rank=member.rank,
    )


def union(members: Sequence[Converter], exact: Sequence[Converter]) -> Converter:
    """Return the converter of ``A | B``.

    Args:
        members: The types, in any order.
        exact: The same, but refusing unknown keys: of two models, the one that knows all keys of a
            row goes before one that would drop some.
    """
    return _Union(members, exact).converter()


class _Union:
    def __init__(self, members: Sequence[Converter], exact: Sequence[Converter]) -> None:
        self._members = members
        self._by_rank = sorted(range(len(members)), key=lambda index: members[index].rank)
        self._exact = exact
        self._name = " | ".join(member.name for member in members)
        self._overlap = any(one.kinds & other.kinds for one, other in combinations(members, 2))

    def converter(self) -> Converter:
        kinds = frozenset().union(*(member.kinds for member in self._members))
        rank = max(member.rank for member in self._members)
        return Converter(self._name, self._encode, self._decode, kinds=kinds, rank=rank)

    def _encode(self, value: Any) -> Any:
        refused: list[Mismatch] = []
        for index in self._candidates(value):
            member = self._members[index]
            try:
                plain = member.encode(value)
            except Mismatch as error:
                if member.python_type is type(value):
                    refused.append(error)
                continue
            if self._overlap:
                self._check_that_it_comes_back(plain, index)
            return plain
        if len(refused) == 1:
            raise refused[0]
        raise refuse(self._name, value)

    def _candidates(self, value: Any) -> Iterator[int]:
        """Yield the members, those of the value's own type first."""
        own = [self._members[index].python_type is type(value) for index in self._by_rank]
        yield from (index for index, is_own in zip(self._by_rank, own, strict=True) if is_own)
        yield from (index for index, is_own in zip(self._by_rank, own, strict=True) if not is_own)

    def _check_that_it_comes_back(self, plain: Any, index: int) -> None:
        found = self._read(plain)
        if found is None or found[0] != index:
            other = "nothing" if found is None else self._members[found[0]].name
            raise Mismatch(
                f"is a {self._members[index].name} that would come back as {other}: annotate one "
                f"of them, or give them a field that tells them apart"
            )

    def _decode(self, value: Any) -> Any:
        found = self._read(value)
        if found is not None:
            return found[1]
        kind = kind_of(value)
        fitting = [member for member in self._members if kind in member.kinds]
        if len(fitting) == 1:
            fitting[0].decode(value)  # says where exactly it does not fit
        raise refuse(self._name, value)

    def _read(self, plain: Any) -> tuple[int, Any] | None:
        """Return which member reads a value, and what it makes of it."""
        kind = kind_of(plain)
        for members in (self._exact, self._members):
            for index in self._by_rank:
                if kind not in members[index].kinds:
                    continue
                try:
                    return index, members[index].decode(plain)
                except Mismatch:
                    continue
        return None
