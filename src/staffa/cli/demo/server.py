"""The brittle documentation server: HTTP on 127.0.0.1, treated by a `Brittleness`.

Invariants: one thread owns the listening socket, accepts, and alone closes and reopens it, so no
handler can close a socket under a running accept; every request runs in a thread of its own, which
is joined when its listener closes, so no thread outlives `stop`. During an outage the port stays
bound but nobody listens: callers are refused, and no other process can take the port meanwhile.
Replies that began before the outage are finished.
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from staffa.cli.demo.brittleness import Brittleness, Counts, Decision, Drop, Fail, Refuse, Serve

HOST = "127.0.0.1"


class DocumentationServer:
    """Serves pages at `/<name>.html`, as badly as it is told to.

    Args:
        find_page: Gives the HTML of a name or None; called from several threads.
        brittleness: Decides the fate of each request; from now on used by this server alone.
        pause: Waits the given seconds, for slow replies and the outage. By default it really
            does, but ends early when the server stops.

    Attributes:
        listening: Set while the port is open; cleared during the outage and after the stop.

    Example:
        >>> with DocumentationServer(Library().page, Brittleness(BrittlenessSettings())) as server:
        ...     print(server.base_url)  # doctest: +SKIP
        http://127.0.0.1:49152
    """

    def __init__(
        self,
        find_page: Callable[[str], str | None],
        brittleness: Brittleness,
        *,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self.listening = threading.Event()
        self._find_page = find_page
        self._brittleness = brittleness
        self._deciding = threading.Lock()
        self._stopping = threading.Event()
        self._pause = pause or self._stopping.wait
        self._outage_seconds: float | None = None
        self._port = 0
        self._thread: threading.Thread | None = None

    @property
    def base_url(self) -> str:
        """Where the server is, without a slash at the end; the port is known after `start`."""
        return f"http://{HOST}:{self._port}"

    @property
    def counts(self) -> Counts:
        """What became of the requests so far."""
        with self._deciding:
            return self._brittleness.counts

    def start(self) -> str:
        """Open a free port, serve in a thread, and return the base URL."""
        if self._thread is not None:
            raise RuntimeError("a documentation server can be started only once")
        listener = self._bind()
        self._port = listener.server_address[1]
        listener.server_activate()
        self._thread = threading.Thread(
            target=self._serve, args=(listener,), name="documentation server", daemon=True
        )
        self._thread.start()
        return self.base_url

    def stop(self) -> None:
        """Close the port and wait until every thread has ended; may be called twice."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _serve(self, listener: _Listener) -> None:
        while not self._stopping.is_set():
            self.listening.set()
            while self._outage_seconds is None and not self._stopping.is_set():
                listener.handle_request()
            self.listening.clear()
            if self._outage_seconds is not None:
                listener = self._sit_out_outage(listener, self._outage_seconds)
        listener.server_close()

    def _sit_out_outage(self, listener: _Listener, seconds: float) -> _Listener:
        listener.socket.close()
        # At once, before slow replies are waited for, or someone else might be given the port.
        replacement = self._bind()
        listener.server_close()
        self._pause(seconds)
        self._outage_seconds = None
        replacement.server_activate()
        return replacement

    def _bind(self) -> _Listener:
        listener = _Listener(
            (HOST, self._port),
            partial(_Exchange, self._decide, self._find_page, self._pause),
            bind_and_activate=False,
        )
        listener.server_bind()
        return listener

    def _decide(self) -> Decision:
        with self._deciding:
            decision = self._brittleness.decide()
            if isinstance(decision, Drop):
                self._outage_seconds = decision.remaining_seconds
            return decision


class _Listener(ThreadingMixIn, TCPServer):
    allow_reuse_address = True
    request_queue_size = 128
    # How late the accepting thread may notice a stop or an outage, in seconds.
    timeout = 0.05

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Callers that hang up are their own affair; a defect of ours is reported.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Exchange(BaseHTTPRequestHandler):
    # A caller that connects and says nothing may hold up a stop for so many seconds.
    timeout = 2.0

    def __init__(
        self,
        decide: Callable[[], Decision],
        find_page: Callable[[str], str | None],
        pause: Callable[[float], object],
        *connection: Any,
    ) -> None:
        self._decide = decide
        self._find_page = find_page
        self._pause = pause
        super().__init__(*connection)

    def do_GET(self) -> None:
        match self._decide():
            case Serve(delay_seconds):
                if delay_seconds:
                    self._pause(delay_seconds)
                self._reply_page()
            case Refuse(retry_after_seconds):
                seconds = math.ceil(retry_after_seconds)
                self._reply_trouble(HTTPStatus.TOO_MANY_REQUESTS, retry_after=str(seconds))
            case Fail():
                self._reply_trouble(HTTPStatus.INTERNAL_SERVER_ERROR)
            case Drop():
                self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Log nothing: the counts tell what happened."""

    def _reply_page(self) -> None:
        path = unquote(urlsplit(self.path).path)
        name = path.removeprefix("/").removesuffix(".html")
        html = self._find_page(name) if path == f"/{name}.html" else None
        if html is None:
            self._reply_trouble(HTTPStatus.NOT_FOUND)
        else:
            self._reply(HTTPStatus.OK, html)

    def _reply_trouble(self, status: HTTPStatus, *, retry_after: str | None = None) -> None:
        title = f"{status.value} {status.phrase}"
        html = f"<!DOCTYPE html>\n<title>{title}</title>\n<p>{status.description}.</p>\n"
        self._reply(status, html, retry_after=retry_after)

    def _reply(self, status: HTTPStatus, html: str, *, retry_after: str | None = None) -> None:
        body = html.encode("utf-8", errors="replace")
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if retry_after is not None:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.wfile.write(body)
