"""What a job returns, on its way from the child to the parent: a tagged JSON object.

To add a result of another kind, give it a case in `dump_result` and one in `load_result`: whatever
has to be encoded (to text, if it is more than a short plain value) is encoded in the child.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from staffa._internal import json
from staffa._internal.json import clean
from staffa.args.plain import dump_object
from staffa.errors import InvalidArgs
from staffa.queues.recording import Recording
from staffa.results import Cancel, Discard, Snooze

_LONGEST_REASON = 64 * 1024


def dump_result(result: object) -> dict[str, Any]:
    """Return what the parent is told of a job's result.

    Example:
        >>> dump_result(Snooze(60))
        {'kind': 'snooze', 'seconds': 60.0}
        >>> dump_result(object())
        {'kind': 'dropped'}
    """
    match result:
        case Cancel():
            return {"kind": "cancel", "reason": _reason(result.reason)}
        case Discard():
            return {"kind": "discard", "reason": _reason(result.reason)}
        case Snooze():
            meta = {} if result.meta is None else {"meta": dict(result.meta)}
            return {"kind": "snooze", "seconds": result.seconds, **meta}
        case Recording():
            return {"kind": "recording", "meta": dict(result.meta), "error": result.error}
        case _:
            return _dump_value(result)


def load_result(dumped: Mapping[str, Any]) -> object:
    """Return the result that a child has told of.

    A value that is no plain JSON was dropped there, and is None here: such jobs are completed,
    whatever they return.

    Raises:
        ValueError: For a kind that does not exist.

    Example:
        >>> load_result(dump_result(Cancel("too late")))
        Cancel(reason='too late')
        >>> load_result(dump_result({"pages": 3}))
        {'pages': 3}
    """
    match dumped["kind"]:
        case "cancel":
            return Cancel(dumped["reason"])
        case "discard":
            return Discard(dumped["reason"])
        case "snooze":
            return Snooze(dumped["seconds"], meta=dumped.get("meta"))
        case "recording":
            return Recording(dumped["meta"], dumped["error"])
        case "value":
            return json.loads(dumped["text"])["value"]
        case "dropped":
            return None
        case kind:
            raise ValueError(f"a result of the unknown kind {kind!r:.100}")


def _dump_value(value: object) -> dict[str, Any]:
    try:
        return {"kind": "value", "text": dump_object({"value": value}, "result")}
    except (InvalidArgs, RecursionError):
        return {"kind": "dropped"}


def _reason(reason: object) -> str | None:
    return None if reason is None else clean(str(reason))[:_LONGEST_REASON]
