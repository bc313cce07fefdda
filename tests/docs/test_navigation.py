"""Pages are found: links lead somewhere, and each page has its place."""

from __future__ import annotations

import os
import re
from urllib.parse import unquote

import pytest

from tests.docs.pages import PAGES, PROJECT, anchors, without_blocks


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings_that_exist(page: str) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (PROJECT / page).parent / unquote(path) if path else PROJECT / page
        if not found.exists() or (anchor and anchor not in anchors(found)):
            broken.append(target)
    assert broken == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, following = {"README.md"}, ["README.md"]
    while following:
        page = following.pop()
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", without_blocks(page)):
            name = os.path.relpath((PROJECT / page).parent / target, PROJECT)
            if name in PAGES and name not in reached:
                reached.add(name)
                following.append(name)
    assert {page for page in PAGES if page.startswith("docs/")} - reached == set()


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("docs/")])
def test_every_page_has_a_place_in_the_navigation(page: str) -> None:
    navigation = (PROJECT / "mkdocs.yml").read_text("utf-8").partition("\nnav:\n")[2]
    assert re.search(rf"[-:] {re.escape(page.removeprefix('docs/'))}$", navigation, re.MULTILINE)
