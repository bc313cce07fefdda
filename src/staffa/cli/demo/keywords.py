"""The demo's input: a text file of keywords, one a line."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from staffa.errors import ConfigError

LONGEST_NAME_CHARACTERS = 200


def read_keywords(path: Path) -> tuple[str, ...]:
    """Read a file of keywords; `#` begins a comment, blank lines and repeats are dropped.

    Args:
        path: The file, in UTF-8.

    Returns:
        The keywords in the order of their first appearance.

    Raises:
        ConfigError: The file can't be read or decoded, holds no keyword, or a line is no name.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"can't read the keyword file {str(path)!r}: {reason}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"the keyword file {str(path)!r} is no UTF-8 text"
            f" (byte {error.start} is 0x{error.object[error.start]:02x}): save it as UTF-8"
        ) from error
    return _parse(text, origin=str(path))


def shipped_keywords() -> tuple[str, ...]:
    """The keywords that come with Staffa: names of Python's standard library modules.

    Example:
        >>> "asyncio.tasks" in shipped_keywords()
        True
    """
    text = files(__package__).joinpath("keywords.txt").read_text(encoding="utf-8")
    return _parse(text, origin="keywords.txt")


def is_dotted_name(text: str) -> bool:
    """Whether `text` is an identifier or several with dots between, of bearable length.

    Example:
        >>> is_dotted_name("xml.etree.ElementTree"), is_dotted_name("../secrets")
        (True, False)
    """
    return len(text) <= LONGEST_NAME_CHARACTERS and all(
        part.isidentifier() for part in text.split(".")
    )


def _parse(text: str, *, origin: str) -> tuple[str, ...]:
    keywords = tuple(dict.fromkeys(_names(text, origin=origin)))
    if not keywords:
        raise ConfigError(f"the keyword file {origin!r} holds no keyword: write one name a line")
    return keywords


def _names(text: str, *, origin: str) -> Iterator[str]:
    for number, line in enumerate(text.split("\n"), start=1):
        name = line.partition("#")[0].strip()
        if not name:
            continue
        if not is_dotted_name(name):
            shown = name if len(name) <= 60 else f"{name[:60]}…"
            raise ConfigError(
                f"{origin}, line {number}: {shown!r} is no keyword:"
                " write one dotted name a line, such as asyncio.tasks"
            )
        yield name
