"""Bind the arguments of a function to names, and call it with what a row holds.

Keys that the function does not take are ignored when a row is read: a newer client may send more
than an older worker knows. A missing one can't be mended by a retry.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from staffa.errors import InvalidArgs

_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class ArgsCodec:
    """The arguments of one function.

    Args:
        function: The function; its parameters are the schema.

    Raises:
        InvalidArgs: If it takes ``*args``, which have no names to be stored under.

    Example:
        >>> codec = ArgsCodec(lambda to, subject="hi": None)
        >>> codec.encode("a@example.com")
        {'to': 'a@example.com'}
        >>> codec.decode({"to": "a@example.com", "later": 1})
        ([], {'to': 'a@example.com'})
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._name = getattr(function, "__qualname__", repr(function))
        self._signature = inspect.signature(function)
        parameters = self._signature.parameters.values()
        kinds = {parameter.kind for parameter in parameters}
        if inspect.Parameter.VAR_POSITIONAL in kinds:
            raise InvalidArgs(
                f"{self._name} takes *args, which have no names to be stored under: "
                "name its parameters, or take one list"
            )
        self._takes_any = inspect.Parameter.VAR_KEYWORD in kinds
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

    def encode(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the arguments of a call by name.

        Raises:
            InvalidArgs: If the function can't be called so.
        """
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise InvalidArgs(f"{self._name}{self._signature}: {error}") from None
        arguments = dict(bound.arguments)
        for parameter in self._signature.parameters.values():
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                for name, value in arguments.pop(parameter.name, {}).items():
                    if name in arguments:
                        raise InvalidArgs(
                            f"{self._name}{self._signature} is given {name!r} twice: by position "
                            "and by name; rows hold one value for a name"
                        )
                    arguments[name] = value
        return arguments

    def decode(self, stored: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Return the positional and the named arguments for a call.

        Raises:
            InvalidArgs: If a required argument is not there.
        """
        missing = self._required - stored.keys()
        if missing:
            raise InvalidArgs(
                f"{self._name} needs {', '.join(sorted(missing))}, which the job's args lack: "
                f"they have {', '.join(sorted(stored)) or 'nothing'}"
            )
        given = [index for index, name in enumerate(self._positional) if name in stored]
        wanted = self._positional[: given[-1] + 1] if given else []
        parameters = self._signature.parameters
        positional = [stored.get(name, parameters[name].default) for name in wanted]
        if self._takes_any:
            named = {key: stored[key] for key in stored if key not in self._positional}
        elif stored.keys() <= self._named:
            named = dict(stored)
        else:
            named = {key: stored[key] for key in stored if key in self._named}
        return positional, named
