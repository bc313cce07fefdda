"""Names that go into SQL or into columns."""

from __future__ import annotations

import secrets
from uuid import UUID

from staffa._internal.clock import SYSTEM_CLOCK
from staffa._internal.json import clean

MAX_NAME_LENGTH = 127  # Elixir's check on queue and worker


def quote_identifier(name: str) -> str:
    """Return a name as a quoted SQL identifier.

    Example:
        >>> print(quote_identifier('my "own" jobs'))
        "my ""own"" jobs"
    """
    return '"' + name.replace('"', '""') + '"'


def is_storable_name(name: object) -> bool:
    """Tell whether a queue's or worker's name fits into its column.

    Example:
        >>> is_storable_name("mail"), is_storable_name(""), is_storable_name("a" * 128)
        (True, False, False)
    """
    return isinstance(name, str) and 0 < len(name) <= MAX_NAME_LENGTH and clean(name) == name


def make_time_ordered_id() -> str:
    """Return a UUID of version 7 as text: those made later in this process come later in order.

    Example:
        >>> make_time_ordered_id() < make_time_ordered_id()
        True
    """
    global _last_ticks  # noqa: PLW0603
    now = int(SYSTEM_CLOCK.now().timestamp() * 1000 * 4096)
    ticks = _last_ticks = max(now, _last_ticks + 1)
    milliseconds, fraction = divmod(ticks, 4096)
    value = milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | secrets.randbits(62)
    return str(UUID(int=value))


_last_ticks = 0
