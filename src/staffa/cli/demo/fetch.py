"""Fetches one page over HTTP, and names what can go wrong so a job can react to each.

```
FetchError
├── RateLimited     429: come back after so many seconds
├── PageNotFound    404: there is no such page, another try is no use
└── ServerTrouble   anything else: a retry may succeed
```

These are errors of the demo's own job, as an application would define them, no errors of Staffa.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

LARGEST_PAGE_BYTES = 16 * 1024 * 1024
DEFAULT_RETRY_AFTER_SECONDS = 1.0
LONGEST_RETRY_AFTER_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """A page as the server sent it."""

    keyword: str
    html: str


class FetchError(Exception):
    """A page could not be fetched."""


class RateLimited(FetchError):
    """The server refuses more requests for now.

    Attributes:
        retry_after_seconds: When it wants to be asked again.
    """

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__(f"rate limited: retry after {retry_after_seconds:g} s")
        self.retry_after_seconds = retry_after_seconds


class PageNotFound(FetchError):
    """The server has no page of this name."""

    def __init__(self, keyword: str) -> None:
        super().__init__(f"no page for {keyword!r}")
        self.keyword = keyword


class ServerTrouble(FetchError):
    """The server failed, could not be reached, was too slow, or sent something broken."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    headers: dict[str, str]
    body: bytes


async def fetch_page(base_url: str, keyword: str, *, timeout_seconds: float) -> FetchedPage:
    """Fetch the page of a keyword.

    Args:
        base_url: Of the server, such as `http://127.0.0.1:8000`.
        keyword: For example `asyncio.tasks`.
        timeout_seconds: For the whole exchange.

    Raises:
        RateLimited: The server answered 429.
        PageNotFound: The server answered 404.
        ServerTrouble: Any other answer than 200, none at all, or none in time.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            reply = await _get(base_url, f"/{quote(keyword, safe='')}.html")
    except TimeoutError as error:
        raise ServerTrouble(f"no complete reply within {timeout_seconds:g} s") from error
    except OSError as error:
        raise ServerTrouble(f"connection failed: {error}") from error
    except (EOFError, ValueError, asyncio.LimitOverrunError) as error:
        raise ServerTrouble(f"broken reply: {error}") from error
    match reply.status:
        case 200:
            return FetchedPage(keyword, reply.body.decode("utf-8", errors="replace"))
        case 404:
            raise PageNotFound(keyword)
        case 429:
            raise RateLimited(_retry_after_seconds(reply))
        case status:
            raise ServerTrouble(f"the server answered {status}")


async def _get(base_url: str, path: str) -> _Reply:
    host, port = urlsplit(base_url).hostname, urlsplit(base_url).port
    reader, writer = await asyncio.open_connection(host, port)
    try:
        request = f"GET {path} HTTP/1.0\r\nHost: {host}:{port}\r\nAccept: text/html\r\n\r\n"
        writer.write(request.encode("ascii"))
        head = await reader.readuntil(b"\r\n\r\n")
        status, headers = _parse_head(head.decode("latin-1"))
        # Without a length a page that was cut off could not be told from a whole one.
        length_bytes = int(headers.get("content-length", "missing Content-Length"))
        if not 0 <= length_bytes <= LARGEST_PAGE_BYTES:
            raise ValueError(f"{length_bytes} bytes are announced")
        return _Reply(status, headers, await reader.readexactly(length_bytes))
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def _parse_head(head: str) -> tuple[int, dict[str, str]]:
    status_line, *header_lines = head.rstrip("\r\n").split("\r\n")
    protocol, status = status_line.split(" ", maxsplit=2)[:2]
    if not protocol.startswith("HTTP/1."):
        raise ValueError(f"{protocol[:40]!r} is no HTTP")
    pairs = (line.partition(":") for line in header_lines)
    return int(status), {name.strip().lower(): value.strip() for name, _, value in pairs}


def _retry_after_seconds(reply: _Reply) -> float:
    text = reply.headers.get("retry-after", "")
    if not (text.isascii() and text.isdigit()):
        return DEFAULT_RETRY_AFTER_SECONDS
    return min(float(text), LONGEST_RETRY_AFTER_SECONDS)
