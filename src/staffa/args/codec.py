"""Bind the arguments of a function to names, and call it with what a row holds.

The annotations are the schema: they say how a value becomes plain JSON, and how it comes back. They
are compiled once, at the first use. A parameter whose annotation says nothing costs nothing.

Keys that the function does not take are ignored when a row is read, unless asked otherwise: a newer
client may send more than an older worker knows. A missing one can't be mended by a retry.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from staffa.args.converter import ANY, Converter, Mismatch
from staffa.args.hints import hints_of
from staffa.args.schema import Schema
from staffa.args.unions import optional
from staffa.errors import ConfigError, InvalidArgs

Unknown = Literal["ignore", "error"]
"""What becomes of keys of a row that the code does not know."""

Way = Callable[[Any], Any]

_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a function takes.

    Args:
        names: Its parameters, in order.
        required: Those without a default.
        takes_more: Whether it takes any others as well, by ``**``.
    """

    names: tuple[str, ...]
    required: frozenset[str]
    takes_more: bool


class ArgsCodec:
    """The arguments of one function.

    Args:
        function: The function; its parameters are the schema.
        unknown: Whether keys that it does not take are ignored or an error.

    Raises:
        InvalidArgs: If it takes ``*args``, which have no names to be stored under.

    Example:
        >>> codec = ArgsCodec(lambda to, subject="hi": None)
        >>> codec.encode("a@example.com")
        {'to': 'a@example.com'}
        >>> codec.decode({"to": "a@example.com", "later": 1})
        ([], {'to': 'a@example.com'})
    """

    def __init__(self, function: Callable[..., Any], unknown: Unknown = "ignore") -> None:
        self._function = function
        self._strict = check_unknown(unknown) == "error"
        self._name = getattr(function, "__qualname__", repr(function))
        self._signature = inspect.signature(function)
        parameters = self._signature.parameters.values()
        kinds = {parameter.kind for parameter in parameters}
        if inspect.Parameter.VAR_POSITIONAL in kinds:
            raise InvalidArgs(
                f"{self._name} takes *args, which have no names to be stored under: "
                "name its parameters, or take one list"
            )
        var_keyword = [
            parameter.name
            for parameter in parameters
            if parameter.kind is inspect.Parameter.VAR_KEYWORD
        ]
        self._rest = var_keyword[0] if var_keyword else None
        self._positional = [
            parameter.name
            for parameter in parameters
            if parameter.kind is inspect.Parameter.POSITIONAL_ONLY
        ]
        self._named = frozenset(
            parameter.name for parameter in parameters if parameter.kind in _BY_NAME
        )
        self._required = frozenset(
            parameter.name
            for parameter in parameters
            if parameter.default is inspect.Parameter.empty
            and parameter.kind is not inspect.Parameter.VAR_KEYWORD
        )
        self._exact = None if self._positional or self._rest is not None else self._named
        self._by_place = [
            parameter.name
            for parameter in parameters
            if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        ]
        self._ways: _Ways | None = None

    @property
    def parameters(self) -> Parameters:
        """What the function takes."""
        names = tuple(name for name in self._signature.parameters if name != self._rest)
        return Parameters(names, self._required, takes_more=self._rest is not None)

    def encode_some(self, values: Mapping[str, Any], *, hide: bool = False) -> dict[str, Any]:
        """Return some of the arguments, given by their names, as plain JSON.

        Args:
            values: The arguments.
            hide: Keeps what is data out of errors.

        Raises:
            InvalidArgs: If a value does not fit its annotation.
        """
        ways = self._ways or self._compile()
        arguments = dict(values)
        self._convert(arguments, ways.encode, ways.encode_other, hide=hide)
        return arguments

    def encode(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the arguments of a call by name, as plain JSON; see `bind`."""
        return self.bind(args, kwargs)

    def bind(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, hide: bool = False
    ) -> dict[str, Any]:
        """Return the arguments of a call by name, as plain JSON.

        Args:
            args: The positional ones.
            kwargs: The named ones.
            hide: Keeps what is data out of errors.

        Raises:
            InvalidArgs: If the function can't be called so, or a value does not fit its annotation.
        """
        ways = self._ways or self._compile()
        if not kwargs and len(args) == len(self._by_place) == len(self._exact or ()):
            arguments = dict(zip(self._by_place, args, strict=True))  # no need of the signature
            self._convert(arguments, ways.encode, None, hide=hide)
        else:
            arguments = self._bind(args, kwargs)
            self._convert(arguments, ways.encode, ways.encode_other, hide=hide)
        return arguments

    def _bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise InvalidArgs(f"{self._name}{self._signature}: {error}") from None
        arguments = dict(bound.arguments)
        if self._rest is not None:
            for name, value in arguments.pop(self._rest, {}).items():
                if name in arguments:
                    raise InvalidArgs(
                        f"{self._name}{self._signature} is given {name!r} twice: by position "
                        "and by name; rows hold one value for a name"
                    )
                arguments[name] = value
        return arguments

    def decode(
        self, stored: Mapping[str, Any], *, hide: bool = False
    ) -> tuple[list[Any], dict[str, Any]]:
        """Return the positional and the named arguments for a call.

        Args:
            stored: What the row holds.
            hide: Keeps what is data out of errors.

        Raises:
            InvalidArgs: If a required argument is not there, or a value does not fit its
                annotation.
        """
        ways = self._ways or self._compile()
        if self._exact is not None and stored.keys() == self._exact:  # as it is enqueued here
            values = dict(stored)
            if ways.decode:
                self._convert(values, ways.decode, None, hide=hide)
            return [], values
        missing = self._required - stored.keys()
        if missing:
            there = "" if hide else f": they have {', '.join(sorted(stored)) or 'nothing'}"
            raise InvalidArgs(
                f"{self._name} needs {', '.join(sorted(missing))}, which the job's args lack{there}"
            )
        if self._strict:
            self._refuse_unknown(stored, hide=hide)
        values = dict(stored)
        self._convert(values, ways.decode, ways.decode_other, hide=hide)
        given = [index for index, name in enumerate(self._positional) if name in stored]
        wanted = self._positional[: given[-1] + 1] if given else []
        parameters = self._signature.parameters
        positional = [values.get(name, parameters[name].default) for name in wanted]
        if self._rest is not None:
            named = {key: values[key] for key in values if key not in self._positional}
        elif values.keys() <= self._named:
            named = values
        else:
            named = {key: values[key] for key in values if key in self._named}
        return positional, named

    def _convert(
        self,
        values: dict[str, Any],
        ways: Sequence[tuple[str, Way]],
        other: Way | None,
        *,
        hide: bool,
    ) -> None:
        name = ""
        try:
            for name, way in ways:
                if name in values:
                    values[name] = way(values[name])
            if other is not None:
                for name in values.keys() - self._named - set(self._positional):
                    values[name] = other(values[name])
        except Mismatch as error:
            where = error.within(f".{name}", data=name not in self._signature.parameters)
            raise InvalidArgs(f"{self._name}: {where.describe('args', hide=hide)}") from None
        except RecursionError:
            raise InvalidArgs(f"{self._name}: args are nested too deep, or in a circle") from None

    def _refuse_unknown(self, stored: Mapping[str, Any], *, hide: bool) -> None:
        unknown = stored.keys() - self._named - set(self._positional)
        if unknown and self._rest is None:
            which = "" if hide else f": {', '.join(sorted(unknown))[:500]}"
            raise InvalidArgs(f"{self._name}: args have keys that it does not take{which}")

    def _compile(self) -> _Ways:
        hints, schema = hints_of(self._function), Schema(strict=self._strict)
        named: dict[str, Converter] = {}
        other = ANY
        for parameter in self._signature.parameters.values():
            converter = schema.converter(hints.get(parameter.name, Any))
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                other = converter
            elif converter is not ANY:
                named[parameter.name] = (
                    optional(converter) if parameter.default is None else converter
                )
        self._ways = _Ways(
            encode=[(name, converter.encode) for name, converter in named.items()],
            decode=[(name, converter.decode) for name, converter in named.items()],
            encode_other=None if other is ANY else other.encode,
            decode_other=None if other is ANY else other.decode,
        )
        return self._ways


@dataclass(frozen=True, slots=True)
class _Ways:
    """The converters of a function's parameters that have one."""

    encode: Sequence[tuple[str, Way]]
    decode: Sequence[tuple[str, Way]]
    encode_other: Way | None
    decode_other: Way | None


def check_unknown(value: object) -> Unknown:
    """Return what is to become of unknown keys, or refuse it.

    Raises:
        ConfigError: If it is neither "ignore" nor "error".
    """
    if value == "ignore" or value == "error":  # narrows the type
        return value
    raise ConfigError(f"unknown is {value!r:.100}: give 'ignore' or 'error'")
