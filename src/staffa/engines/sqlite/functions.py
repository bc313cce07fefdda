"""The functions that our statements need on a connection of Python's `sqlite3`, also on a user's.

SQLite has no types for times and no operators for JSON as PostgreSQL has them, and its own JSON
functions make floats of long integers. What a function raises, SQLite tells as a plain error of the
statement, which is then rolled back.
"""

from __future__ import annotations

import re
import sqlite3
from hashlib import blake2b, md5
from typing import Any

from staffa._internal import json
from staffa._internal.clock import SYSTEM_CLOCK, Clock
from staffa.engines.sqlite import signalling
from staffa.engines.sqlite.times import add_seconds, cut_time, time_after, write_time
from staffa.limits import PARTITION_KEY, Partition, read_field
from staffa.payload import flow_keys

_LONGEST_KEY = 200
_PRIORITIES = 10_000
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def install(raw: sqlite3.Connection, clock: Clock = SYSTEM_CLOCK) -> None:
    """Register the functions on a connection; again is no error.

    Args:
        raw: The connection.
        clock: The database's clock.

    Example:
        >>> raw = sqlite3.connect(":memory:")
        >>> install(raw)
        >>> raw.execute("SELECT staffa_add('2026-01-01 00:00:00', 60)").fetchone()
        ('2026-01-01 00:01:00.000000',)
        >>> raw.close()
    """

    def now() -> str:
        return write_time(clock.now())

    raw.create_function("staffa_now", 0, now)
    raw.create_function("staffa_utc", 1, _utc, deterministic=True)
    raw.create_function("staffa_add", 2, _add, deterministic=True)
    raw.create_function("staffa_after", 1, time_after, deterministic=True)
    raw.create_function("staffa_seconds", 2, _seconds, deterministic=True)
    raw.create_function("staffa_micros", 1, _micros, deterministic=True)
    raw.create_function("staffa_merge", 2, _merge, deterministic=True)
    raw.create_function("staffa_replace", 3, _replace, deterministic=True)
    raw.create_function("staffa_note", 4, _note, deterministic=True)
    raw.create_function("staffa_rescues", 1, _rescues, deterministic=True)
    raw.create_function("staffa_own_priority", 2, _own_priority, deterministic=True)
    signalling.install(raw)
    raw.create_function("staffa_contains", 2, _contains, deterministic=True)
    raw.create_function("staffa_partition_key", 4, _partition_key, deterministic=True)
    raw.create_function("staffa_partitioned", 4, _partitioned, deterministic=True)
    raw.create_function("staffa_digest", -1, _digest, deterministic=True)


def _utc(text: str | None) -> str | None:
    """Return a time that was given with its zone as the tables have it; null for null."""
    return None if text is None else add_seconds(text, 0)


def _add(text: str | None, seconds: float | str | None) -> str | None:
    """Return a time that is so many seconds later; null if either is null."""
    return None if text is None or seconds is None else add_seconds(text, float(seconds))


def _seconds(earlier: str, later: str) -> float:
    """Return how many seconds lie between two times."""
    return (cut_time(later) - cut_time(earlier)).total_seconds()


def _micros(text: str) -> int:
    """Return the microseconds since 1970."""
    return round(cut_time(text).timestamp() * 1_000_000)


def _merge(meta: str | None, patch: str | None) -> str | None:
    """Return an object with the keys of another one.

    What is no object, or can't be decoded here, counts as an empty one.
    """
    if patch is None:
        return meta
    if _NUL.search(patch):
        raise ValueError("a text has a NUL, which can't be stored")
    return json.dumps({**_object(meta), **_object(patch)})


def _replace(meta: str | None, given: str, strange: str) -> str:
    """Return the meta of an updated job: what was given, but for what stays or can't come.

    Args:
        meta: What it was: what belongs to Staffa, and tells of flows, stays.
        given: What was given.
        strange: Keys under which that names flows, which the job is no member of if it is in none.
    """
    old = _object(meta)
    own = {key: value for key, value in old.items() if _is_own(key)}
    kept = flow_keys(old)
    if not kept:
        kept, old = frozenset(json.loads(strange)), {}
    new = {key: value for key, value in _object(given).items() if key not in kept}
    return json.dumps({**own, **new, **{key: old[key] for key in kept if key in old}})


def _is_own(key: str) -> bool:
    return key in {"encrypted", "recorded", PARTITION_KEY} or key.startswith("staffa_")


def _partition_key(fields: str, worker: str, args: str, meta: str) -> str:
    """Return the key of a job's partition, as PostgreSQL's function makes it."""
    names: list[str] = json.loads(fields)
    roots = {"args": _decode(args), "meta": _decode(meta)}
    values = [worker if name == "worker" else read_field(roots, name) for name in names]
    found = json.dumps(values)
    if len(found) > _LONGEST_KEY:
        digest = md5(found.encode("utf-8", "backslashreplace"), usedforsecurity=False).hexdigest()
        found = f"{found[:150]}#{digest}"
    return Partition(*names).prefix + found


def _partitioned(fields: str, worker: str, args: str, meta: str) -> str:
    """Return a job's meta with the key of its partition."""
    return json.dumps({**_object(meta), PARTITION_KEY: _partition_key(fields, worker, args, meta)})


def _note(errors: str, attempt: int, at: str, error: str) -> str:
    """Return a job's errors with one more."""
    if "\x00" in error:
        raise ValueError("an error has a NUL, which can't be stored")
    element = {"attempt": attempt, "at": at.replace(" ", "T") + "Z", "error": error}
    return json.dumps([*json.loads(errors), element])


def _rescues(meta: str | None) -> float:
    """Return how often a job was rescued; what is no count counts as none."""
    count = _object(meta).get("rescued")
    if isinstance(count, bool) or not isinstance(count, int | float):
        return 0.0
    return float(min(max(count, 0), 1_000_000))


def _own_priority(meta: str | None, priority: int) -> int:
    """Return a job's own priority: what it had before it rose to the one that it has."""
    aged = None if meta is None or "staffa_aged" not in meta else _object(meta).get("staffa_aged")
    if not isinstance(aged, dict) or aged.get("to") != priority:
        return priority
    own = aged.get("from")
    if isinstance(own, bool) or not isinstance(own, int) or not priority < own < _PRIORITIES:
        return priority
    return own


def _contains(text: str, wanted: str) -> bool:
    """Tell whether JSON contains other JSON, as PostgreSQL's operator ``@>`` has it."""
    try:
        return _has(json.loads(text), json.loads(wanted))
    except ValueError:
        return False


def _has(found: Any, wanted: Any, *, top: bool = True) -> bool:
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            key in found and _has(found[key], value, top=False) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(found, list) and all(
            any(_has(item, one, top=False) for item in found) for one in wanted
        )
    if top and isinstance(found, list):  # PostgreSQL's one exception
        return any(_has(item, wanted, top=False) for item in found)
    return (type(found) is type(wanted) and bool(found == wanted)) or _are_equal_numbers(
        found, wanted
    )


def _are_equal_numbers(one: Any, other: Any) -> bool:
    numbers = all(isinstance(n, int | float) and not isinstance(n, bool) for n in (one, other))
    return numbers and bool(one == other)


def _digest(*columns: Any) -> str:
    """Return what shows whether any of a row's columns has changed."""
    return blake2b(repr(columns).encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()


def _object(text: str | None) -> dict[str, Any]:
    found = None if text is None else _decode(text)
    return found if isinstance(found, dict) else {}


def _decode(text: str) -> Any:
    """Return what a text holds; null if it can't be decoded here: it harms no job but its own."""
    try:
        return json.loads(text)
    except ValueError:  # half a surrogate, or an integer of thousands of digits
        return None
