"""Names that go into SQL or into columns."""

from __future__ import annotations

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
