"""Fetching a page, against a server that says whatever a test wants."""

from __future__ import annotations

import asyncio
import socket
from typing import NoReturn

import pytest

from staffa.cli.demo.fetch import (
    FetchedPage,
    PageNotFound,
    RateLimited,
    ServerTrouble,
    fetch_page,
)


def fetch_from_server_that_replies(reply: bytes, *, keyword: str = "json") -> FetchedPage:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        requests.append(request.split(b"\r\n")[0])
        writer.write(reply)
        writer.close()
        await writer.wait_closed()

    async def fetch() -> FetchedPage:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await fetch_page(f"http://127.0.0.1:{port}", keyword, timeout_seconds=60)

    requests: list[bytes] = []
    page = asyncio.run(fetch())
    assert requests == [b"GET /%s.html HTTP/1.0" % keyword.encode()]
    return page


def reply(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.0 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def test_a_page_is_fetched() -> None:
    page = fetch_from_server_that_replies(reply("200 OK", "é".encode()), keyword="os.path")
    assert page == FetchedPage("os.path", "é")


def test_a_page_that_is_not_there_is_not_found() -> None:
    with pytest.raises(PageNotFound, match="no page for 'json'"):
        fetch_from_server_that_replies(reply("404 Not Found"))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("Retry-After: 7", 7.0),
        ("retry-after:7", 7.0),
        ("Retry-After: 999999999999", 3600.0),
        ("Retry-After: -7", 1.0),
        ("Retry-After: Wed, 21 Oct 2026 07:28:00 GMT", 1.0),
        ("X: y", 1.0),
    ],
)
def test_too_many_requests_tell_when_to_come_back(header: str, seconds: float) -> None:
    with pytest.raises(RateLimited) as caught:
        fetch_from_server_that_replies(reply("429 Too Many Requests", b"", header))
    assert caught.value.retry_after_seconds == seconds


@pytest.mark.parametrize("status", ["500 Internal Server Error", "503 x", "302 Found", "204 x"])
def test_any_other_status_is_trouble(status: str) -> None:
    with pytest.raises(ServerTrouble, match=f"the server answered {status[:3]}"):
        fetch_from_server_that_replies(reply(status))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.0 200 OK\r\n",
        b"\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2 x\r\n\r\n",
        b"HTTP/1.0 fine OK\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nno length",
        b"HTTP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\ncut off",
        b"HTTP/1.0 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n",
    ],
)
def test_a_broken_reply_is_trouble(raw: bytes) -> None:
    with pytest.raises(ServerTrouble):
        fetch_from_server_that_replies(raw)


def test_a_refused_connection_is_trouble() -> None:
    with socket.socket() as bound_but_deaf:
        bound_but_deaf.bind(("127.0.0.1", 0))
        port = bound_but_deaf.getsockname()[1]
        with pytest.raises(ServerTrouble, match="connection failed"):
            asyncio.run(fetch_page(f"http://127.0.0.1:{port}", "json", timeout_seconds=60))


def test_a_server_that_says_nothing_is_trouble_after_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(ServerTrouble, match=r"no complete reply within 0\.01 s"):
            asyncio.run(fetch_page(f"http://127.0.0.1:{port}", "json", timeout_seconds=0.01))


def test_a_cancelled_fetch_stays_cancelled() -> None:
    async def cancel_fetch() -> NoReturn:
        connected = asyncio.Event()

        async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connected.set()
            await reader.read()
            writer.close()

        server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
        async with server, asyncio.TaskGroup() as group:
            port = server.sockets[0].getsockname()[1]
            fetch = fetch_page(f"http://127.0.0.1:{port}", "json", timeout_seconds=60)
            task = group.create_task(fetch)
            await connected.wait()
            task.cancel()
            await task
        raise AssertionError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel_fetch())
