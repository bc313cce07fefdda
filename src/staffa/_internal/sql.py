"""Statements and migrations are files; the schema is the one thing that is put into their text.

It is written ``:"prefix"``, as psql writes a variable that is quoted as an identifier, so that each
file runs in ``psql -v prefix=public`` as it stands.

A package is a folder: what is installed from a wheel lies unpacked. `importlib.resources`, which
reads archives, too, would load a megabyte of modules into each worker.
"""

from __future__ import annotations

import functools
from importlib import import_module
from pathlib import Path

from staffa._internal.identifiers import quote_identifier

_PLACEHOLDER = ':"prefix"'


@functools.cache
def load_sql(package: str, path: str, prefix: str) -> str:
    """Return the text of a file of a package, for a schema.

    Args:
        package: The package that holds the file.
        path: Its path below the package.
        prefix: The schema.
    """
    return set_prefix(find_folder(package).joinpath(path).read_text("utf-8"), prefix)


def find_folder(package: str) -> Path:
    """Return where the files of a package lie."""
    return Path(import_module(package).__path__[0])


def set_prefix(text: str, prefix: str) -> str:
    """Return a text with the schema put in.

    Example:
        >>> set_prefix('SELECT id FROM :"prefix".oban_jobs', "my jobs")
        'SELECT id FROM "my jobs".oban_jobs'
    """
    return text.replace(_PLACEHOLDER, quote_identifier(prefix))
