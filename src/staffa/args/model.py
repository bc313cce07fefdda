"""Args that are one model: `@worker(args=Order)`."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from staffa._internal import json
from staffa.args.codec import Unknown, check_unknown
from staffa.args.converter import Converter, Mismatch
from staffa.args.fields import is_attrs, is_named_tuple, is_typed_dict
from staffa.args.libraries import is_msgspec, is_pydantic
from staffa.args.plain import dump_object
from staffa.args.schema import Schema
from staffa.errors import ConfigError, InvalidArgs


class ModelCodec:
    """The args of a worker class that declares a model.

    Args:
        model: A class with fields: a dataclass, `TypedDict`, `NamedTuple`, or a model of pydantic,
            msgspec or attrs.
        owner: How errors name the worker.
        unknown: Whether keys of a row that the model does not know are ignored or an error.

    Raises:
        ConfigError: If the model's values are no JSON objects.

    Example:
        >>> from typing import NamedTuple
        >>> class Order(NamedTuple):
        ...     id: int
        ...     copies: int = 1
        >>> codec = ModelCodec(Order, "Print")
        >>> codec.encode(Order(5))
        {'id': 5, 'copies': 1}
        >>> codec.encode({"id": 5})
        {'id': 5, 'copies': 1}
        >>> codec.decode({"id": 5, "later": True})
        Order(id=5, copies=1)
    """

    def __init__(self, model: Any, owner: str, unknown: Unknown = "ignore") -> None:
        self._model = model
        self._owner = owner
        self._unknown = check_unknown(unknown)
        if not _has_fields(model):
            raise ConfigError(
                f"args= of {owner} is {model!r:.200}: give a class with fields, such as a dataclass"
            )

    @functools.cached_property
    def _converter(self) -> Converter:
        """Made at the first use: the model may mention types that are defined below the worker."""
        return Schema(strict=self._unknown == "error").converter(self._model)

    @functools.cached_property
    def _strict(self) -> Converter:
        return Schema(strict=True).converter(self._model)

    def encode(self, args: Any, *, hide: bool = False) -> dict[str, Any]:
        """Return the plain args of a model, or of a mapping in the model's JSON form.

        A mapping is checked strictly, also for unknown keys: who writes it can be told.

        Raises:
            InvalidArgs: If it is no such model, or the mapping makes none.
        """
        if isinstance(args, Mapping) and not is_typed_dict(self._model):
            stored = json.loads(dump_object(args, "args", hide=hide))
            args = self._run(self._strict.decode, stored, hide=hide)
        found = self._run(self._converter.encode, args, hide=hide)
        assert isinstance(found, dict)  # noqa: S101  # its kind is an object
        return found

    def decode(self, stored: Mapping[str, Any], *, hide: bool = False) -> Any:
        """Return the model of a row.

        Raises:
            InvalidArgs: If the row's args make none.
        """
        return self._run(self._converter.decode, dict(stored), hide=hide)

    def _run(self, way: Any, value: Any, *, hide: bool) -> Any:
        try:
            return way(value)
        except Mismatch as error:
            raise InvalidArgs(f"{self._owner}: {error.describe('args', hide=hide)}") from None
        except RecursionError:
            raise InvalidArgs(f"{self._owner}: args are nested too deep, or in a circle") from None


def declared_model(owner: type, options: Mapping[str, Any]) -> ModelCodec | None:
    """Return the codec of the model that a worker class declares for its args, if it does.

    Raises:
        ConfigError: If it is no model, or keys are to be known without one.
    """
    if options.get("args") is not None:
        return ModelCodec(options["args"], owner.__qualname__, options.get("unknown", "ignore"))
    if "unknown" in options:
        raise ConfigError(f"unknown= of {owner.__qualname__} needs args=: a model to know keys")
    return None


def _has_fields(model: Any) -> bool:
    """Tell whether the values of a class are JSON objects."""
    if not isinstance(model, type):
        return False
    if is_pydantic(model):
        return "root" not in model.model_fields  # type: ignore[attr-defined]  # a model has it
    if is_msgspec(model):
        return not model.__struct_config__.array_like  # type: ignore[attr-defined]  # a struct has it
    kinds = (dataclasses.is_dataclass, is_attrs, is_typed_dict, is_named_tuple)
    return any(is_kind(model) for is_kind in kinds)
