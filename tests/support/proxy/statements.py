"""Which statements clients execute, read from their messages, and which of them is to be caught."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

PARSE, BIND, SYNC, CLOSE = b"P", b"B", b"S", b"C"


@dataclass(eq=False)
class Prepared:
    """The statements that one client has prepared, by their names."""

    texts: dict[bytes, bytes] = field(default_factory=dict)

    def read(self, kind: bytes, body: bytes) -> bytes | None:
        """Return the statement that a message executes, if it executes one."""
        if kind == PARSE:
            name, _, rest = body.partition(b"\0")
            self.texts[name] = rest.partition(b"\0")[0]
        elif kind == CLOSE and body[:1] == b"S":
            self.texts.pop(body[1:].rstrip(b"\0"), None)
        elif kind == BIND:
            return self.texts.get(body.split(b"\0", 2)[1], b"")
        return None


class Trap:
    """Waits for a statement that has a piece of text, and counts all of them."""

    def __init__(self) -> None:
        self._ran: Counter[bytes] = Counter()
        self._piece: bytes | None = None
        self.abandons = False
        self.caught = False

    def __str__(self) -> str:
        return ", ".join(f"{count} x {text[:40]!r}" for text, count in self._ran.items())

    def set(self, piece: str, *, abandons: bool) -> None:
        """Catch the next statement with this piece of text.

        Args:
            piece: Of its text.
            abandons: Whether its client is cut off while it runs; else it loses the reply.
        """
        self._piece, self.abandons, self.caught = piece.encode(), abandons, False

    def spring(self) -> None:
        """Note that the statement is under way."""
        self._piece, self.caught = None, True

    def takes(self, statement: bytes) -> bool:
        """Count a statement, and tell whether it is the one."""
        self._ran[statement] += 1
        return self._piece is not None and self._piece in statement

    def ran(self, piece: str) -> int:
        """Return how many statements with a piece of text were executed."""
        return sum(count for text, count in self._ran.items() if piece.encode() in text)
