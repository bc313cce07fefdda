"""Reads what is worth keeping out of a documentation page.

The page comes from a third party: whatever it holds, the result is a `Page` whose texts are short
and printable (PostgreSQL refuses NUL in text) and whose links are plausible names.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from html.parser import HTMLParser

from staffa.cli.demo.keywords import is_dotted_name

LONGEST_TEXT_CHARACTERS = 300
_PIECE_CHARACTERS = 32 * 1024


@dataclass(frozen=True, slots=True)
class Page:
    """What is kept of a page.

    Attributes:
        title: What the page documents, for example `asyncio.tasks`; empty if it has no title.
        summary: First sentences of the docstring, at most 300 characters; may be empty.
        links: Sorted names of the other modules that the page links to.
        size_bytes: Size of the page in UTF-8.
    """

    title: str
    summary: str
    links: tuple[str, ...]
    size_bytes: int


def _ignore(share: float) -> None:
    """Nobody asks how far it is."""


def parse_page(html: str, on_progress: Callable[[float], object] = _ignore) -> Page:
    """Parse a documentation page; never fails, however broken the HTML is.

    Args:
        html: The page.
        on_progress: Called with the share that is read, now and then.

    Example:
        >>> parse_page('<title>Python: json</title><a href="codecs.html#open">codecs</a>')
        Page(title='json', summary='', links=('codecs',), size_bytes=64)
    """
    reader = _PageReader()
    reader.read(html, on_progress)
    title = _one_line(reader.title).removeprefix("Python: ")
    return Page(
        title=_shorten(title),
        summary=_shorten(_first_paragraph(reader.docstring)),
        links=tuple(sorted(reader.links - {title, "index"})),
        size_bytes=len(html.encode("utf-8", errors="replace")),
    )


class _PageReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.title = ""
        self.docstring = ""
        self.links: set[str] = set()
        self._texts: list[str] | None = None
        self._wanted = "title"

    def read(self, html: str, on_progress: Callable[[float], object]) -> None:
        """Read a page, piece by piece."""
        # The parser gives up on some broken declarations; what was read until then is kept.
        # No `close`: it reads an unfinished tag again from every "<" in it, which took 36 s for
        # a hostile page of 200 kB.
        with suppress(AssertionError):
            for start in range(0, len(html), _PIECE_CHARACTERS):
                self.feed(html[start : start + _PIECE_CHARACTERS])
                on_progress(min(start / len(html) + _PIECE_CHARACTERS / len(html), 1.0))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        if tag == "a":
            self._add_link(found.get("href") or "")
        elif tag == "table" and found.get("class") == "section" and self._texts is None:
            # The docstring stands before the first section, or nowhere.
            self._wanted = ""
        elif tag == self._wanted and (tag == "title" or found.get("class") == "code"):
            self._texts = []

    def handle_endtag(self, tag: str) -> None:
        if self._texts is None or tag != self._wanted:
            return
        text, self._texts = "".join(self._texts), None
        if tag == "title":
            self.title, self._wanted = text, "span"
        else:
            self.docstring, self._wanted = text, ""

    def handle_data(self, data: str) -> None:
        if self._texts is not None:
            self._texts.append(data)

    def _add_link(self, address: str) -> None:
        path = re.split("[?#]", address, maxsplit=1)[0]
        name = path.removesuffix(".html")
        if name != path and is_dotted_name(name):
            self.links.add(name)


def _first_paragraph(text: str) -> str:
    heading = ""
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        *_, last_line = paragraph.split("\n")
        if any(character.isalnum() for character in last_line):
            return _one_line(paragraph)
        # Underlined: a heading, better than nothing.
        heading = heading or _one_line(paragraph.removesuffix(last_line))
    return heading


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _shorten(text: str) -> str:
    if len(text) <= LONGEST_TEXT_CHARACTERS:
        return text
    head = text[:LONGEST_TEXT_CHARACTERS]
    end_of_sentence = max(head.rfind(f"{mark} ") for mark in ".!?")
    if end_of_sentence > 0:
        return head[: end_of_sentence + 1]
    return f"{head[:-1].rsplit(' ', maxsplit=1)[0]}…"
