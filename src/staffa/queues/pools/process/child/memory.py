"""How much memory this process occupies."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PAGES = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Return the resident memory of this process; where that is not known, its peak so far."""
    try:
        return int(_PAGES.read_text().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError, ValueError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
