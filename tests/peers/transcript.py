"""The transcript of a real Elixir Oban's notifications, with those of its dashboard's package."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Message:
    """A notification.

    Attributes:
        channel: Its channel, without the prefix.
        raw: As it was sent.
        decoded: What it means.
    """

    channel: str
    raw: str
    decoded: dict[str, Any]


def read_transcript() -> list[Message]:
    """Return all notifications of the transcript, in their order."""
    messages: list[Message] = []
    channel = raw = ""
    for line in (DATA / "elixir_notifications.txt").read_text("utf-8").splitlines():
        head, _, rest = line.partition(": ")
        if line.startswith("[") and head.endswith("channel"):
            channel = rest.removeprefix("public.oban_")
        elif head.startswith("  raw ("):
            raw = line.partition("): ")[2]
        elif head == "  decoded":
            messages.append(Message(channel, raw, json.loads(rest)))
    return messages
