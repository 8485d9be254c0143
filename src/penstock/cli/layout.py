"""Layered drawing of a directed graph, after Sugiyama, Tagawa and Toda (1981).

Vertices go into layers so that edges point down; an edge over several layers passes
through a bend in each; the order within a layer is improved by barycentres; and the
positions are the least-squares fit to the neighbours' that keeps the vertices apart.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

SWEEPS: Final = 8


class Slot:
    """A vertex's place in its layer, or the bend of a long edge. x: its centre."""

    __slots__ = ("above", "below", "edge", "layer", "name", "width", "x")

    def __init__(self, name: str, width: float, layer: int, *, edge: int | None = None) -> None:
        self.name = name
        self.width = width
        self.layer = layer
        self.edge = edge
        self.x = 0.0
        self.above: list[Slot] = []
        self.below: list[Slot] = []


class Layout:
    """The result. layers: slots from left to right. routes: the slots that each edge visits."""

    def __init__(self, layers: list[list[Slot]], routes: list[list[Slot]]) -> None:
        self.layers = layers
        self.routes = routes

    @property
    def width(self) -> float:
        return max((slot.x + slot.width / 2 for layer in self.layers for slot in layer), default=0.0)


def lay_out(
    widths: Mapping[str, float], edges: Sequence[tuple[str, str]], *, gap: float, bend: float
) -> Layout:
    """Place the vertices. widths: by name. gap: between neighbours. bend: the width of one."""
    ranks = _ranks(list(widths), edges)
    layers: list[list[Slot]] = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
    slots = {}
    for name, width in widths.items():
        slots[name] = Slot(name, width, ranks[name])
        layers[ranks[name]].append(slots[name])
    routes = [
        _route(number, slots[source], slots[target], layers, bend)
        for number, (source, target) in enumerate(edges)
    ]
    _order(layers)
    _position(layers, gap)
    return Layout(layers, routes)


def _ranks(names: list[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The longest path to each vertex; an edge that would close a cycle does not count."""
    targets: dict[str, list[str]] = {name: [] for name in names}
    for source, target in edges:
        targets[source].append(target)
    order: list[str] = []
    state: dict[str, int] = {}
    for root in names:
        stack = [(root, False)]
        while stack:
            name, finished = stack.pop()
            if finished:
                state[name] = 2
                order.append(name)
            elif name not in state:
                state[name] = 1
                stack.append((name, True))
                stack.extend((target, False) for target in reversed(targets[name]))
    position = {name: number for number, name in enumerate(reversed(order))}
    ranks = dict.fromkeys(names, 0)
    for name in reversed(order):
        for target in targets[name]:
            if position[target] > position[name]:
                ranks[target] = max(ranks[target], ranks[name] + 1)
    return ranks


def _route(number: int, source: Slot, target: Slot, layers: list[list[Slot]], bend: float) -> list[Slot]:
    """The slots of one edge from top to bottom, with a bend in every layer between."""
    top, bottom = (source, target) if source.layer <= target.layer else (target, source)
    chain = [top]
    for layer in range(top.layer + 1, bottom.layer):
        slot = Slot("", bend, layer, edge=number)
        layers[layer].append(slot)
        chain.append(slot)
    chain.append(bottom)
    for upper, lower in pairwise(chain):
        upper.below.append(lower)
        lower.above.append(upper)
    return chain if top is source else chain[::-1]


def _order(layers: list[list[Slot]]) -> None:
    best, fewest = [list(layer) for layer in layers], _crossings(layers)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for layer in layers if down else reversed(layers):
            place = _places(layers)
            layer.sort(key=lambda slot: _barycentre(slot, place, down=down))
        crossings = _crossings(layers)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
    for layer, order in zip(layers, best, strict=True):
        layer[:] = order


def _places(layers: list[list[Slot]]) -> dict[int, int]:
    return {id(slot): number for layer in layers for number, slot in enumerate(layer)}


def _barycentre(slot: Slot, place: dict[int, int], *, down: bool) -> float:
    neighbours = slot.above if down else slot.below
    if not neighbours:
        return float(place[id(slot)])
    return sum(place[id(other)] for other in neighbours) / len(neighbours)


def _crossings(layers: list[list[Slot]]) -> int:
    """Inversions between neighbouring layers; edges of one slot are sorted, so they never cross."""
    place = _places(layers)
    count = 0
    for layer in layers:
        seen: list[int] = []
        for slot in layer:
            for end in sorted(place[id(other)] for other in slot.below):
                count += len(seen) - bisect_right(seen, end)
                insort(seen, end)
    return count


def _position(layers: list[list[Slot]], gap: float) -> None:
    for layer in layers:
        _fit(layer, [0.0] * len(layer), gap)
    for sweep in range(2 * SWEEPS):
        down = sweep % 2 == 0
        for layer in layers if down else reversed(layers):
            _fit(layer, [_wish(slot, down=down) for slot in layer], gap)
    left = min((slot.x - slot.width / 2 for layer in layers for slot in layer), default=0.0)
    for layer in layers:
        for slot in layer:
            slot.x -= left


def _wish(slot: Slot, *, down: bool) -> float:
    neighbours = (slot.above if down else slot.below) or slot.above or slot.below
    return sum(other.x for other in neighbours) / len(neighbours) if neighbours else slot.x


def _fit(layer: list[Slot], wishes: list[float], gap: float) -> None:
    """Move each slot as near to its wish as the others allow, in the least-squares sense.

    With the least distances subtracted this is isotonic regression, solved by pooling
    adjacent violators.
    """
    offsets, offset = [], 0.0
    for number, slot in enumerate(layer):
        if number:
            offset += (layer[number - 1].width + slot.width) / 2 + gap
        offsets.append(offset)
    pools: list[tuple[float, float, int]] = []
    for slot, wish, shift in zip(layer, wishes, offsets, strict=True):
        # Bends weigh more: a long edge should be straight before boxes are centred.
        weight = 1.0 if slot.edge is None else 4.0
        mean, total, size = wish - shift, weight, 1
        while pools and pools[-1][0] >= mean:
            other, other_total, other_size = pools.pop()
            mean = (mean * total + other * other_total) / (total + other_total)
            total, size = total + other_total, size + other_size
        pools.append((mean, total, size))
    means = [mean for mean, _, size in pools for _ in range(size)]
    for slot, mean, shift in zip(layer, means, offsets, strict=True):
        slot.x = mean + shift
