"""Models that are made of fields: dataclasses, attrs classes, named tuples, typed dicts."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from staffa.args.converter import Converter, Kind, Mismatch, refuse

_OBJECT: frozenset[Kind] = frozenset({"object"})


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a model.

    Args:
        name: The name under which it is stored.
        keyword: The name by which the model takes it.
        converter: Converts its values.
        required: Whether the model has no default for it.
    """

    name: str
    keyword: str
    converter: Converter
    required: bool


def find_fields(
    model: type, hint_of: Callable[[str], Any], converter_of: Callable[[Any], Converter]
) -> Sequence[Field] | None:
    """Return the fields of a model, or None if it is not made of fields.

    Args:
        model: A class.
        hint_of: Returns the annotation of a field by its name.
        converter_of: Returns the converter of an annotation.
    """

    def field(name: str, *, required: bool, keyword: str = "") -> Field:
        return Field(name, keyword or name, converter_of(hint_of(name)), required)

    if dataclasses.is_dataclass(model):
        return [
            field(known.name, required=_is_required(known))
            for known in dataclasses.fields(model)
            if known.init
        ]
    if is_attrs(model):
        return [
            field(
                known.name,
                required=type(known.default).__name__ == "_Nothing",
                keyword=known.alias,
            )
            for known in vars(model)["__attrs_attrs__"]
            if known.init
        ]
    if is_typed_dict(model):
        return [
            field(name, required=_is_required_key(model, name, hint_of(name)))
            for name in model.__annotations__
        ]
    if is_named_tuple(model):
        defaults = model._field_defaults  # type: ignore[attr-defined]  # a NamedTuple has both
        return [field(name, required=name not in defaults) for name in model._fields]  # type: ignore[attr-defined]
    return None


def is_attrs(model: type) -> bool:
    """Tell whether a class was made by attrs."""
    return "__attrs_attrs__" in vars(model)


def is_typed_dict(model: Any) -> bool:
    """Tell whether a class is a `TypedDict`, of typing or of typing_extensions."""
    return isinstance(model, type) and issubclass(model, dict) and hasattr(model, "__total__")


def is_named_tuple(model: type) -> bool:
    """Tell whether a class was made by `typing.NamedTuple` or `collections.namedtuple`."""
    return issubclass(model, tuple) and hasattr(model, "_fields") and model is not typing.NamedTuple


def of_fields(model: type, fields: Sequence[Field], *, strict: bool) -> Converter:
    """Return the converter of a model that is made of fields.

    Args:
        model: The class.
        fields: Its fields.
        strict: Whether an unknown key of a row is an error.
    """
    if is_typed_dict(model):
        return _of_typed_dict(model, fields, strict=strict)
    buildable = _takes(model, fields)

    def encode(value: Any) -> dict[str, Any]:
        if type(value) is not model:
            raise refuse(model.__name__, value)
        if not buildable:
            raise Mismatch(
                f"is a {model.__name__}, which could not be made again: its __init__ takes other "
                "arguments than its fields"
            )
        return {
            field.name: _convert(field.converter.encode, field, getattr(value, field.name))
            for field in fields
        }

    def decode(plain: Any) -> Any:
        found = _read(model, fields, plain, strict=strict)
        arguments = {field.keyword: found[field.name] for field in fields if field.name in found}
        try:
            return model(**arguments)
        except Exception as error:  # noqa: BLE001  # users' code: whatever it raises refuses
            raise Mismatch(f"is no valid {model.__name__}", str(error)[:500]) from None

    return Converter(model.__name__, encode, decode, kinds=_OBJECT, python_type=model)


def _of_typed_dict(model: type, fields: Sequence[Field], *, strict: bool) -> Converter:
    known = {field.name for field in fields}

    def encode(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise refuse(model.__name__, value)
        if not value.keys() <= known:
            raise _unknown_keys(model, known, value)
        _check_that_none_lacks(model, fields, value)
        return {
            field.name: _convert(field.converter.encode, field, value[field.name])
            for field in fields
            if field.name in value
        }

    def decode(plain: Any) -> dict[str, Any]:
        return _read(model, fields, plain, strict=strict)

    return Converter(model.__name__, encode, decode, kinds=_OBJECT, python_type=dict)


def _read(model: type, fields: Sequence[Field], plain: Any, *, strict: bool) -> dict[str, Any]:
    """Return the values of the fields that a row has."""
    if type(plain) is not dict:
        raise refuse(model.__name__, plain)
    if strict and not plain.keys() <= {field.name for field in fields}:
        raise _unknown_keys(model, {field.name for field in fields}, plain)
    _check_that_none_lacks(model, fields, plain)
    return {
        field.name: _convert(field.converter.decode, field, plain[field.name])
        for field in fields
        if field.name in plain
    }


def _convert(way: Callable[[Any], Any], field: Field, value: Any) -> Any:
    try:
        return way(value)
    except Mismatch as error:
        raise error.within(f".{field.name}") from None


def _check_that_none_lacks(model: type, fields: Sequence[Field], given: Mapping[str, Any]) -> None:
    for field in fields:
        if field.required and field.name not in given:
            raise Mismatch(f"lacks {field.name!r}, which {model.__name__} requires")


def _unknown_keys(model: type, known: set[str], given: Mapping[Any, Any]) -> Mismatch:
    unknown = ", ".join(sorted(f"{key!r:.100}" for key in given.keys() - known))
    return Mismatch(f"has keys that {model.__name__} does not know", unknown[:500])


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _is_required_key(model: Any, name: str, hint: Any) -> bool:
    """Tell whether a key is required: `__required_keys__` can't see through text annotations."""
    said = getattr(typing.get_origin(hint), "_name", None)
    if said in ("Required", "NotRequired"):
        return bool(said == "Required")
    return name in model.__required_keys__


def _takes(model: type, fields: Sequence[Field]) -> bool:
    """Tell whether a class takes its fields, and needs nothing else."""
    try:
        inspect.signature(model).bind(**{field.keyword: None for field in fields})
    except (TypeError, ValueError):
        return False
    return True
