"""The pages that pydoc makes."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from staffa.cli.demo.keywords import shipped_keywords
from staffa.cli.demo.library import Library
from staffa.cli.demo.pages import parse_page


@pytest.fixture(scope="module")
def library() -> Library:
    return Library()


def test_every_shipped_keyword_has_a_page_of_its_own(library: Library) -> None:
    for keyword in shipped_keywords():
        page = library.page(keyword)
        assert page is not None, keyword
        assert f"<title>Python: {keyword}</title>" in page


def test_a_page_links_to_other_modules_in_a_way_the_parser_recognises(library: Library) -> None:
    page = library.page("json.decoder")
    assert page is not None
    parsed = parse_page(page)
    assert {"json", "json.scanner", "re"} <= set(parsed.links)
    assert parsed.summary == "Implementation of JSONDecoder"


@pytest.mark.parametrize(
    ("name", "summary"),
    [
        ("with", "The with statement is used to wrap the execution of a block"),
        ("STRINGS", "String literals are described by the following lexical"),
        ("len", "Return the number of items in a container."),
        ("None", ""),
    ],
)
def test_keywords_topics_and_builtins_have_pages(library: Library, name: str, summary: str) -> None:
    page = library.page(name)
    assert page is not None
    parsed = parse_page(page)
    assert parsed.title == name
    assert parsed.summary.replace('"', "").startswith(summary)


@pytest.mark.parametrize(
    "name",
    ["", ".", "no_such_module", "json.no_such_module", "../secret", "json/decoder", "x" * 5000],
)
def test_there_is_no_page_for_what_does_not_exist(library: Library, name: str) -> None:
    assert library.page(name) is None


def test_a_module_outside_the_standard_library_is_neither_imported_nor_shown(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "intruder.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert library.page("intruder") is None
    assert library.page("pytest") is None


@pytest.mark.parametrize("name", ["antigravity", "this", "asyncio.__main__", "unittest.__main__"])
def test_a_module_that_does_something_when_imported_is_left_alone(
    library: Library, name: str
) -> None:
    assert library.page(name) is None
    assert name not in sys.modules


def test_a_module_that_can_not_be_imported_here_has_no_page(library: Library) -> None:
    assert library.page("asyncio.windows_events") is None


def test_a_page_is_rendered_once(library: Library) -> None:
    assert library.page("json.scanner") is library.page("json.scanner")


def test_threads_may_share_a_library() -> None:
    library = Library()
    names = ["abc", "bisect", "keyword", "stat"] * 8
    with ThreadPoolExecutor(max_workers=8) as executor:
        pages = list(executor.map(library.page, names))
    assert all(page is library.page(name) for page, name in zip(pages, names, strict=True))
