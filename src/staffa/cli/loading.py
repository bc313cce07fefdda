"""Imports the code of a project, so that its workers, entries of cron and hooks are known."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
from collections.abc import Sequence

import click

from staffa.errors import ConfigError

import_option = click.option(
    "--import",
    "modules",
    multiple=True,
    metavar="MODULE",
    help="Code to load first: workers, hooks, handlers of events. May be repeated.",
)


def import_modules(modules: Sequence[str]) -> None:
    """Import modules, and all modules of packages, so that their workers register.

    Raises:
        ConfigError: If one of them can't be found.
    """
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    for name in modules:
        try:
            module = importlib.import_module(name)
            for found in pkgutil.walk_packages(getattr(module, "__path__", []), f"{name}."):
                importlib.import_module(found.name)
        except ModuleNotFoundError as error:
            remedy = "run this in the folder that holds it"
            if error.name and not f"{name}.".startswith(f"{error.name}."):
                remedy = "what it imports is not installed in this environment"
            raise ConfigError(f"module {name!r} can't be imported: {error}; {remedy}") from None
