"""Names that were meant, for errors about those that were given."""

from __future__ import annotations

from collections.abc import Iterable

from staffa._internal.lazy import load


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like another one, if any is like it at all.

    Example:
        >>> nearest("quues", ["queues", "cron"])
        'queues'
        >>> nearest("x", ["queues", "cron"]) is None
        True
    """
    found: list[str] = load("difflib:get_close_matches")(name, sorted(known), n=1)
    return found[0] if found else None
