"""What every annotation becomes: a way to plain JSON and back, and the error that says where not.

Converters never coerce on the way to JSON: a value that is not of its type is refused, with the
exceptions that Python's own typing makes (an int for a float, a subclass of a scalar).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Self

Kind = Literal["null", "boolean", "number", "string", "array", "object"]

EVERY_KIND: frozenset[Kind] = frozenset({"null", "boolean", "number", "string", "array", "object"})
_LONGEST_SHOWN = 100


class Mismatch(Exception):
    """A value that does not fit its annotation; the codecs make an `InvalidArgs` of it.

    Args:
        problem: What is wrong; it tells nothing of the data itself.
        shown: What of the data may be shown, unless the args are encrypted.
    """

    def __init__(self, problem: str, shown: str = "") -> None:
        super().__init__(problem)
        self._problem = problem
        self._shown = shown
        self._path: list[tuple[str, bool]] = []

    def within(self, part: str, *, data: bool = False) -> Self:
        """Add the next outer step of the path, and return itself.

        Args:
            part: Such as ``.price`` or ``[2]``.
            data: Whether the step is data, such as the key of a dict.
        """
        self._path.append((part, data))
        return self

    def describe(self, root: str, *, hide: bool = False) -> str:
        """Return the whole message.

        Args:
            root: What the path begins with.
            hide: Leaves out all that is data.

        Example:
            >>> error = Mismatch("expected int, not str", "'x'").within("[2]").within(".ids")
            >>> error.describe("args")
            "args.ids[2]: expected int, not str: 'x'"
        """
        path = "".join("[...]" if hide and data else part for part, data in reversed(self._path))
        shown = f": {self._shown}" if self._shown and not hide else ""
        return f"{root}{path}: {self._problem}{shown}"


class Converter:
    """The way of one type to plain JSON and back.

    Args:
        name: How errors name the type.
        encode: Returns plain JSON; raises `Mismatch`.
        decode: Returns the value of plain JSON; raises `Mismatch`.
        kinds: Which kinds of JSON values it makes.
        python_type: The type of its values, if there is one.
        rank: The later in a union, the higher: how much else of the same kind it would accept.
    """

    __slots__ = ("decode", "encode", "kinds", "name", "python_type", "rank")

    def __init__(
        self,
        name: str,
        encode: Callable[[Any], Any],
        decode: Callable[[Any], Any],
        *,
        kinds: frozenset[Kind] = EVERY_KIND,
        python_type: type | None = None,
        rank: int = 0,
    ) -> None:
        self.name = name
        self.encode = encode
        self.decode = decode
        self.kinds = kinds
        self.python_type = python_type
        self.rank = rank

    def become(self, other: Converter) -> None:
        """Take over what another one does: for types that contain themselves."""
        for slot in Converter.__slots__:
            setattr(self, slot, getattr(other, slot))

    def __repr__(self) -> str:
        return f"<Converter {self.name}>"


def _unchanged(value: Any) -> Any:
    return value


ANY = Converter("Any", _unchanged, _unchanged)
"""Plain JSON as it stands: what has no annotation, or one that says nothing."""


def unfinished(name: str) -> Converter:
    """Return a converter that is to become another one, once that is made."""
    return Converter(name, _unchanged, _unchanged)


def refuse(expected: str, value: Any) -> Mismatch:
    """Return the error for a value of a wrong type.

    Example:
        >>> str(refuse("int", "x"))
        'expected int, not str'
    """
    return Mismatch(f"expected {expected}, not {type(value).__name__}", show(value))


def show(value: Any) -> str:
    """Return a short text of a scalar, nothing of anything else: its `repr` may be anybody's."""
    if type(value) is str:
        return repr(value[:_LONGEST_SHOWN])
    if type(value) in (bool, float) or (type(value) is int and value.bit_length() <= 128):
        return repr(value)
    return ""


def kind_of(plain: Any) -> Kind:
    """Return the kind of a plain JSON value."""
    match plain:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case dict():
            return "object"
        case _:
            return "array"
