"""Models of pydantic and msgspec, which convert themselves.

Neither is imported here unless a type is theirs. Both may hold what JSON can't tell (a secret that
prints stars, bytes that are no text), so what was written is read back and compared.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

from staffa._internal import json
from staffa._internal.lazy import load
from staffa.args.converter import EVERY_KIND, Converter, Mismatch, kind_of, refuse

_WHERE = re.compile(r"^(.*) - at `\$(.*)`$", re.DOTALL)


def is_pydantic(model: type) -> bool:
    """Tell whether a class is a model of pydantic (its dataclasses are dataclasses)."""
    return hasattr(model, "__pydantic_validator__") and hasattr(model, "model_validate_json")


def is_msgspec(model: type) -> bool:
    """Tell whether a class is a struct of msgspec."""
    return hasattr(model, "__struct_fields__") and hasattr(model, "__struct_config__")


def of_pydantic(model: Any, *, strict: bool) -> Converter:
    """Return the converter of a pydantic model.

    Args:
        model: The class.
        strict: Whether an unknown key of a row is an error: that of nested models from pydantic
            2.12 on, else that of the model itself.
    """
    by_alias = all(
        field.serialization_alias == field.validation_alias for field in model.model_fields.values()
    )
    known = {
        name
        for field_name, field in model.model_fields.items()
        for name in (field_name, field.alias, field.validation_alias)
        if isinstance(name, str)
    }
    forbids = "extra" in inspect.signature(model.model_validate_json).parameters
    options = {"extra": "forbid"} if strict and forbids else {}

    def encode(value: Any) -> Any:
        if type(value) is not model:
            raise refuse(model.__name__, value)
        try:
            plain = value.model_dump(mode="json", by_alias=by_alias, round_trip=True)
        except Exception as error:  # noqa: BLE001  # serialisers are users' code
            raise Mismatch(f"is a {model.__name__} that can't be JSON", str(error)[:500]) from None
        found = decode(plain)
        for name, field in model.model_fields.items():
            if not field.exclude and getattr(found, name) != getattr(value, name):
                raise _changed(model).within(f".{name}")
        return plain

    def decode(plain: Any) -> Any:
        if strict and not forbids and isinstance(plain, dict) and not plain.keys() <= known:
            unknown = ", ".join(sorted(repr(key) for key in plain.keys() - known))
            raise Mismatch(f"has keys that {model.__name__} does not know", unknown[:500])
        try:
            return model.model_validate_json(json.dumps(plain), **options)
        except Exception as error:  # noqa: BLE001  # validators are users' code
            raise _of_validation_error(model, error) from None

    kinds = EVERY_KIND if "root" in model.model_fields else frozenset({kind_of({})})
    return Converter(model.__name__, encode, decode, kinds=kinds, python_type=model)


def of_msgspec(model: Any, *, strict: bool) -> Converter:
    """Return the converter of a msgspec struct.

    Args:
        model: The class.
        strict: Whether an unknown key of a row is an error; nested structs go by their own
            ``forbid_unknown_fields``.
    """
    convert, to_builtins = load("msgspec:convert"), load("msgspec:to_builtins")
    config = model.__struct_config__
    known = {*model.__struct_encode_fields__, *filter(None, [config.tag_field])}

    def encode(value: Any) -> Any:
        if type(value) is not model:
            raise refuse(model.__name__, value)
        try:
            plain = to_builtins(value, str_keys=True)
        except Exception as error:  # noqa: BLE001  # hooks are users' code
            raise Mismatch(f"is a {model.__name__} that can't be JSON", str(error)[:500]) from None
        if decode(plain) != value:
            raise _changed(model)
        return plain

    def decode(plain: Any) -> Any:
        if strict and isinstance(plain, dict) and not plain.keys() <= known:
            unknown = ", ".join(sorted(repr(key) for key in plain.keys() - known))
            raise Mismatch(f"has keys that {model.__name__} does not know", unknown[:500])
        try:
            return convert(plain, model, str_keys=True)
        except Exception as error:  # noqa: BLE001  # hooks are users' code
            found = _WHERE.match(str(error))
            what, where = (found[1], found[2]) if found else (str(error), "")
            return _raise(Mismatch(f"is no valid {model.__name__}", what[:500]), where)

    kinds = frozenset({kind_of([] if config.array_like else {})})
    return Converter(model.__name__, encode, decode, kinds=kinds, python_type=model)


def _raise(error: Mismatch, where: str) -> Any:
    raise error.within(where, data=True) from None


def _changed(model: type) -> Mismatch:
    return Mismatch(
        f"would not come back from JSON as it was: give {model.__name__} fields whose JSON "
        "tells the whole value"
    )


def _of_validation_error(model: type, error: Exception) -> Mismatch:
    """Return the first of pydantic's errors, with its place."""
    problem = f"is no valid {model.__name__}"
    details = getattr(error, "errors", None)
    if not callable(details):
        return Mismatch(problem, str(error)[:500])
    first = details(include_url=False, include_context=False, include_input=False)[0]
    made = Mismatch(problem, first["msg"][:500])
    for part in reversed(first["loc"]):
        made.within(f"[{part}]" if isinstance(part, int) else f".{part}", data=True)
    return made
