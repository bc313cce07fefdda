"""What is read out of a page."""

from __future__ import annotations

import pytest

from staffa.cli.demo.pages import Page, parse_page


def page(docstring: str, *, title: str = "Python: json", rest: str = "") -> str:
    return (
        f"<!DOCTYPE html><html><head><title>{title}</title></head><body>"
        f'<table class="heading"><tr><td><a href=".">index</a></td></tr></table>'
        f'<p><span class="code">{docstring}</span></p>{rest}</body></html>'
    )


def test_title_summary_links_and_size_are_read() -> None:
    html = page("Speaks&nbsp;JSON.", rest='<a href="codecs.html">é</a><a href="abc.html">x</a>')
    assert parse_page(html) == Page(
        title="json",
        summary="Speaks JSON.",
        links=("abc", "codecs"),
        size_bytes=len(html.encode()),
    )


@pytest.mark.parametrize(
    ("address", "links"),
    [
        ("xml.etree.ElementTree.html#Element", ("xml.etree.ElementTree",)),
        ("_thread.html", ("_thread",)),
        ("codecs.html?x=1#y", ("codecs",)),
        ("json.html#dumps", ()),
        ("index.html", ()),
        ("#dumps", ()),
        (".", ()),
        (".html", ()),
        ("", ()),
        ("https://docs.python.org/3/library/json.html", ()),
        ("file:/usr/lib/python3/json.html", ()),
        ("../codecs.html", ()),
        ("topic?key=WITH", ()),
        ("a b.html", ()),
        ("x" * 300 + ".html", ()),
    ],
)
def test_only_pages_of_other_modules_are_links(address: str, links: tuple[str, ...]) -> None:
    assert parse_page(page("", rest=f'<a href="{address}">x</a>')).links == links


def test_a_link_that_occurs_often_is_named_once() -> None:
    assert parse_page(page("", rest='<a href="abc.html">x</a>' * 9)).links == ("abc",)


def test_the_summary_is_the_first_paragraph_on_one_line() -> None:
    docstring = "First&nbsp;line<br>\n&nbsp;&nbsp;second.<br>\n&nbsp;<br>\nNext&nbsp;paragraph."
    assert parse_page(page(docstring)).summary == "First line second."


def test_the_text_of_links_in_the_docstring_belongs_to_the_summary() -> None:
    docstring = 'See <a href="https://peps.python.org/pep-0008/">PEP 8</a>, &lt;please&gt;.'
    assert parse_page(page(docstring)).summary == "See PEP 8, <please>."


def test_an_underlined_heading_is_passed_over_but_better_than_nothing() -> None:
    heading = "The with statement<br>\n******"
    assert parse_page(page(f"{heading}<br>\n&nbsp;<br>\nIt wraps.")).summary == "It wraps."
    assert parse_page(page(heading)).summary == "The with statement"


def test_a_long_summary_ends_with_a_sentence() -> None:
    docstring = "A sentence of a docstring that does not end. " * 20
    summary = parse_page(page(docstring)).summary
    assert len(summary) <= 300
    assert summary.endswith("not end.")


def test_a_long_sentence_is_cut_between_words() -> None:
    summary = parse_page(page("word " * 100)).summary
    assert len(summary) <= 300
    assert summary.endswith("word…")


def test_a_page_without_a_docstring_has_no_summary() -> None:
    section = '<table class="section"><tr><td><span class="code">&nbsp;x</span></td></tr></table>'
    html = page("").replace('<span class="code"></span>', section)
    assert parse_page(html).summary == ""


def test_texts_hold_nothing_that_a_database_refuses() -> None:
    parsed = parse_page(page("a\0b\ud800c\x1b[1m", title="Python: js\0on"))
    assert (parsed.title, parsed.summary) == ("js on", "a b c [1m")


@pytest.mark.parametrize(
    "html",
    [
        "",
        "no html at all",
        "<title>",
        "<title>Python: x",
        "<![x[",
        "<![CDATA[<a href='b.html'>",
        "<!--",
        "<!DOCTYPE",
        "<a href>",
        "<a href=>",
        "<a href='abc.html",
        "</title></span></p>",
        "<span class=code><span class=code></span>",
        "<title>a</title><title>b</title>",
        "&#0;&#xD800;&#99999999999;",
        "\0\ud800",
        "<script><a href=b.html></script",
    ],
)
def test_broken_html_gives_a_page_all_the_same(html: str) -> None:
    parsed = parse_page(html)
    assert parsed.links == ()
    assert len(parsed.title) + len(parsed.summary) <= 600


def test_what_stands_before_a_broken_declaration_is_kept() -> None:
    parsed = parse_page(page("Speaks JSON.", rest="<a href=abc.html><![x[ y ]]><a href=b.html>"))
    assert (parsed.title, parsed.summary, parsed.links) == ("json", "Speaks JSON.", ("abc",))


def test_an_unfinished_tag_is_not_read_again_for_more_tags() -> None:
    # Reading it again from each "<" in it is what takes quadratic time.
    assert parse_page("<a href='<b><title>Python: json</title>").title == ""
