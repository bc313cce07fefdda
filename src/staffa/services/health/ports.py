"""The health ports of this process: clients that name the same one share it.

They are served by a thread of this process; or, in one of several that `staffa start` looks after,
by that one, which tells of all of them.

Invariants: a port is bound before a client begins to claim, so that a port in use is an error and
no surprise later; the last client that leaves closes it; a forked child holds none.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import threading
from collections.abc import Callable
from typing import Protocol, Self

from staffa.errors import ConfigError
from staffa.services.health.answers import Judge, answer
from staffa.services.health.server import HealthServer
from staffa.services.health.verdicts import Question, Verdict, Vitals

logger = logging.getLogger("staffa")


class PortServer(Protocol):
    """What serves a port."""

    @property
    def number(self) -> int:
        """Its number, also where a free one was asked for."""

    def close(self) -> None:
        """Serve it no more."""

    def leave_behind(self) -> None:
        """Close what a forked process has inherited of it."""


OpenServer = Callable[[str, int, Callable[[Question], Verdict]], PortServer]
"""Begins to serve a port, or raises `ConfigError`; it may judge on any thread."""


class HealthPort:
    """One client's part in a port.

    Args:
        shared: The port.
        name: The client's.
    """

    def __init__(self, shared: _Shared, name: str) -> None:
        self._shared = shared
        self._name = name

    @classmethod
    def open(cls, host: str, port: int, name: str, vitals: Vitals) -> Self:
        """Have a client's health told on a port.

        Args:
            host: The address to listen on.
            port: Its number; 0 takes one that is free.
            name: The client's.
            vitals: Judges the client.

        Raises:
            ConfigError: If it can't be listened on.
        """
        with _lock:
            shared = _ports.get((host, port)) if port else None
            if shared is None:
                shared = _Shared(host, port, {name: vitals})
                _ports[host, shared.number] = shared
            shared.clients = {**shared.clients, name: vitals}
        return cls(shared, name)

    @property
    def url(self) -> str:
        """Where it is, without a path."""
        host = self._shared.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self._shared.number}"

    def close(self) -> None:
        """Have the client's health told no more; the last one closes the port."""
        shared = self._shared
        with _lock:
            left = {name: found for name, found in shared.clients.items() if name != self._name}
            shared.clients = left
            key = (shared.host, shared.number)
            if left or _ports.get(key) is not shared:
                return
            del _ports[key]
            shared.server.close()


def serve_ports_by(open_server: OpenServer) -> None:
    """Have all ports that are opened from now on served by somebody else."""
    global _open_server  # noqa: PLW0603
    _open_server = open_server


class _Shared:
    """A port and the clients that share it."""

    def __init__(self, host: str, port: int, clients: dict[str, Vitals]) -> None:
        self.host = host
        self.clients = clients  # replaced, never changed: another thread reads it
        self.server = _open_server(host, port, lambda question: question.put_to(self.clients))
        self.number = self.server.number


class LocalServer:
    """Serves a port on a thread of this process.

    Args:
        host: The address to listen on.
        port: Its number; 0 takes one that is free.
        judge: Judges what is asked for.

    Raises:
        ConfigError: If it can't be listened on.
    """

    def __init__(self, host: str, port: int, judge: Judge) -> None:
        listening = _listen(host, port)
        self.number: int = listening.getsockname()[1]
        self._server = HealthServer(listening, lambda head: answer(head, judge))
        logger.info("health is told at %s port %d: /healthz and /readyz", host, self.number)

    def close(self) -> None:
        """Serve it no more; returns once the thread has ended."""
        self._server.close()

    def leave_behind(self) -> None:
        """Close what a forked process has inherited of it; the thread is the parent's."""
        self._server.leave_behind()


def _serve_here(host: str, port: int, judge: Callable[[Question], Verdict]) -> PortServer:
    async def judge_here(question: Question) -> Verdict:
        return judge(question)

    return LocalServer(host, port, judge_here)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == "::" and socket.has_dualstack_ipv6()
    try:
        return socket.create_server((host, port), family=family, dualstack_ipv6=both)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"health_port {port} of {host} is in use: give each process of a machine its own "
                "by --health-port, STAFFA_HEALTH_PORT or health_port=, or 0 for one that is free"
            ) from None
        raise ConfigError(
            f"health_host {host!r} can't be listened on at health_port {port}: "
            f"{error.strerror or error}; give an address of this machine, such as 127.0.0.1"
        ) from None


_open_server: OpenServer = _serve_here
_lock = threading.Lock()
_ports: dict[tuple[str, int], _Shared] = {}
_inherited: list[_Shared] = []  # to collect their loops would take sockets out of the parent's


def _leave_behind() -> None:
    """Begin with no port in a forked process; the parent's thread may have held the lock.

    Nobody else serves what it opens, either.
    """
    global _lock, _open_server  # noqa: PLW0603
    _lock = threading.Lock()
    _open_server = _serve_here
    for shared in _ports.values():
        shared.server.leave_behind()
    _inherited.extend(_ports.values())
    _ports.clear()


os.register_at_fork(after_in_child=_leave_behind)
