"""Documentation pages, made on demand by Python's own `pydoc`.

Invariants: rendering holds one lock, because `pydoc` keeps state in module globals and switches
warning filters of the whole process; a name, page or absence, is rendered once and then kept;
nothing is executed but imports of standard library modules that are harmless to import.
"""

from __future__ import annotations

import builtins
import inspect
import pydoc
import sys
import threading
import warnings
from pydoc_data.topics import topics
from typing import Any

from staffa.cli.demo.keywords import is_dotted_name

# These open a browser or a window, or print, as soon as they are imported.
LOUD_MODULES = frozenset({"antigravity", "idlelib", "this", "turtledemo"})
# A `__main__` may run a program when imported; the rest are test suites.
CLOSED_PARTS = frozenset({"__main__", "test", "tests"})


class Library:
    """Renders and keeps documentation pages; may be shared by threads.

    Example:
        >>> page = Library().page("json.decoder")
        >>> "<title>Python: json.decoder</title>" in page
        True
        >>> Library().page("no.such.module") is None
        True
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pages: dict[str, str | None] = {}

    def page(self, name: str) -> str | None:
        """The HTML page of a module, a language keyword or topic, or a built-in name.

        Args:
            name: For example `asyncio.tasks`, `with`, `STRINGS` or `len`.

        Returns:
            The page, or None if there is none, also for modules that can't be imported here.
        """
        with self._lock:
            if name not in self._pages:
                self._pages[name] = _render(name)
            return self._pages[name]


def _render(name: str) -> str | None:
    if not is_dotted_name(name):
        return None
    with warnings.catch_warnings():
        # Deprecated modules are documented too; a user's `-W error` must not hide their pages.
        warnings.simplefilter("ignore")
        contents = _module(name) or _topic(name) or _builtin(name)
    return None if contents is None else pydoc.HTMLDoc().page(name, contents)


def _document(name: str, module: Any) -> str:
    try:
        return pydoc.HTMLDoc().document(module, name)
    except SystemError:  # CPython 3.11 miscounts the depth of parsed code in threads, now and then
        return pydoc.HTMLDoc().document(module, name)


def _module(name: str) -> str | None:
    parts = name.split(".")
    if parts[0] not in sys.stdlib_module_names or parts[0] in LOUD_MODULES:
        return None
    if not CLOSED_PARTS.isdisjoint(parts):
        return None
    try:
        module = pydoc.safeimport(name)
    except pydoc.ErrorDuringImport:
        return None
    return None if module is None else _document(name, module)


def _topic(name: str) -> str | None:
    # Not `pydoc.Helper.showtopic`: before Python 3.13 it opens a pager whatever its output is.
    target = _topic_target(name)
    while isinstance(target, str):
        target = _topic_target(target)
    if target is None or target[0] not in topics:
        return None
    html = pydoc.HTMLDoc()
    # The same elements as around a module's docstring, so one parser reads both.
    return (
        f"{html.heading(f'<strong>{name}</strong>')}"
        f'<p><span class="code">{html.markup(topics[target[0]], html.preformat)}</span></p>\n'
    )


def _topic_target(name: str) -> str | tuple[str, ...] | None:
    # Some keywords (None, True, False) are listed, but with nothing.
    return pydoc.Helper.topics.get(name) or pydoc.Helper.keywords.get(name) or None


def _builtin(name: str) -> str | None:
    if not hasattr(builtins, name):
        return None
    subject = getattr(builtins, name)
    if not (inspect.isclass(subject) or inspect.isroutine(subject)):
        subject = type(subject)
    html = pydoc.HTMLDoc()
    docstring = html.markup(pydoc.getdoc(subject), html.preformat)
    return (
        f"{html.heading(f'<strong>{name}</strong>')}"
        f'<p><span class="code">{docstring}</span></p>\n'
        f"{html.document(subject, name)}"
    )
