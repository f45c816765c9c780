"""A backtest as a picture: calls by target then and now, as SVG."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from wattline.engine.tally import Tally
from wattline.engine.tally_json import targets

WIDTH = 760
LEFT = 230
BAR = 14
ROW = 44
TOP = 84
SHOWN = 24
"""Targets in a picture."""
_THEN, _NOW = "#9aa5b1", "#2f6fde"
_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
    'font-family="sans-serif" font-size="12" fill="#1f2933">'
)


def picture(tally: Tally) -> str:
    """An SVG document. Names in it can't be markup."""
    names = targets(tally)[:SHOWN]
    most = max((max(tally.served_then[n], tally.served_now[n]) for n in names), default=0) or 1
    height = TOP + ROW * len(names) + 40
    parts = [
        _HEAD.format(width=WIDTH, height=height),
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="28" font-size="16">{tally.calls:,} calls, {tally.changed:,} change their target</text>',
        f'<text x="16" y="48">429: {tally.avoided:,} avoided, {tally.caused:,} caused</text>',
        f'<rect x="16" y="58" width="10" height="10" fill="{_THEN}"/><text x="32" y="67">then</text>',
        f'<rect x="76" y="58" width="10" height="10" fill="{_NOW}"/><text x="92" y="67">with these rules</text>',
    ]
    for row, name in enumerate(names):
        parts += _row(name, tally.served_then[name], tally.served_now[name], most, TOP + row * ROW)
    return "\n".join([*parts, "</svg>\n"])


def _row(name: str, then: int, now: int, most: int, y: int) -> Iterator[str]:
    label = escape(name if len(name) <= 34 else f"{name[:33]}…")
    yield f'<text x="{LEFT - 10}" y="{y + BAR + 4}" text-anchor="end">{label}</text>'
    for count, colour, top in ((then, _THEN, y), (now, _NOW, y + BAR + 2)):
        width = (WIDTH - LEFT - 90) * count / most
        yield f'<rect x="{LEFT}" y="{top}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>'
        yield f'<text x="{LEFT + width + 6:.1f}" y="{top + 11}">{count:,}</text>'
