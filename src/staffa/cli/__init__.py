"""The command line: `staffa`."""

from staffa.cli.program import main

__all__ = ["main"]
