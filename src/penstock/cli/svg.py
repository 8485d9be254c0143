"""A picture of a graph as one self-contained SVG file, readable on light and dark pages."""

from __future__ import annotations

from html import escape
from itertools import pairwise
from typing import Final

from penstock.cli.layout import Layout, Slot, lay_out
from penstock.cli.marks import MARKS
from penstock.cli.picture import Box, Picture

BOX_HEIGHT: Final = 52
LEVEL: Final = 118
"""From the top of one layer to the top of the next."""

MARGIN: Final = 24
HEADER: Final = 44
_NAME_SIZE: Final = 13
_SMALL_SIZE: Final = 11
_ADVANCE: Final = 0.602
"""Width of a character of a monospaced font, in parts of its size."""

_LIGHT: Final = {
    "pending": "#8a94a6", "running": "#2563eb", "waiting": "#0e7490", "retrying": "#b45309",
    "completed": "#15803d", "failed": "#c81e1e", "skipped": "#8a94a6", "cancelled": "#b45309",
}  # fmt: skip
_DARK: Final = {
    "pending": "#7f8aa0", "running": "#6ea8fe", "waiting": "#5fc9dd", "retrying": "#f2b155",
    "completed": "#5ecb83", "failed": "#ff7b72", "skipped": "#7f8aa0", "cancelled": "#f2b155",
}  # fmt: skip

_ARROW: Final = (
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
    'markerHeight="7" orient="auto"><path class="head" d="M0 0.5 8 4 0 7.5z"/></marker></defs>'
)


def svg(picture: Picture) -> str:
    """The picture as the text of an SVG file."""
    layout = lay_out(
        {box.key: _width(box) for box in picture.boxes},
        [(edge.source, edge.target) for edge in picture.edges],
        gap=36,
        bend=24,
    )
    width = round(max(layout.width, _measure(_heading(picture), 15)) + 2 * MARGIN)
    depth = len(layout.layers)
    height = round(HEADER + MARGIN + max(depth - 1, 0) * LEVEL + (BOX_HEIGHT if depth else 0) + MARGIN)
    boxes = {box.key: box for box in picture.boxes}
    shift = (width - 2 * MARGIN - layout.width) / 2 + MARGIN
    drawn = [
        _box(slot, boxes[slot.name], shift)
        for layer in layout.layers
        for slot in layer
        if slot.edge is None
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-labelledby="title description">'
    )
    title = f'<text class="title" x="{MARGIN}" y="{MARGIN + 10}">{escape(_heading(picture))}</text>'
    return "\n".join(
        [
            head,
            f'<title id="title">{escape(_heading(picture))}</title>',
            f'<desc id="description">{escape(picture.description)}</desc>',
            _style(),
            _ARROW,
            f'<rect class="page" width="{width}" height="{height}" rx="10"/>',
            title,
            *_edges(picture, layout, shift, width),
            *drawn,
            "</svg>",
            "",
        ]
    )


def _heading(picture: Picture) -> str:
    mark = MARKS[picture.state]
    note = f" · {picture.note}" if picture.note else ""
    return f"{mark.symbol} {picture.title} · {picture.state}{note}"


def _measure(text: str, size: float) -> float:
    return len(text) * size * _ADVANCE


def _width(box: Box) -> float:
    name = _measure(box.key, _NAME_SIZE) + _measure(box.note, _SMALL_SIZE) + (14 if box.note else 0)
    return round(max(name, _measure(box.kind, _SMALL_SIZE)) + 52, 1)


def _style() -> str:
    """Colours for both pages: a viewer that knows its scheme picks, others get the light one."""

    def rules(colours: dict[str, str], page: str, ink: str, soft: str, line: str, card: str) -> str:
        states = "".join(
            f".{state} .edge{{stroke:{colour}}}.{state} .mark{{fill:{colour}}}"
            for state, colour in colours.items()
        )
        return (
            f".page{{fill:{page}}}.card{{fill:{card}}}text{{fill:{ink}}}.soft{{fill:{soft}}}"
            f".link{{stroke:{line}}}.head{{fill:{line}}}.port{{fill:{soft}}}{states}"
        )

    light = rules(_LIGHT, "#ffffff", "#1c2333", "#5b6577", "#9aa5b8", "#f7f9fc")
    dark = rules(_DARK, "#12161f", "#e8ecf4", "#9aa6ba", "#5d6a80", "#1b2130")
    return (
        "<style>text{font-family:ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace}"
        f".title{{font-size:15px;font-weight:600}}.name{{font-size:{_NAME_SIZE}px;font-weight:600}}"
        f".soft,.port,.note{{font-size:{_SMALL_SIZE}px}}.link{{fill:none;stroke-width:1.5}}"
        ".edge{fill:none;stroke-width:1.5}"
        ".skipped,.pending{opacity:.75}.skipped .edge,.pending .edge{stroke-dasharray:4 3}"
        f"{light}@media (prefers-color-scheme:dark){{{dark}}}</style>"
    )


def _box(slot: Slot, box: Box, shift: float) -> str:
    left, top = slot.x - slot.width / 2 + shift, HEADER + MARGIN + slot.layer * LEVEL
    mark = MARKS[box.state]
    note = (
        f'<text class="soft" x="{left + slot.width - 14:.1f}" y="{top + 22}" text-anchor="end">'
        f"{escape(box.note)}</text>"
        if box.note
        else ""
    )
    area = f'x="{left:.1f}" y="{top}" width="{slot.width:.1f}" height="{BOX_HEIGHT}" rx="8"'
    return (
        f'<g class="{box.state}"><rect class="card" {area}/><rect class="edge" {area}/>'
        f'<text class="name mark" x="{left + 14:.1f}" y="{top + 22}">{mark.symbol}</text>'
        f'<text class="name" x="{left + 31:.1f}" y="{top + 22}">{escape(box.key)}</text>{note}'
        f'<text class="soft" x="{left + 31:.1f}" y="{top + 40}">{escape(box.kind)}</text></g>'
    )


Curve = tuple[float, float, float, float]
"""From x, y straight down, and from above to x, y."""


def _edges(picture: Picture, layout: Layout, shift: float, width: float) -> list[str]:
    """All links, and above them their labels."""
    outgoing, incoming = _fans(layout)
    lines: list[str] = []
    ends: list[tuple[str, Curve]] = []
    for number, route in enumerate(layout.routes):
        xs = [slot.x + shift for slot in route]
        xs[0] += outgoing[number]
        xs[-1] += incoming[number]
        tops = [HEADER + MARGIN + slot.layer * LEVEL for slot in route]
        path = [f"M{xs[0]:.1f} {tops[0] + BOX_HEIGHT}"]
        for place, (x1, x2) in enumerate(pairwise(xs)):
            start, end = tops[place] + BOX_HEIGHT, tops[place + 1]
            middle = (start + end) / 2
            path.append(f"C{x1:.1f} {middle:.1f} {x2:.1f} {middle:.1f} {x2:.1f} {end}")
            if place + 2 < len(xs):
                path.append(f"V{end + BOX_HEIGHT}")
        lines.append(f'<path class="link" marker-end="url(#arrow)" d="{"".join(path)}"/>')
        ends.append((picture.edges[number].label, (xs[-2], tops[-2] + BOX_HEIGHT, xs[-1], tops[-1])))
    return lines + _labels([(label, curve) for label, curve in ends if label], width)


def _labels(wanted: list[tuple[str, Curve]], width: float) -> list[str]:
    """Each label on its curve, where no other one is, and inside of the page."""
    taken: list[tuple[float, float, float]] = []
    found = []
    for label, (x1, y1, x2, y2) in wanted:
        half = _measure(label, _SMALL_SIZE) / 2 + 4
        for part in (0.5, 0.68, 0.32, 0.8, 0.2):
            # A cubic curve whose control points lie half way between its ends.
            x = x1 + (x2 - x1) * part * part * (3 - 2 * part)
            x = min(max(x, half + 4), width - half - 4)
            ease = 1.5 * part * (1 - part) + part**3
            y = y1 + (y2 - y1) * ease
            if all(abs(x - other) > half + size or abs(y - level) > 15 for other, level, size in taken):
                break
        taken.append((x, y, half))
        found.append(
            f'<rect class="page" x="{x - half:.1f}" y="{y - 8:.1f}" width="{2 * half:.1f}" height="16" '
            f'rx="4"/><text class="port" x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle">'
            f"{escape(label)}</text>"
        )
    return found


def _fans(layout: Layout) -> tuple[dict[int, float], dict[int, float]]:
    """How far from a box's middle each of its edges begins and ends, in pixels."""
    found: tuple[dict[int, float], dict[int, float]] = ({}, {})
    for side, pins in enumerate(found):
        ends: dict[int, list[tuple[float, int, Slot]]] = {}
        for number, route in enumerate(layout.routes):
            own, other = (route[0], route[1]) if side == 0 else (route[-1], route[-2])
            ends.setdefault(id(own), []).append((other.x, number, own))
        for group in ends.values():
            group.sort(key=lambda end: end[:2])
            for place, (_, number, slot) in enumerate(group):
                pins[number] = (place + 1) * slot.width / (len(group) + 1) - slot.width / 2
    return found
