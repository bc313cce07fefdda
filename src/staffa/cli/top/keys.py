"""Keys of a terminal, read one by one without Enter."""

from __future__ import annotations

import asyncio
import os
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def keys_read(on_key: Callable[[str], None], on_gone: Callable[[], None]) -> Iterator[None]:
    """Call a function for each key, and leave the terminal as it was; do nothing elsewhere.

    Args:
        on_key: Called with each key.
        on_gone: Called once if the terminal goes away.
    """
    if not sys.stdin.isatty():
        yield
        return
    number = sys.stdin.fileno()
    loop = asyncio.get_running_loop()
    before = termios.tcgetattr(number)
    tty.setcbreak(number)

    def read() -> None:
        try:
            keys = os.read(number, 64).decode("utf-8", "replace")
        except OSError:
            keys = ""
        if not keys:  # it would be readable for ever
            loop.remove_reader(number)
            on_gone()
        for key in keys:
            on_key(key)

    loop.add_reader(number, read)
    try:
        yield
    finally:
        loop.remove_reader(number)
        with suppress(termios.error):  # it has gone away
            termios.tcsetattr(number, termios.TCSADRAIN, before)
