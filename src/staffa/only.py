"""Where a queue runs: the nodes that a rule names, by their names or by their environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from staffa._internal.shown import shown
from staffa.errors import ConfigError, UnknownOption

_MOST_CHARACTERS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Only:
    r"""A rule: a queue runs on the nodes for which all that is given is true, and on no others.

    Args:
        node: The node has this name.
        not_node: The node has any other name.
        node_matches: A regular expression of Python that is found in the name of the node; begin
            it with ``^`` and end it with ``$`` to compare the whole name.
        env: The name of an environment variable of the process.
        value: What that variable has to be; one that is not set is never equal.

    Raises:
        ConfigError: If nothing is given, a value can't be used, or one of `env` and `value` is
            missing.

    Example:
        >>> Only(node="web.1").fits("web.1", {})
        True
        >>> Only(node_matches=r"^web\.").fits("mail.1", {})
        False
        >>> Only(env="ROLE", value="mail").fits("web.1", {"ROLE": "mail"})
        True
    """

    node: str | None = None
    not_node: str | None = None
    node_matches: str | None = None
    env: str | None = None
    value: str | None = None

    def __post_init__(self) -> None:
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        for name, text in given.items():
            if text is not None:
                _check_text(name, text)
        if all(text is None for text in given.values()):
            raise ConfigError("only names no nodes: give node, not_node, node_matches, or env")
        if (self.env is None) != (self.value is None):
            raise ConfigError("only has one of env and value: give both, such as ROLE and mail")
        if self.node_matches is not None:
            try:
                re.compile(self.node_matches)
            except (re.error, OverflowError, RecursionError) as error:
                raise ConfigError(
                    f"only has node_matches {shown(self.node_matches, 100)}, which is no regular "
                    f"expression: {error}"
                ) from None

    @classmethod
    def parse(cls, value: Any) -> Only | None:
        """Return a rule from what users write: a table, or an `Only`; None is no rule.

        Raises:
            ConfigError: If it can't be used.
        """
        if value is None or isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            raise ConfigError(f"only is {shown(value, 100)}: give a rule such as {{'node': 'web'}}")
        known = {field.name for field in fields(cls)}
        for key in value:
            if key not in known:
                raise UnknownOption("option of only:", str(key), known)
        return cls(**value)

    def fits(self, node: str, environment: Mapping[str, str] = os.environ) -> bool:
        """Tell whether a process is one that it names.

        Args:
            node: The name of its node.
            environment: Its variables.
        """
        return self.fits_node(node) is not False and (
            self.env is None or environment.get(self.env) == self.value
        )

    def fits_node(self, node: str) -> bool | None:
        """Tell the same of a process elsewhere; None if that hangs on its environment."""
        named = (
            (self.node is None or node == self.node)
            and (self.not_node is None or node != self.not_node)
            and (self.node_matches is None or re.search(self.node_matches, node) is not None)
        )
        return None if named and self.env is not None else named

    def __str__(self) -> str:
        parts = {
            "node is": self.node,
            "node is not": self.not_node,
            "node matches": self.node_matches,
            f"{self.env} is": self.value,
        }
        return " and ".join(f"{what} {text}" for what, text in parts.items() if text is not None)


def _check_text(name: str, text: object) -> None:
    if not isinstance(text, str) or "\x00" in text or len(text) > _MOST_CHARACTERS:
        raise ConfigError(
            f"only has {name} {shown(text, 100)}: give a text of at most {_MOST_CHARACTERS} "
            "characters"
        )
    if not text and name != "value":
        raise ConfigError(f"only has an empty {name}: give a name, or leave it out")
