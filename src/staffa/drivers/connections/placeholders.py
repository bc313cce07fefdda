"""Parameters as a library writes them: ours are ``$1``, ``$2`` and so on in all databases."""

from __future__ import annotations

import re
from functools import lru_cache

_PIECE = re.compile(
    r"""
    (?P<apart> "(?:[^"]|"")*"             # a quoted identifier, such as the schema
             | '(?:[^']|'')*'             # a text
             | --[^\n]*                   # a comment
             | /\*.*?\*/
             | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$   # a text between dollars
    )
    | \$(?P<number>\d+)
    """,
    re.VERBOSE | re.DOTALL,
)


@lru_cache(maxsize=512)
def to_pyformat(sql: str) -> str:
    r"""Return a text with its parameters written ``%(1)s``, and every other ``%`` doubled.

    What stands in quotes, in comments and between dollars is left as it is, but for the ``%``:
    whoever fills in the parameters looks for them everywhere.

    Example:
        >>> to_pyformat('SELECT $1::text FROM "100% $1".jobs')
        'SELECT %(1)s::text FROM "100%% $1".jobs'
    """
    return _PIECE.sub(_write, sql.replace("%", "%%"))


def _write(found: re.Match[str]) -> str:
    number = found["number"]
    return found[0] if number is None else f"%({number})s"
