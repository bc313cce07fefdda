"""The workflow: authors, a story by each, a picture for each story, a title, a cover, the book.

Each function is a step. Its parameters are filled by their names: from the context, and from what
the steps have returned that it depends on.
"""

from pathlib import Path

from illustrating import draw, draw_cover
from staffa import Workflow, job
from telling import find_title, make_author, tell


@job(queue="writing")
def find_author(chapter: str, seed: int) -> dict[str, str]:
    """Find somebody to write a chapter."""
    return make_author(chapter, seed)


@job(queue="writing", max_attempts=5)
def write_story(chapter: str, theme: str, seed: int, authors: dict[str, dict[str, str]]) -> str:
    """Write a chapter."""
    return tell(chapter, authors[chapter], theme, seed)


@job(queue="drawing")
def illustrate(chapter: str, stories: dict[str, str]) -> str:
    """Draw a picture for a chapter."""
    return draw(stories[chapter])


@job(queue="writing")
def name_book(stories: dict[str, str], theme: str, seed: int) -> str:
    """Find a title."""
    return find_title(list(stories.values()), theme, seed)


@job(queue="drawing")
def make_cover(title: str) -> str:
    """Draw the cover."""
    return draw_cover(title)


@job(queue="printing")
def print_book(
    title: str,
    cover: str,
    authors: dict[str, dict[str, str]],
    stories: dict[str, str],
    pictures: dict[str, str],
    folder: str,
) -> str:
    """Write the book as Markdown with its pictures, and return where it is."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    (target / "cover.svg").write_text(cover)
    parts = [f"# {title}\n\n![cover](cover.svg)\n"]
    for number, (chapter, story) in enumerate(stories.items(), start=1):
        (target / f"chapter-{number}.svg").write_text(pictures[chapter])
        parts.append(
            f"## {number}. {chapter}\n\n*by {authors[chapter]['name']}*\n\n"
            f"![{chapter}](chapter-{number}.svg)\n\n{story}\n"
        )
    book = target / "book.md"
    book.write_text("\n".join(parts))
    return str(book)


def plan_book(chapters: list[str], theme: str, folder: Path, seed: int = 1) -> Workflow:
    """Return the workflow that makes a book."""
    workflow = Workflow("storybook")
    workflow.put_context({"theme": theme, "seed": seed, "folder": str(folder)})
    by_name = {chapter: chapter for chapter in chapters}
    workflow.add_cascade("authors", (by_name, find_author))
    workflow.add_cascade("stories", (by_name, write_story), deps="authors")
    workflow.add_cascade("pictures", (by_name, illustrate), deps="stories")
    workflow.add_cascade("title", name_book, deps="stories")
    workflow.add_cascade("cover", make_cover, deps="title")
    workflow.add_cascade(
        "book", print_book, deps=["title", "cover", "authors", "stories", "pictures"]
    )
    return workflow
