"""Ports for servers of tests that stop and come back at the same one.

The system gives none of these to connections that go out. One that it does give may be taken while
its server is away: by anybody, even by a client that tries to connect there and reaches itself.
"""

from __future__ import annotations

import random
import socket

_LOWEST, _HIGHEST = 10_000, 32_000


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    while True:
        port = random.randint(_LOWEST, _HIGHEST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
