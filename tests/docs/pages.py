"""The pages of the documentation, and the blocks in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PAGES = sorted(
    str(path.relative_to(PROJECT))
    for path in [
        *PROJECT.glob("*.md"),
        *(PROJECT / "docs").rglob("*.md"),
        *(PROJECT / "examples").rglob("*.md"),
    ]
)
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROGRAM = 'if __name__ == "__main__":'


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str

    @property
    def is_program(self) -> bool:
        return self.language == "python" and _PROGRAM in self.text

    @property
    def example(self) -> Path | None:
        """The file of an example that it shows."""
        name = self.text.partition("\n")[0].removeprefix("# ")
        return next(iter(sorted(PROJECT.glob(f"examples/*/{name}"))), None) if name else None

    @property
    def file_name(self) -> str:
        name = self.text.partition("\n")[0].removeprefix("#").strip()
        assert name.endswith(".py"), f"{self}: a program begins with its file's name as a comment"
        return name

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: str, language: str) -> list[Block]:
    text = (PROJECT / page).read_text("utf-8")
    return [
        Block(page, text.count("\n", 0, found.start()) + 2, found[1], found[2])
        for found in _BLOCK.finditer(text)
        if found[1] == language
    ]


ALL_BLOCKS = {
    language: [block for page in PAGES for block in blocks(page, language)]
    for language in ("python", "console", "toml", "json", "sql")
}


def without_blocks(page: str) -> str:
    return _BLOCK.sub("", (PROJECT / page).read_text("utf-8"))


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, made as repository hosts make them."""
    text = without_blocks(str(path.relative_to(PROJECT)))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}
