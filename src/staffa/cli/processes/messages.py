"""What supervisor and children say to each other over a pair of sockets: JSON objects, one a line.

From the supervisor: `stop`, `hurry`, `port` (an answer), `question` (about health). From a child:
`hello`, `running`, `open` (a health port), `verdict` (an answer).
"""

from __future__ import annotations

import json
from typing import Any

MAX_LINE_BYTES = 4 * 1024 * 1024

Message = dict[str, Any]


def encode(kind: str, **fields: Any) -> bytes:
    r"""Return a message as it is sent.

    Example:
        >>> encode("stop")
        b'{"kind": "stop"}\n'
    """
    return json.dumps({"kind": kind, **fields}).encode() + b"\n"


def decode(line: bytes) -> Message:
    """Return what was sent.

    Raises:
        ValueError: If it is no message.
    """
    message = json.loads(line)
    if not isinstance(message, dict) or not isinstance(message.get("kind"), str):
        raise ValueError(f"{line[:200]!r} is no message")  # noqa: TRY004  # a line, not an argument
    return message
