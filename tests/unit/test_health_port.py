"""The health port: what it answers, to whom it listens, and what hostile clients can do to it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import pytest

from staffa.errors import ConfigError
from staffa.services.health import (
    HealthPort,
    LocalServer,
    Question,
    Verdict,
    ports,
    serve_ports_by,
)
from staffa.services.health import server as module
from staffa.services.health.answers import MAX_HEAD_BYTES, answer
from tests.support.http import ask_now

DETAILS = {"state": "running"}


class Patient:
    """A client whose health a test decides."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.asked: list[float | None] = []

    def alive(self, longest_block: float | None) -> Verdict:
        self.asked.append(longest_block)
        return Verdict((), DETAILS)

    def ready(self) -> Verdict:
        return Verdict(self.reasons, DETAILS)


class Broken(Patient):
    """A client that can't be judged."""

    def ready(self) -> Verdict:
        raise RuntimeError("postgresql://ada:secret@db/app")


@pytest.fixture
def patient() -> Patient:
    return Patient()


@pytest.fixture
def port(patient: Patient) -> Iterator[HealthPort]:
    opened = HealthPort.open("127.0.0.1", 0, "Oban", patient)
    yield opened
    opened.close()


def number_of(port: HealthPort) -> int:
    number = urlsplit(port.url).port
    assert number is not None
    return number


def connect(port: HealthPort) -> socket.socket:
    return socket.create_connection(("127.0.0.1", number_of(port)), timeout=20)


def read_all(client: socket.socket) -> bytes:
    """Return what comes until the other side has ended."""
    found = b""
    try:
        while piece := client.recv(65536):
            found += piece
    except ConnectionError:
        pass
    return found


def reply_of(patient: Patient, head: bytes) -> bytes:
    async def judge(question: Question) -> Verdict:
        return question.put_to({"Oban": patient})

    return asyncio.run(answer(head, judge))


def status_of(head: bytes) -> int:
    reply = reply_of(Patient(), head)
    assert reply.startswith(b"HTTP/1.1 ")
    json.loads(reply.partition(b"\r\n\r\n")[2])
    return int(reply.split(b" ")[1])


def test_a_good_verdict_is_200_and_a_bad_one_503_with_its_reasons(
    port: HealthPort, patient: Patient
) -> None:
    good = ask_now(port.url, "/readyz")
    assert (good.status, good.body) == (
        200,
        {"ready": True, "reasons": [], "clients": {"Oban": DETAILS}},
    )
    assert good.headers["Content-Type"] == "application/json"
    assert good.headers["Cache-Control"] == "no-store"
    patient.reasons = ["the database was last reached 21.0 s ago"]
    bad = ask_now(port.url, "/readyz")
    assert (bad.status, bad.body["ready"]) == (503, False)
    assert bad.body["reasons"] == ["Oban: the database was last reached 21.0 s ago"]
    assert ask_now(port.url, "/healthz").status == 200


def test_head_has_the_status_without_a_body(port: HealthPort, patient: Patient) -> None:
    patient.reasons = ["it is starting"]
    reply = ask_now(port.url, "/readyz", "HEAD")
    assert (reply.status, reply.text) == (503, "")
    assert int(reply.headers["Content-Length"]) > 0


def test_how_long_a_block_may_be_is_the_probes_to_say(port: HealthPort, patient: Patient) -> None:
    for path in ("/healthz", "/healthz?blocked=3600", "/healthz?x=1&blocked=0.5"):
        assert ask_now(port.url, path).status == 200
    assert patient.asked == [None, 3600.0, 0.5]


@pytest.mark.parametrize("value", ["", "x", "0", "-1", "nan", "inf", "1e999", "%00", "1" * 5000])
def test_a_block_without_a_length_is_refused(value: str) -> None:
    assert status_of(f"GET /healthz?blocked={value} HTTP/1.1\r\n\r\n".encode()) == 400


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 404),
        (b"GET /healthz/../etc HTTP/1.1\r\n\r\n", 404),
        (b"GET //readyz HTTP/1.1\r\n\r\n", 404),
        (b"GET http://[::1/readyz HTTP/1.1\r\n\r\n", 400),
        (b"GET /healthz?a&b&c&d&e&f&g&h&i&j&k&l HTTP/1.1\r\n\r\n", 400),
        (b"POST /healthz HTTP/1.1\r\n\r\n", 405),
        (b"get /healthz HTTP/1.1\r\n\r\n", 405),
        (b"GET /healthz\r\n\r\n", 400),
        (b"GET /healthz HTTP/2\r\n\r\n", 400),
        (b"GET  /healthz HTTP/1.1\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"\x16\x03\x01\x00\xff\x00\r\n\r\n", 400),
        (b"\x00\xff\xfe GET\r\n\r\n", 400),
    ],
)
def test_what_is_no_question_is_refused(head: bytes, status: int) -> None:
    assert status_of(head) == status


def test_nothing_of_a_request_is_sent_back(port: HealthPort) -> None:
    for path in ("/<script>", "/healthz?blocked=<script>"):
        assert "script" not in ask_now(port.url, path).text


def test_a_client_that_can_not_be_judged_is_an_error_that_tells_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reply = reply_of(Broken(), b"GET /readyz HTTP/1.1\r\n\r\n")
    assert reply.startswith(b"HTTP/1.1 500 ")
    assert b"secret" not in reply
    assert "the health of this process can't be told" in caplog.text


def test_a_request_that_is_too_long_is_cut_off(port: HealthPort) -> None:
    for sent in (b"GET /" + b"x" * 200_000, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 50_000):
        with connect(port) as client:
            with suppress(ConnectionError):
                client.sendall(sent)
            assert read_all(client)[:13] in {b"", b"HTTP/1.1 431 "}
    assert ask_now(port.url, "/healthz").status == 200
    assert MAX_HEAD_BYTES < 200_000


def test_a_slow_client_is_cut_off(port: HealthPort, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.1)
    with connect(port) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost:")
        assert read_all(client) == b""


def test_clients_that_say_nothing_do_not_keep_a_probe_out(
    port: HealthPort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 3600)
    with ExitStack() as silent:
        clients = [silent.enter_context(connect(port)) for _ in range(3 * module.MOST_CONNECTIONS)]
        assert ask_now(port.url, "/healthz").status == 200
        assert read_all(clients[0]) == b""  # the ones that waited longest were cut
        served = port._shared.server
        assert isinstance(served, LocalServer)
        assert len(served._server._open) <= module.MOST_CONNECTIONS
        assert threading.active_count() < module.MOST_CONNECTIONS


def test_a_client_that_goes_away_harms_nothing(port: HealthPort) -> None:
    for sent in (b"", b"GET", b"GET /healthz HTTP/1.1\r\n\r\n"):
        connect(port).close()
        with connect(port) as client:
            client.sendall(sent)
    assert ask_now(port.url, "/healthz").status == 200


def test_a_port_in_use_is_an_error_that_says_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"health_port {number} of 127.0.0.1 is in use"):
            HealthPort.open("127.0.0.1", number, "Oban", Patient())


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "2001:db8::1"])
def test_an_address_of_another_machine_is_an_error_that_names_it(host: str) -> None:
    with pytest.raises(ConfigError, match=f"health_host '{host}' can't be listened on"):
        HealthPort.open(host, 0, "Oban", Patient())


def test_clients_of_one_process_share_a_port_until_the_last_one_leaves(
    port: HealthPort, patient: Patient
) -> None:
    other = Patient()
    second = HealthPort.open("127.0.0.1", number_of(port), "billing", other)
    assert second.url == port.url
    other.reasons = ["it is starting"]
    assert ask_now(port.url, "/readyz").body["reasons"] == ["billing: it is starting"]
    second.close()
    assert ask_now(port.url, "/readyz").body["clients"] == {"Oban": DETAILS}
    port.close()
    with pytest.raises(ConnectionRefusedError):
        connect(port)
    port.close()  # a second time does nothing


def test_a_port_can_be_opened_again_at_once(port: HealthPort, patient: Patient) -> None:
    number = number_of(port)
    assert ask_now(port.url, "/healthz").status == 200
    port.close()
    again = HealthPort.open("127.0.0.1", number, "Oban", patient)
    assert ask_now(again.url, "/healthz").status == 200
    again.close()


def test_a_port_on_ipv6_has_its_address_in_brackets(patient: Patient) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        port = HealthPort.open("::1", 0, "Oban", patient)
    except ConfigError:
        pytest.skip("this machine has no ::1")
    assert port.url.startswith("http://[::1]:")
    assert ask_now(port.url, "/healthz").status == 200
    port.close()


def test_a_forked_child_does_not_keep_the_port(port: HealthPort, patient: Patient) -> None:
    told, tell = os.pipe()
    begun, begin = os.pipe()
    with warnings.catch_warnings(action="ignore"):  # newer Pythons warn of forks beside threads
        child = os.fork()
    if child == 0:  # it holds on until it is told to end
        os.close(tell)
        os.write(begin, b"x")
        os.read(told, 1)
        os._exit(0)
    try:
        os.read(begun, 1)
        number = number_of(port)
        port.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", number), timeout=20)
    finally:
        for end in (tell, told, begun, begin):
            os.close(end)
        assert os.waitpid(child, 0)[1] == 0


def test_a_port_can_be_served_by_somebody_else_but_not_in_a_forked_process(
    patient: Patient,
) -> None:
    opened: list[tuple[str, int]] = []

    class Elsewhere:
        number = 8080

        def close(self) -> None:
            opened.clear()

        def leave_behind(self) -> None: ...

    def serve(host: str, port: int, judge: Callable[[Question], Verdict]) -> Elsewhere:
        opened.append((host, port))
        assert judge(Question("ready")).details == {"clients": {"Oban": DETAILS}}
        return Elsewhere()

    serve_ports_by(serve)
    try:
        port = HealthPort.open("::1", 0, "Oban", patient)
        assert (port.url, opened) == ("http://[::1]:8080", [("::1", 0)])
        port.close()
        assert opened == []
    finally:
        ports._leave_behind()  # what a forked process begins with
    port = HealthPort.open("127.0.0.1", 0, "Oban", patient)
    assert ask_now(port.url, "/readyz").status == 200
    port.close()
