"""How error messages show values that may be anything."""

from __future__ import annotations


def shown(value: object, most: int = 200) -> str:
    """Return what `repr` says of a value, cut off; its type where that raises.

    Python refuses to print an integer of more than 4300 digits, and objects may do as they like.

    Example:
        >>> shown("text"), shown(10**5000)
        ("'text'", '<int that can not be shown>')
    """
    try:
        return repr(value)[:most]
    except Exception:  # noqa: BLE001  # the message is about something else
        return f"<{type(value).__name__} that can not be shown>"
