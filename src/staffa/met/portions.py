"""Cuts lists so that each part fits into one notification."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from staffa.notifier import encode_payload

MakePayload = Callable[[Sequence[Any]], Mapping[str, Any]]


def cut(items: Sequence[Any], make: MakePayload) -> list[Mapping[str, Any]]:
    """Return the payloads of a list, in as few parts as halving finds.

    Args:
        items: The list; none makes no payload.
        make: Makes the payload of a part. One item alone has to fit.

    Raises:
        ValueError: If an item does not fit even alone.

    Example:
        >>> cut(["a", "b"], lambda part: {"names": part})
        [{'names': ['a', 'b']}]
    """
    if not items:
        return []
    payload = make(items)
    if fits(payload):
        return [payload]
    if len(items) == 1:
        raise ValueError(f"{items[0]!r:.200} does not fit into a notification")
    middle = len(items) // 2
    return [*cut(items[:middle], make), *cut(items[middle:], make)]


def fits(payload: Mapping[str, Any]) -> bool:
    """Tell whether a payload fits into one notification."""
    try:
        encode_payload(payload)
    except ValueError:
        return False
    return True
