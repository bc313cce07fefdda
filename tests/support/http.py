"""Questions to a health port."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

_TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]
    text: str

    @property
    def reasons(self) -> str:
        """The reasons, in one text."""
        return "; ".join(self.body["reasons"])


def ask_now(url: str, path: str, method: str = "GET") -> Reply:
    """Ask, and block until there is an answer."""
    place = urlsplit(url).netloc
    connection = HTTPConnection(place, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        text = response.read().decode()
        body = json.loads(text) if text else {}
        return Reply(response.status, body, dict(response.headers), text)
    finally:
        connection.close()


async def ask(url: str | None, path: str, method: str = "GET") -> Reply:
    """Ask without blocking the event loop."""
    assert url is not None, "there is no health port"
    return await asyncio.to_thread(ask_now, url, path, method)
