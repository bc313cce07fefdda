"""Pictures as SVG: the same text gives the same picture."""

import random
from html import escape

_WIDTH, _HEIGHT = 320, 200
_COLOURS = ("#e4572e", "#17bebb", "#ffc914", "#2e282a", "#76b041", "#4b4e6d", "#f2d7ee")


def draw(text: str) -> str:
    """Return a picture of a text: a sky, hills, and a sun that depend on it."""
    chance = random.Random(text)  # noqa: S311  # nothing secret
    sky, sun, *hills = chance.sample(_COLOURS, 5)
    shapes = [
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="{sky}"/>',
        f'<circle cx="{chance.randrange(40, 280)}" cy="60" r="24" fill="{sun}"/>',
    ]
    for place, colour in enumerate(hills):
        top = 90 + 30 * place
        middle = top - chance.randrange(20, 70)
        hill = f"M0 {top} Q{_WIDTH // 2} {middle} {_WIDTH} {top} V{_HEIGHT} H0 Z"
        shapes.append(f'<path d="{hill}" fill="{colour}"/>')
    return _frame(shapes)


def draw_cover(title: str) -> str:
    """Return a cover: a picture with the title across it."""
    picture = draw(title).removesuffix("</svg>\n")
    label = (
        f'<text x="50%" y="50%" text-anchor="middle" font-family="serif" font-size="14" '
        f'fill="white">{escape(title)}</text>'
    )
    return f"{picture}{label}</svg>\n"


def _frame(shapes: list[str]) -> str:
    size = f'width="{_WIDTH}" height="{_HEIGHT}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(shapes)}</svg>\n'
