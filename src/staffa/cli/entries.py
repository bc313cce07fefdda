"""Commands that are imported when they are asked for: one run of the program needs one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping

import click

from staffa._internal.lazy import load


class Entries(MutableMapping[str, click.Command]):
    """Commands by their names, in the order in which they are listed.

    Args:
        places: Where each command is: ``module:attribute``.
    """

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places: dict[str, str | click.Command] = dict(places)

    def __getitem__(self, name: str) -> click.Command:
        """Return a command, importing it now if nobody has asked for it yet."""
        found = self._places[name]
        if isinstance(found, str):
            loaded: click.Command = load(found)
            self._places[name] = found = loaded
        return found

    def __setitem__(self, name: str, command: click.Command) -> None:
        """Add a command."""
        self._places[name] = command

    def __delitem__(self, name: str) -> None:
        """Remove a command."""
        del self._places[name]

    def __contains__(self, name: object) -> bool:
        """Tell whether there is a command of this name, without importing it."""
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        """Yield the names."""
        return iter(self._places)

    def __len__(self) -> int:
        """Return how many commands there are."""
        return len(self._places)
