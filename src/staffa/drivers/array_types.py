"""A connection that knows the array types of PostgreSQL, which asyncpg asks each new session for.

It asks by three statements, one of which takes a hundred times as long where the server compiles
it. To prevent that, it switches compiling off for the session before and on again after: behind a
pooler in transaction mode, that reaches other sessions than the question, and stays there. The
numbers of these types have been the same in every version of PostgreSQL, so nothing is asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import asyncpg

_ELEMENTS = {
    1000: (16, "bool"),
    1001: (17, "bytea"),
    1005: (21, "int2"),
    1007: (23, "int4"),
    1016: (20, "int8"),
    1022: (701, "float8"),
    1115: (1114, "timestamp"),
    1185: (1184, "timestamptz"),
    2951: (2950, "uuid"),
    3807: (3802, "jsonb"),
}
"""The types of elements, with their names, by the number of the type of their arrays."""

_NOT_ASKED = SimpleNamespace(name="none")  # a name: no statement has replaced the nameless one


class Connection(asyncpg.Connection):
    """One that asks the server for other types than arrays of PostgreSQL's own only.

    It takes the place of a private method. Should a version of asyncpg have it no more, the server
    is asked as before.
    """

    async def _introspect_types(self, typeoids: Iterable[int], *args: Any) -> Any:
        """Return what is known of types, and the statement that asked for them."""
        if _ELEMENTS.keys() >= set(typeoids):
            return [_description(number) for number in typeoids], _NOT_ASKED
        return await super()._introspect_types(typeoids, *args)  # type: ignore[misc]  # private


def _description(array: int) -> dict[str, Any]:
    """Return what the driver would have been told."""
    element, name = _ELEMENTS[array]
    return {
        "oid": array,
        "ns": "pg_catalog",
        "name": f"_{name}",
        "kind": b"b",
        "basetype": None,
        "elemtype": element,
        "elemdelim": ",",
        "range_subtype": None,
        "attrtypoids": None,
        "attrnames": None,
        "basetype_name": None,
        "elemtype_name": name,
        "range_subtype_name": None,
    }
