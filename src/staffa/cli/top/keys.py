"""Keys of a terminal, read one by one without Enter."""

from __future__ import annotations

import asyncio
import os
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def keys_read(on_key: Callable[[str], None]) -> Iterator[None]:
    """Call a function for each key, and leave the terminal as it was; do nothing elsewhere."""
    if not sys.stdin.isatty():
        yield
        return
    number = sys.stdin.fileno()
    loop = asyncio.get_running_loop()
    before = termios.tcgetattr(number)
    tty.setcbreak(number)

    def read() -> None:
        for key in os.read(number, 64).decode("utf-8", "replace"):
            on_key(key)

    loop.add_reader(number, read)
    try:
        yield
    finally:
        loop.remove_reader(number)
        termios.tcsetattr(number, termios.TCSADRAIN, before)
