"""Bars as SVG: one for each contender, as long as its figure."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

_BAR, _GAP, _LEFT, _WIDTH, _RIGHT = 22, 8, 190, 420, 110
_OURS, _THEIRS = "#2f6f4f", "#9aa5b1"


def draw(title: str, unit: str, figures: Mapping[str, float]) -> str:
    """Return a picture.

    Args:
        title: What was measured.
        unit: Of the figures.
        figures: By label, in the order of the bars.
    """
    largest = max(figures.values()) or 1.0
    height = 40 + len(figures) * (_BAR + _GAP)
    width = _LEFT + _WIDTH + _RIGHT
    box = f'viewBox="0 0 {width} {height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box} font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="10" y="22" font-weight="bold">{escape(title)} ({escape(unit)})</text>',
    ]
    for place, (label, figure) in enumerate(figures.items()):
        top = 36 + place * (_BAR + _GAP)
        length = max(round(_WIDTH * figure / largest), 1)
        colour = _OURS if "staffa" in label else _THEIRS
        middle = top + _BAR - 6
        parts += [
            f'<text x="{_LEFT - 8}" y="{middle}" text-anchor="end">{escape(label)}</text>',
            f'<rect x="{_LEFT}" y="{top}" width="{length}" height="{_BAR}" fill="{colour}"/>',
            f'<text x="{_LEFT + length + 6}" y="{middle}">{_tell(figure)}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _tell(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"
