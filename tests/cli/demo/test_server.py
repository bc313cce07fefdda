"""The real server, on a clock and with pauses that the tests own."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from staffa.cli.demo.brittleness import Brittleness, BrittlenessSettings, Counts
from staffa.cli.demo.fetch import PageNotFound, RateLimited, ServerTrouble, fetch_page
from staffa.cli.demo.server import DocumentationServer

PATIENCE_SECONDS = 60.0
PAGES = {"json": "<title>Python: json</title>é", "abc": "x" * 1_000_000}


class ManualTime:
    """A clock that only pauses move on; a pause lasts until the test releases it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.paused = threading.Event()
        self.released = threading.Event()

    def clock(self) -> float:
        return self.seconds

    def pause(self, seconds: float) -> None:
        self.paused.set()
        assert self.released.wait(PATIENCE_SECONDS)
        self.seconds += seconds


def policy(manual: ManualTime | None = None, **changes: Any) -> Brittleness:
    calm: dict[str, Any] = {
        "requests_per_window": 10_000,
        "failure_probability": 0.0,
        "slow_probability": 0.0,
        "outage_after_served": None,
    }
    clock = (manual or ManualTime()).clock
    return Brittleness(BrittlenessSettings(**(calm | changes)), clock=clock)


def fetch(base_url: str, keyword: str = "json") -> str:
    return asyncio.run(fetch_page(base_url, keyword, timeout_seconds=PATIENCE_SECONDS)).html


def connect(base_url: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", urlsplit(base_url).port or 0))


def test_pages_are_served_with_their_type_and_length() -> None:
    with (
        DocumentationServer(PAGES.get, policy()) as server,
        urlopen(f"{server.base_url}/json.html#dumps") as reply,
    ):
        assert reply.status == 200
        assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
        assert int(reply.headers["Content-Length"]) == len(PAGES["json"]) + 1
        assert reply.read().decode() == PAGES["json"]


def test_a_name_without_a_page_is_not_found() -> None:
    with DocumentationServer(PAGES.get, policy()) as server:
        for name in ("nothing", "", "../json", "json.html", "a b\r\nc", "é"):
            with pytest.raises(PageNotFound):
                fetch(server.base_url, name)


def test_requests_beyond_the_window_are_told_to_come_back_in_whole_seconds() -> None:
    brittleness = policy(requests_per_window=2, window_seconds=1.5)
    with DocumentationServer(PAGES.get, brittleness) as server:
        fetch(server.base_url)
        fetch(server.base_url)
        with pytest.raises(RateLimited) as caught:
            fetch(server.base_url)
        assert caught.value.retry_after_seconds == 2.0
        assert server.counts == Counts(requests=3, served=2, refused=1)


def test_a_failure_is_an_internal_server_error() -> None:
    with (
        DocumentationServer(PAGES.get, policy(failure_probability=1.0)) as server,
        pytest.raises(ServerTrouble, match="the server answered 500"),
    ):
        fetch(server.base_url)


def test_a_slow_page_comes_after_a_pause_and_holds_up_nobody_else() -> None:
    pauses_seconds = []
    paused, released = threading.Event(), threading.Event()

    def pause_the_first(seconds: float) -> None:
        pauses_seconds.append(seconds)
        if not paused.is_set():
            paused.set()
            assert released.wait(PATIENCE_SECONDS)

    brittleness = policy(slow_probability=1.0, slow_seconds=3.0)
    with (
        DocumentationServer(PAGES.get, brittleness, pause=pause_the_first) as server,
        ThreadPoolExecutor() as executor,
    ):
        first = executor.submit(fetch, server.base_url, "abc")
        assert paused.wait(PATIENCE_SECONDS)
        assert fetch(server.base_url, "json") == PAGES["json"]
        assert not first.done()
        released.set()
        assert first.result() == PAGES["abc"]
    assert pauses_seconds == [3.0, 3.0]


def test_the_outage_closes_the_port_and_the_server_comes_back_on_the_same_one() -> None:
    manual = ManualTime()
    brittleness = policy(manual, outage_after_served=2, outage_seconds=5.0)
    with DocumentationServer(PAGES.get, brittleness, pause=manual.pause) as server:
        base_url = server.base_url
        fetch(base_url)
        fetch(base_url)
        with pytest.raises(ServerTrouble, match="broken reply"):
            fetch(base_url)
        assert manual.paused.wait(PATIENCE_SECONDS)
        assert not server.listening.is_set()
        for _ in range(3):
            with pytest.raises(ServerTrouble, match="connection failed"):
                fetch(base_url)
        manual.released.set()
        assert server.listening.wait(PATIENCE_SECONDS)
        assert server.base_url == base_url
        assert fetch(base_url) == PAGES["json"]
        assert server.counts == Counts(requests=4, served=3, dropped=1, outages=1)
    assert manual.seconds == 5.0


def test_nobody_else_is_given_the_port_during_the_outage() -> None:
    manual = ManualTime()
    brittleness = policy(manual, outage_after_served=0)
    with DocumentationServer(PAGES.get, brittleness, pause=manual.pause) as server:
        with connect(server.base_url) as caller:
            # Reset instead of closed: a connection in TIME_WAIT would guard the port as well.
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            caller.sendall(b"GET /json.html HTTP/1.0\r\n\r\n")
            assert caller.recv(1) == b""
        assert manual.paused.wait(PATIENCE_SECONDS)
        with socket.socket() as other, pytest.raises(OSError, match="Address already in use"):
            other.bind(("127.0.0.1", urlsplit(server.base_url).port))
        manual.released.set()


def test_no_thread_and_no_open_port_outlives_the_stop() -> None:
    before = set(threading.enumerate())
    with DocumentationServer(PAGES.get, policy()) as server, ThreadPoolExecutor(8) as executor:
        pages = list(executor.map(lambda _: fetch(server.base_url), range(40)))
    assert pages == [PAGES["json"]] * 40
    assert set(threading.enumerate()) <= before
    assert not server.listening.is_set()
    with pytest.raises(ServerTrouble, match="connection failed"):
        fetch(server.base_url)


def test_a_stop_waits_for_a_reply_that_has_begun() -> None:
    begun, released = threading.Event(), threading.Event()

    def find_page(name: str) -> str:
        begun.set()
        assert released.wait(PATIENCE_SECONDS)
        return PAGES[name]

    server = DocumentationServer(find_page, policy())
    with ThreadPoolExecutor() as executor:
        page = executor.submit(fetch, server.start())
        assert begun.wait(PATIENCE_SECONDS)
        stop = executor.submit(server.stop)
        # Never too short for the right code; long enough to catch a stop that doesn't wait.
        assert not wait([stop], timeout=0.2).done
        released.set()
        stop.result()
        assert page.result() == PAGES["json"]


def test_a_stop_ends_real_pauses_early() -> None:
    decided = threading.Event()

    def clock() -> float:
        decided.set()
        return 0.0

    settings = BrittlenessSettings(
        failure_probability=0.0, slow_probability=1.0, slow_seconds=3600.0
    )
    server = DocumentationServer(PAGES.get, Brittleness(settings, clock=clock))
    with ThreadPoolExecutor() as executor:
        page = executor.submit(fetch, server.start())
        assert decided.wait(PATIENCE_SECONDS)
        server.stop()
        assert page.result() == PAGES["json"]


def test_a_stop_ends_a_real_outage_early() -> None:
    with (
        DocumentationServer(
            PAGES.get, policy(outage_after_served=0, outage_seconds=3600.0)
        ) as server,
        pytest.raises(ServerTrouble),
    ):
        fetch(server.base_url)
    assert not server.listening.is_set()


def test_callers_that_hang_up_disturb_nobody(capfd: pytest.CaptureFixture[str]) -> None:
    with DocumentationServer(PAGES.get, policy()) as server:
        connect(server.base_url).close()
        with connect(server.base_url) as caller:
            caller.sendall(b"GET /abc.html HTTP/1.0\r\n\r\n")
            caller.recv(1)
        with connect(server.base_url) as caller:
            caller.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
            assert b"400" in caller.recv(1000)
        assert fetch(server.base_url) == PAGES["json"]
    assert capfd.readouterr() == ("", "")


def test_a_defect_of_the_library_is_reported_and_answered_by_silence(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def find_page(name: str) -> str:
        raise LookupError(name)

    with (
        DocumentationServer(find_page, policy()) as server,
        pytest.raises(ServerTrouble, match="broken reply"),
    ):
        fetch(server.base_url)
    assert "LookupError: json" in capfd.readouterr().err


def test_a_server_stops_twice_but_starts_once() -> None:
    server = DocumentationServer(PAGES.get, policy())
    server.stop()
    server = DocumentationServer(PAGES.get, policy())
    server.start()
    with pytest.raises(RuntimeError, match="only once"):
        server.start()
    server.stop()
    server.stop()
