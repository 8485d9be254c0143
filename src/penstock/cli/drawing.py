"""A picture of a graph in characters, for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Final

from penstock.cli.layout import Layout, Slot, lay_out
from penstock.cli.marks import MARKS
from penstock.cli.picture import Box, Picture

GAP: Final = 3
MAX_PINS: Final = 8
"""A side of a box where more edges end has one pin for all of them."""

_UP, _DOWN, _LEFT, _RIGHT = 1, 2, 4, 8
_LINES: Final = {
    _UP: "│", _DOWN: "│", _UP | _DOWN: "│", _LEFT: "─", _RIGHT: "─", _LEFT | _RIGHT: "─",
    _DOWN | _RIGHT: "╭", _DOWN | _LEFT: "╮", _UP | _RIGHT: "╰", _UP | _LEFT: "╯",
    _UP | _DOWN | _RIGHT: "├", _UP | _DOWN | _LEFT: "┤", _DOWN | _LEFT | _RIGHT: "┬",
    _UP | _LEFT | _RIGHT: "┴", _UP | _DOWN | _LEFT | _RIGHT: "┼",
}  # fmt: skip

Cell = tuple[str, str]
"""A character and the state that colours it, or empty."""


class _Canvas:
    """Characters by row and column; lines that meet join."""

    def __init__(self) -> None:
        self.cells: dict[tuple[int, int], Cell] = {}
        self.lines: dict[tuple[int, int], int] = {}

    def text(self, row: int, column: int, text: str, style: str = "") -> None:
        for offset, character in enumerate(text):
            self.cells[row, column + offset] = (character, style)

    def vertical(self, column: int, top: int, bottom: int) -> None:
        """A line from the middle of one row to the middle of another."""
        for row in range(top, bottom + 1):
            bits = (_UP if row > top else 0) | (_DOWN if row < bottom else 0)
            self.lines[row, column] = self.lines.get((row, column), 0) | bits

    def horizontal(self, row: int, left: int, right: int) -> None:
        for column in range(left, right + 1):
            bits = (_LEFT if column > left else 0) | (_RIGHT if column < right else 0)
            self.lines[row, column] = self.lines.get((row, column), 0) | bits

    def free(self, row: int, column: int, size: int) -> bool:
        spots = [(row, column + offset) for offset in range(-1, size + 1)]
        return not any(spot in self.cells or spot in self.lines for spot in spots[1:])

    def rows(self) -> list[list[Cell]]:
        for spot, bits in self.lines.items():
            if bits:
                self.cells.setdefault(spot, (_LINES[bits], ""))
        height = max((row for row, _ in self.cells), default=-1) + 1
        found: list[list[Cell]] = [[] for _ in range(height)]
        for (row, column), cell in sorted(self.cells.items()):
            line = found[row]
            line.extend([(" ", "")] * (column - len(line)))
            line.append(cell)
        return found


class _Wire:
    """One piece of an edge between two neighbouring layers. The track is its level row."""

    __slots__ = ("first", "label", "last", "track", "x1", "x2")

    def __init__(self, x1: int, x2: int, label: str, *, first: bool, last: bool) -> None:
        self.x1 = x1
        self.x2 = x2
        self.label = label
        self.first = first
        self.last = last
        self.track = -1


def draw(picture: Picture) -> list[list[Cell]]:
    """The rows of the drawing, each a list of cells."""
    boxes = {box.key: box for box in picture.boxes}
    degrees = _degrees(picture)
    widths = {key: float(_width(box, degrees[key])) for key, box in boxes.items()}
    layout = lay_out(widths, [(edge.source, edge.target) for edge in picture.edges], gap=GAP, bend=1.0)
    canvas = _Canvas()
    exits, entries = _pins(layout)
    top = 0
    for number, layer in enumerate(layout.layers):
        for slot in layer:
            if slot.edge is None:
                _draw_box(canvas, top, slot, boxes[slot.name])
            else:
                canvas.vertical(round(slot.x), top - 1, top + 4)
        wires = _wires(picture, layout, number, exits, entries)
        _assign(wires)
        tracks = max((wire.track for wire in wires), default=-1) + 1
        labelled = any(wire.label and wire.last for wire in wires)
        height = tracks + (1 if labelled else 0) + 1
        _draw_wires(canvas, wires, top + 4, tracks, height)
        top += 4 + height
    return canvas.rows()


def plain(rows: list[list[Cell]]) -> str:
    """The drawing without colours."""
    return "\n".join("".join(character for character, _ in row).rstrip() for row in rows)


def _degrees(picture: Picture) -> dict[str, int]:
    found = {box.key: [0, 0] for box in picture.boxes}
    for edge in picture.edges:
        found[edge.source][0] += 1
        found[edge.target][1] += 1
    return {key: max(pair) for key, pair in found.items()}


def _width(box: Box, degree: int) -> int:
    first = 2 + len(box.key) + (2 + len(box.note) if box.note else 0)
    width = max(first, len(box.kind)) + 4
    width = max(width, 2 * min(degree, MAX_PINS) + 3)
    return width + 1 - width % 2  # odd, so that a box has a middle column


def _left(slot: Slot) -> int:
    return round(slot.x - slot.width / 2)


def _draw_box(canvas: _Canvas, top: int, slot: Slot, box: Box) -> None:
    left, inner = _left(slot), int(slot.width) - 2
    mark = MARKS[box.state]
    canvas.text(top, left, "┌" + "─" * inner + "┐", box.state)
    name = f"{mark.symbol} {box.key}"
    gap = " " * (inner - 2 - len(name) - len(box.note))
    for row, text in ((1, f"{name}{gap}{box.note}"), (2, box.kind.ljust(inner - 2))):
        canvas.text(top + row, left, "│", box.state)
        canvas.text(top + row, left + 2, text, box.state if row == 1 else "pending")
        canvas.text(top + row, left + inner + 1, "│", box.state)
    canvas.text(top + 3, left, "└" + "─" * inner + "┘", box.state)


Pins = Mapping[tuple[int, int], int]
"""(edge, layer) → the column where the edge leaves or enters that layer."""


def _pins(layout: Layout) -> tuple[Pins, Pins]:
    """Spread the ends of the edges over the sides of the boxes, in the order that avoids crossings."""
    exits: dict[tuple[int, int], int] = {}
    entries: dict[tuple[int, int], int] = {}
    leaving: dict[int, list[tuple[float, int, Slot]]] = {}
    arriving: dict[int, list[tuple[float, int, Slot]]] = {}
    for number, route in enumerate(layout.routes):
        down = route if route[0].layer <= route[-1].layer else route[::-1]
        for upper, lower in pairwise(down):
            leaving.setdefault(id(upper), []).append((lower.x, number, upper))
            arriving.setdefault(id(lower), []).append((upper.x, number, lower))
    for pins, ends in ((exits, leaving), (entries, arriving)):
        for found in ends.values():
            found.sort(key=lambda end: end[:2])
            for place, (_, number, slot) in enumerate(found):
                pins[number, slot.layer] = _pin(slot, place, len(found))
    return exits, entries


def _pin(slot: Slot, place: int, count: int) -> int:
    if slot.edge is not None or count == 1 or count > MAX_PINS:
        return round(slot.x) if slot.edge is not None else _left(slot) + int(slot.width) // 2
    return _left(slot) + round((place + 1) * slot.width / (count + 1) - 0.5)


def _wires(picture: Picture, layout: Layout, layer: int, exits: Pins, entries: Pins) -> list[_Wire]:
    wires = []
    for number, route in enumerate(layout.routes):
        down = route if route[0].layer <= route[-1].layer else route[::-1]
        for upper, lower in pairwise(down):
            if upper.layer == layer:
                wires.append(
                    _Wire(
                        exits[number, layer],
                        entries[number, lower.layer],
                        picture.edges[number].label,
                        first=upper.edge is None,
                        last=lower.edge is None,
                    )
                )
    return wires


def _assign(wires: list[_Wire]) -> None:
    """Give each bent wire a track of its own height, so that no two lie on each other.

    A wire that ends in the column where another begins must level out below that one; of
    those that go the same way, the outer one levels out first. Wires that share an end may
    share their track.
    """
    waiting = [wire for wire in wires if wire.x1 != wire.x2]
    waiting.sort(key=lambda wire: -wire.x1 if wire.x2 > wire.x1 else wire.x1)
    track = 0
    while waiting:
        starts = {wire.x1 for wire in waiting}
        taken: list[_Wire] = []
        left: list[_Wire] = []
        for wire in waiting:
            if wire.x2 in starts or any(_overlap(wire, other) for other in taken):
                left.append(wire)
            else:
                taken.append(wire)
        if not taken:
            taken.append(left.pop(0))  # two that wait for each other have to cross
        for wire in taken:
            wire.track = track
        waiting = left
        track += 1


def _overlap(one: _Wire, other: _Wire) -> bool:
    if one.x1 == other.x1 or one.x2 == other.x2:
        return False
    left, right = sorted((one.x1, one.x2))
    other_left, other_right = sorted((other.x1, other.x2))
    return left <= other_right + 1 and other_left <= right + 1


def _draw_wires(canvas: _Canvas, wires: list[_Wire], top: int, tracks: int, height: int) -> None:
    bottom = top + height - 1
    for wire in wires:
        if wire.track < 0:
            canvas.vertical(wire.x1, top - 1, bottom)
        else:
            level = top + wire.track
            canvas.vertical(wire.x1, top - 1, level)
            canvas.horizontal(level, *sorted((wire.x1, wire.x2)))
            canvas.vertical(wire.x2, level, bottom + (0 if wire.last else 1))
        if wire.first:
            canvas.text(top - 1, wire.x1, "┬", "")
        if wire.last:
            canvas.text(bottom, wire.x2, "▼", "")
    for wire in sorted((wire for wire in wires if wire.last and wire.label), key=lambda wire: wire.x2):
        row = top + tracks
        for column in (wire.x2 + 2, wire.x2 - 1 - len(wire.label)):
            if column >= 0 and canvas.free(row, column, len(wire.label)):
                canvas.text(row, column, wire.label, "pending")
                break
