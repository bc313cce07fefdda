"""What an exit code of a process tells."""

from __future__ import annotations

import signal

_HINTS = {
    signal.SIGKILL: "the kernel may have run out of memory",
    signal.SIGSEGV: "code in C has crashed",
    signal.SIGABRT: "code in C has given up",
    signal.SIGBUS: "code in C has crashed, or a mapped file has shrunk",
    signal.SIGILL: "code in C was made for another processor",
}


def killer(code: int) -> str | None:
    """Return the signal that has killed a process; None if it has ended by itself.

    Example:
        >>> killer(-9), killer(-40), killer(3)
        ('SIGKILL', '40', None)
    """
    if code >= 0:
        return None
    try:
        return signal.Signals(-code).name
    except ValueError:  # a real-time signal
        return str(-code)


def tell_exit(code: int) -> str:
    """Return how a process has ended, as the rest of a sentence.

    Args:
        code: Its exit code; a negative one is the signal that killed it.

    Example:
        >>> tell_exit(3)
        'ended with exit code 3'
        >>> tell_exit(-9)
        'was killed by SIGKILL (the kernel may have run out of memory)'
        >>> tell_exit(-40)
        'was killed by signal 40'
    """
    name = killer(code)
    if name is None:
        return f"ended with exit code {code}"
    if name.isdigit():
        return f"was killed by signal {name}"
    hint = _HINTS.get(signal.Signals(-code))
    return f"was killed by {name}" + ("" if hint is None else f" ({hint})")
