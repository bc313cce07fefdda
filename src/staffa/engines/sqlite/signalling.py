"""The functions that statements about signals need; `functions.py` registers them, too."""

from __future__ import annotations

import sqlite3
from typing import Any

from staffa._internal import json
from staffa.signals import AWAITS_KEY, PARKED_KEY, SIGNALS_KEY, find_object, find_signal


def install(raw: sqlite3.Connection) -> None:
    """Register the functions on a connection; again is no error."""
    raw.create_function("staffa_is_parked", 2, _is_parked, deterministic=True)
    raw.create_function("staffa_takes_signal", 2, _takes_signal, deterministic=True)
    raw.create_function("staffa_signal", 4, _signal, deterministic=True)
    raw.create_function("staffa_is_signalled", 2, _is_signalled, deterministic=True)


def _is_parked(meta: str | None, name: str) -> bool:
    """Tell whether a job is parked until a signal comes."""
    return name in _names(_load(meta))


def _takes_signal(meta: str | None, name: str) -> bool:
    """Tell whether a job takes a signal: it has none of that name, and has not given it up."""
    found = _load(meta)
    waited = find_object(find_object(found, AWAITS_KEY), name)
    return find_signal(found, name) is None and waited.get("timed_out") is not True


def _signal(meta: str | None, name: str, payload: str, now: str) -> str:
    """Return a job's meta with a signal."""
    found = _load(meta)
    signal = {"payload": json.loads(payload), "at": now.replace(" ", "T") + "Z"}
    return json.dumps({**found, SIGNALS_KEY: {**find_object(found, SIGNALS_KEY), name: signal}})


def _is_signalled(meta: str | None, patch: str | None) -> bool:
    """Tell whether a signal has come until which an outcome parks its job."""
    names = [] if patch is None or PARKED_KEY not in patch else _names(_load(patch))
    return bool(names) and any(find_signal(_load(meta), name) is not None for name in names)


def _names(meta: dict[str, Any]) -> list[Any]:
    names = meta.get(PARKED_KEY)
    return names if isinstance(names, list) else []


def _load(text: str | None) -> dict[str, Any]:
    found = None if text is None else json.loads(text)
    return found if isinstance(found, dict) else {}
